/** The time and timers of the page, which tests replace. */

/** The only source of time and timers of the page's state. */
export interface Clock {
  now(): Date;
  /** Calls `callback` once after `delayMs`, unless it is cancelled. */
  after(delayMs: number, callback: () => void): { cancel(): void };
}

/** The browser's clock and timers. */
export const browserClock: Clock = {
  now: () => new Date(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
