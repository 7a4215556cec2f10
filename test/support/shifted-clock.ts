/** The system's clock, which a test moves on while its timers stay as they are. */
import { systemClock, type Clock } from "../../src/base/clock.ts";

/** Tells a process that time has passed: as if it had run for longer. */
export class ShiftedClock implements Clock {
  #shiftMs = 0;
  readonly after = systemClock.after;

  now(): Date {
    return systemClock.now();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#shiftMs;
  }

  /** Moves {@link monotonicMs} on by `ms`. */
  shift(ms: number): void {
    this.#shiftMs += ms;
  }
}
