/** Results that are remembered for some minutes, so that a retry asks nothing again. */
import type { Clock } from "../../base/clock.ts";

/** How long a result is remembered, in milliseconds, and how many of them. */
const rememberMs = 10 * 60 * 1000;
const maxRemembered = 100;

/** Results by their keys; the oldest one leaves when there are too many. */
export class RecentResults<Result> {
  readonly #clock: Clock;
  readonly #results = new Map<string, { readonly result: Result; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with the remembered result of `key`, or else with that of `make`, which is remembered. */
  async get(key: string, make: () => Promise<Result>): Promise<Result> {
    const known = this.#results.get(key);
    if (known !== undefined && this.#clock.monotonicMs() - known.atMs < rememberMs) return known.result;
    const result = await make();
    this.#results.delete(key);
    this.#results.set(key, { result, atMs: this.#clock.monotonicMs() });
    const [oldest] = this.#results.keys();
    if (this.#results.size > maxRemembered && oldest !== undefined) this.#results.delete(oldest);
    return result;
  }
}
