/** Keeps a log readable: so many lines in a window, and then one that counts the others. */
import type { Clock, Timer } from "../clock.ts";

/** How many lines are written in each window. */
const maxLines = 30;
const windowMs = 30_000;

/** The lines of a window that were only counted. */
export interface LeftOutLines {
  readonly count: number;
  /** The same by the names of the lines. */
  readonly byName: Readonly<Record<string, number>>;
  readonly windowMs: number;
}

/** Lines of one kind, up to 30 in 30 s; the others are counted. */
export class LimitedLines {
  readonly #clock: Clock;
  readonly #onLeftOut: (lines: LeftOutLines) => void;
  readonly #leftOut = new Map<string, number>();
  #lines = 0;
  #timer: Timer | undefined;

  /** @param onLeftOut called at the end of a window in which lines were only counted. */
  constructor(clock: Clock, onLeftOut: (lines: LeftOutLines) => void) {
    this.#clock = clock;
    this.#onLeftOut = onLeftOut;
  }

  /** Calls `write`, or only counts the line under `name`; returns whether it was written. */
  write(name: string, write: () => void): boolean {
    this.#timer ??= this.#clock.after(windowMs, () => this.flush());
    if (this.#lines >= maxLines) {
      this.#leftOut.set(name, (this.#leftOut.get(name) ?? 0) + 1);
      return false;
    }
    this.#lines += 1;
    write();
    return true;
  }

  /** Ends the window. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#lines = 0;
    if (this.#leftOut.size === 0) return;
    const byName = Object.fromEntries(this.#leftOut);
    const count = Object.values(byName).reduce((sum, one) => sum + one, 0);
    this.#leftOut.clear();
    this.#onLeftOut({ count, byName, windowMs });
  }
}
