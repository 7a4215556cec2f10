/** Remembers for a while that a model's server reads no PDFs. */
import type { Clock } from "../../base/clock.ts";

/** How long after a refusal no PDF of an earlier message is sent, in milliseconds. */
const pauseMs = 10 * 60_000;

/** Whether a server reads PDFs, as far as its replies have shown. */
export class FileMemory {
  readonly #clock: Clock;
  #refusedUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it may read them: another model may stand behind its name by now. */
  get mayRead(): boolean {
    return this.#clock.monotonicMs() >= this.#refusedUntilMs;
  }

  /** It has refused files of any content. */
  refuse(): void {
    this.#refusedUntilMs = this.#clock.monotonicMs() + pauseMs;
  }

  /** It has replied to a prompt with one, so that an earlier refusal was about another file. */
  accept(): void {
    this.#refusedUntilMs = -Infinity;
  }
}
