/** Work that repeats until it is closed, with a pause after each run. */
import type { Clock, Timer } from "./clock.ts";

/** Runs `work` at once, and again after each pause. Runs never overlap. */
export class Repeating {
  readonly #clock: Clock;
  readonly #work: (signal: AbortSignal) => Promise<number>;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;

  /**
   * @param work resolves with the pause before its next run, in milliseconds, and never rejects. Its `signal`
   * is aborted by {@link close}.
   */
  constructor(clock: Clock, work: (signal: AbortSignal) => Promise<number>) {
    this.#clock = clock;
    this.#work = work;
    void this.#run();
  }

  /** Starts no further run. */
  close(): void {
    this.#closing.abort();
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const pauseMs = await this.#work(signal);
    if (!signal.aborted) this.#timer = this.#clock.after(pauseMs, () => void this.#run());
  }
}
