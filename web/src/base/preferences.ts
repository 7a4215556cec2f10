/** What the user has chosen for the page in this browser: colours and language, the same in all its tabs. */
import { Store } from "./store.ts";

/** The colours of the page; `system` follows the device. */
export const themes = ["system", "light", "dark"] as const;
/** One of them. */
export type Theme = (typeof themes)[number];

/** The choices. */
export interface Preferences {
  readonly theme: Theme;
  /** A language tag; `null` follows the browser. */
  readonly language: string | null;
}

/** The part of `localStorage` that is used. */
type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

/** `web/src/early-theme.ts` reads the theme, too, before the first paint. */
const keys = { theme: "foreword.theme", language: "foreword.language" } as const;

/** The choices, kept in a browser's storage. */
export class PreferenceStore extends Store<Preferences> {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    super(read(storage));
    this.#storage = storage;
  }

  /** Changes some of them. */
  change(changes: Partial<Preferences>): void {
    const { theme, language } = { ...this.state, ...changes };
    write(this.#storage, keys.theme, theme === "system" ? null : theme);
    write(this.#storage, keys.language, language);
    this.set({ theme, language });
  }

  /** Reads them again, after another tab may have changed them. */
  refresh(): void {
    const { theme, language } = read(this.#storage);
    if (theme !== this.state.theme || language !== this.state.language) this.set({ theme, language });
  }
}

function read(storage: Storage): Preferences {
  const theme = themes.find((name) => name === storage.getItem(keys.theme)) ?? "system";
  return { theme, language: storage.getItem(keys.language) };
}

function write(storage: Storage, key: string, value: string | null): void {
  if (value === null) storage.removeItem(key);
  else storage.setItem(key, value);
}
