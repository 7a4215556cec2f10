/** A clock for suites that would wait for pauses which they do not test. */
import { systemClock, type Clock } from "../../src/base/clock.ts";

/** How many times shorter its pauses are. */
const factor = 20;

/**
 * Returns the system's clock, but for timers of `minMs` to `maxMs`: they fire after a twentieth of that. All
 * other times are right: deadlines, intervals of polling, and the time of day.
 */
export function createHastyClock(minMs: number, maxMs = minMs): Clock {
  return {
    ...systemClock,
    after: (delayMs, callback) =>
      systemClock.after(delayMs >= minMs && delayMs <= maxMs ? delayMs / factor : delayMs, callback),
  };
}
