/**
 * Parts of the page that are loaded when they are needed: after an upgrade of the server they may be
 * gone.
 */
import { Store } from "./store.ts";

/** Whether the server is known to have another version of the page. */
export const hasNewVersion = new Store(false);

let looking: Promise<void> | undefined;

/** Loads a part. Resolves with `undefined` if that fails: the page does without it, and may try again. */
export async function loadPart<Part>(load: () => Promise<Part>): Promise<Part | undefined> {
  try {
    return await load();
  } catch {
    looking ??= lookForNewVersion().finally(() => (looking = undefined));
    return undefined;
  }
}

/** Reads the page's document again, which names its main script by a digest. */
async function lookForNewVersion(): Promise<void> {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"]');
  const name = script?.src.split("/").at(-1) ?? "";
  try {
    const response = await fetch(new URL(".", location.href), { headers: { accept: "text/html" } });
    if (response.ok && !(await response.text()).includes(name)) hasNewVersion.set(true);
  } catch {
    // The network is away: so was the part.
  }
}
