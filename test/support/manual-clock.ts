/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from "../../src/base/clock.ts";
import { callDeadlineMs } from "../../src/store/database/database.ts";

interface Pending {
  dueMs: number;
  readonly delayMs: number;
  readonly callback: () => void;
}

/**
 * A clock that only {@link advance} and {@link pass} move; its timers fire then, in order, in the same tick.
 */
export class ManualClock implements Clock {
  #nowMs = Date.UTC(2026, 10, 23, 12);
  readonly #pending = new Set<Pending>();
  readonly #waiting = new Set<() => void>();

  now(): Date {
    return new Date(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const pending: Pending = { dueMs: this.#nowMs + delayMs, delayMs, callback };
    this.#pending.add(pending);
    for (const look of this.#waiting) look();
    return {
      refresh: () => {
        pending.dueMs = this.#nowMs + delayMs;
        this.#pending.add(pending);
        for (const look of this.#waiting) look();
      },
      cancel: () => {
        this.#pending.delete(pending);
        for (const look of this.#waiting) look();
      },
    };
  }

  /**
   * Resolves with the delay of a pending timer, present or future, whose delay is from `minMs` to `maxMs`.
   */
  async timer(minMs: number, maxMs = minMs): Promise<number> {
    return await this.timerThat((delayMs) => delayMs >= minMs && delayMs <= maxMs);
  }

  /** Resolves with the delay of a pending timer, present or future, whose delay `isIt` accepts. */
  async timerThat(isIt: (delayMs: number) => boolean): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const look = (): void => {
      const found = Array.from(this.#pending).find(({ delayMs }) => isIt(delayMs));
      if (found !== undefined) resolve(found.delayMs);
    };
    this.#waiting.add(look);
    look();
    const delayMs = await promise;
    this.#waiting.delete(look);
    return delayMs;
  }

  /**
   * Resolves once no timer with a delay of `delayMs` is pending: a deadline's is gone when its work has
   * ended.
   */
  async noTimer(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!Array.from(this.#pending).some((pending) => pending.delayMs === delayMs)) resolve();
    };
    this.#waiting.add(look);
    look();
    await promise;
    this.#waiting.delete(look);
  }

  /**
   * Moves the time by `ms`, in steps between which every database call ends. A call's deadline counts by this
   * clock, which does not know how long the call really takes: {@link advance} past it makes a call in flight
   * late.
   */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (this.#nowMs < endMs) {
      await this.noTimer(callDeadlineMs);
      this.advance(Math.min(callDeadlineMs - 1, endMs - this.#nowMs));
    }
  }

  /** Moves the time by `ms`, firing due timers. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = Array.from(this.#pending).toSorted((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#pending.delete(next);
      next.callback();
    }
    this.#nowMs = endMs;
  }
}
