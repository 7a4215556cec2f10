/**
 * Repeats slow calls on another connection: one that died silently would give no response until the deadline.
 */
import type { Clock } from "../../base/clock.ts";
import { callDeadlineMs, functions, type FunctionName } from "./database.ts";
import { withDeadline } from "../../base/deadline.ts";

/** How long a call waits before it is repeated on another connection, in milliseconds. */
export const secondTryAfterMs = 1_500;

/** How a call is made. */
export interface SecondTryOptions<Result> {
  readonly clock: Clock;
  /**
   * Makes the call. `isSecond`: on a connection known to be alive only. `signal` is aborted when no result is
   * awaited any more.
   */
  readonly ask: (isSecond: boolean, signal: AbortSignal) => Promise<Result>;
  /** Whether a failure is a lost connection, rather than a refusal. */
  readonly isLoss: (error: unknown) => boolean;
}

/**
 * Makes calls, and repeats those that may be; a bound keeps a slow database from getting everything twice.
 */
export class SecondTries {
  #free: number;

  /** @param count how many calls may be repeated at the same time. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Settles with the first result, and gives up the other call. @throws `store_unavailable` after 5 s. */
  async run<Result>(name: FunctionName, options: SecondTryOptions<Result>): Promise<Result> {
    const controller = new AbortController();
    const work = this.#run(name, options, controller);
    return await withDeadline(options.clock, work, callDeadlineMs, () => controller.abort());
  }

  async #run<Result>(
    name: FunctionName,
    { clock, ask, isLoss }: SecondTryOptions<Result>,
    controller: AbortController,
  ): Promise<Result> {
    const first = ask(false, controller.signal);
    const kind = functions[name];
    if (kind === "once") return await first;
    const late = Promise.withResolvers<"late">();
    const timer = clock.after(secondTryAfterMs, () => late.resolve("late"));
    const head = await Promise.race([
      first.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      late.promise,
    ]);
    timer.cancel();
    if (head !== "late" && "value" in head) return head.value;
    if (head !== "late" && (kind !== "read" || !isLoss(head.error))) throw head.error;
    if (this.#free === 0) return await first;
    this.#free -= 1;
    try {
      const second = ask(true, controller.signal);
      if (head !== "late") return await second;
      return await Promise.any([first, second]).catch(() => first); // the first error counts
    } finally {
      controller.abort();
      this.#free += 1;
    }
  }
}
