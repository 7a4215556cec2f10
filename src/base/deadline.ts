/** Deadlines that expire only after data that has already arrived was read. */
import { AppError, toAppError } from "./errors.ts";
import type { Clock, Timer } from "./clock.ts";

/**
 * Calls `callback` once after `delayMs`, as soon as the event loop has delivered everything that had arrived
 * by then. After a pause (suspended, stopped, starved) a process runs its timers before it reads its sockets:
 * unread data may still refresh or cancel this timer.
 */
export function afterReading(clock: Clock, delayMs: number, callback: () => void): Timer {
  let reading: NodeJS.Immediate | undefined;
  // Two passes: data read in the first may need a second one to be processed (TLS, fetch).
  const timer = clock.after(delayMs, () => {
    reading = setImmediate(() => {
      reading = setImmediate(callback);
    });
  });
  return {
    refresh: () => {
      clearImmediate(reading);
      timer.refresh();
    },
    cancel: () => {
      clearImmediate(reading);
      timer.cancel();
    },
  };
}

/** The state of some work after a wait. */
export type Settled<Result> =
  | { readonly type: "value"; readonly value: Result }
  | { readonly type: "error"; readonly error: AppError }
  | { readonly type: "late" };

/**
 * Resolves with the outcome of `work`, or with `late` after `waitMs`, while `work` continues. Never rejects.
 */
export function settleWithin<Result>(
  clock: Clock,
  work: Promise<Result>,
  waitMs: number,
): Promise<Settled<Result>> {
  return new Promise((resolve) => {
    const timer = afterReading(clock, waitMs, () => resolve({ type: "late" }));
    const settle = (settled: Settled<Result>): void => {
      timer.cancel();
      resolve(settled);
    };
    work.then(
      (value) => settle({ type: "value", value }),
      (error: unknown) => settle({ type: "error", error: toAppError(error) }),
    );
  });
}

/** Settles as `work` does; after `deadlineMs`, rejects with `store_unavailable` and calls `onLate`. */
export function withDeadline<Result>(
  clock: Clock,
  work: Promise<Result>,
  deadlineMs: number,
  onLate?: () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = afterReading(clock, deadlineMs, () => {
      reject(new AppError("store_unavailable", `no response within ${deadlineMs} ms`));
      onLate?.();
    });
    void work.then(resolve, reject).finally(() => timer.cancel());
  });
}
