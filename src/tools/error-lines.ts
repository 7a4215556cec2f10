/** Passes on the standard error of child processes, but no flood of it. */
import type { Clock } from "../base/clock.ts";
import { toStorable } from "../turn/message.ts";
import { cutAt } from "./bounded-json.ts";

const maxLineLength = 1_000;
const windowMs = 10_000;
/** Lines passed on within the time above. */
const maxLines = 100;

/** The lines of one server. */
export class ErrorLines {
  readonly #clock: Clock;
  readonly #write: (text: string) => void;
  #windowStartMs = 0;
  #lineCount = 0;

  constructor(clock: Clock, write: (text: string) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  add(line: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#lineCount = 0;
    }
    this.#lineCount += 1;
    if (this.#lineCount === maxLines) this.#write("(more lines are left out)");
    else if (this.#lineCount < maxLines) this.#write(cutAt(toStorable(line), maxLineLength));
  }
}
