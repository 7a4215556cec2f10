/** The clock and timers, as an interface, and the real ones. */

/** A started timer; it fires once. */
export interface Timer {
  /** Restarts its delay. */
  refresh(): void;
  /** Keeps it from firing; has no effect afterwards. */
  cancel(): void;
}

/** The only source of time and timers. */
export interface Clock {
  now(): Date;
  /** Milliseconds that never decrease, whatever happens to the time of day. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`. A timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's clock and timers. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { refresh: () => void timer.refresh(), cancel: () => clearTimeout(timer) };
  },
};

/** Returns the day (UTC) of `date`, as ISO 8601. */
export function toDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const timer = clock.after(ms, end);
  signal.addEventListener("abort", end, { once: true });
  await promise;
  signal.removeEventListener("abort", end);
  timer.cancel();
}
