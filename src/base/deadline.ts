/** Deadlines that read data which has already arrived before they expire. */
import { toAppError, type AppError } from "./errors.ts";
import type { Clock, Timer } from "./clock.ts";

/**
 * Calls `callback` once after `delayMs`, when the event loop has handed over everything that had arrived by then. A process that stood
 * still (suspended, stopped, starved) runs its timers before it reads its sockets: what came meanwhile may still refresh or
 * cancel this one.
 */
export function afterReading(clock: Clock, delayMs: number, callback: () => void): Timer {
  let reading: NodeJS.Immediate | undefined;
  // Two passes: what the first reads may need another to be taken in (TLS, fetch).
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

/** How a piece of work stood after a while. */
export type Settled<Result> =
  | { readonly type: "value"; readonly value: Result }
  | { readonly type: "error"; readonly error: AppError }
  | { readonly type: "late" };

/** Resolves with how `work` settled, or with `late` after `waitMs`, while it goes on. Never rejects. */
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
