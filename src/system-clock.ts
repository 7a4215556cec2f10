/** Owns the real clock. */
import type { Clock } from "./turn/ports.ts";

/** The machine's time and timers. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { refresh: () => void timer.refresh(), cancel: () => clearTimeout(timer) };
  },
};
