/** The system's clock, which a test moves on while its timers stay as they are. */
import { systemClock, type Clock, type Timer } from "../../src/base/clock.ts";

/** Tells a process that time has passed: as if it had run for longer. */
export class ShiftedClock implements Clock {
  #shiftMs = 0;

  now(): Date {
    return systemClock.now();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#shiftMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return systemClock.after(delayMs, callback);
  }

  /** Moves {@link monotonicMs} on by `ms`. */
  shift(ms: number): void {
    this.#shiftMs += ms;
  }
}
