/** The time and timers, as the code sees them, and the real ones. */

/** A timer that was started; it fires once. */
export interface Timer {
  /** Starts its time again. */
  refresh(): void;
  /** Keeps it from firing; harmless afterwards. */
  cancel(): void;
}

/** The time, and timers; the only clock there is. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever grow, whatever happens to the time of day. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`. A timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's time and timers. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { refresh: () => void timer.refresh(), cancel: () => clearTimeout(timer) };
  },
};
