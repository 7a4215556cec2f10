/**
 * Per-minute request limits. Each process takes shares of the limit from counters that all processes share.
 */
import type { Clock } from "../base/clock.ts";

/** The part of a per-minute request window that was granted at once. */
export interface RequestGrant {
  readonly granted: number;
  /** Requests left in the window. */
  readonly left: number;
  /** Milliseconds until the next window. */
  readonly resetsInMs: number;
}

/** Counts requests for all processes. Rejects with a `store_…` code. */
export interface RequestCounter {
  /** Takes up to `wanted` of the subject's `max` requests in the minute that its first request started. */
  takeRequests(subject: string, wanted: number, max: number): Promise<RequestGrant>;
}

/** The length of a window, which starts with its first request, in milliseconds. */
export const windowMs = 60_000;
/** A share is this fraction of the limit: a subject costs at most this many calls per window. */
const sharesPerWindow = 10;
/** How long a request waits for the counters, in milliseconds. Then this process counts the window alone. */
const waitMs = 500;
/** The most windows that are remembered. A forgotten one is read from the counters again. */
const maxWindows = 20_000;

/** The state of a subject's window after a request. */
export interface WindowState {
  readonly isOver: boolean;
  /** The requests that are left, and the milliseconds until the window resets. */
  readonly left: number;
  readonly resetsInMs: number;
}

interface Window {
  endsAtMs: number;
  /** Requests taken from the counters and not made yet. */
  share: number;
  /** Requests that were left in the counters after that. */
  left: number;
  /** Requests made here. */
  made: number;
  asking: Promise<void> | undefined;
}

/** The windows of all subjects. Shares are taken before use, so all processes together keep to the limit. */
export class RequestWindows {
  readonly #max: number;
  readonly #counters: RequestCounter | undefined;
  readonly #clock: Clock;
  /** By subject, the oldest window first. */
  readonly #windows = new Map<string, Window>();

  /** @param counters `undefined` if only this process counts. */
  constructor(max: number, counters: RequestCounter | undefined, clock: Clock) {
    this.#max = max;
    this.#counters = counters;
    this.#clock = clock;
  }

  /** Counts a request of `subject`. Never rejects: without the counters it counts for this process. */
  async count(subject: string): Promise<WindowState> {
    for (;;) {
      const window = this.#find(subject);
      if (window.share > 0 || window.left === 0) {
        const isOver = window.share === 0;
        if (!isOver) {
          window.share -= 1;
          window.made += 1;
        }
        const resetsInMs = Math.max(0, window.endsAtMs - this.#clock.monotonicMs());
        return { isOver, left: window.share + window.left, resetsInMs };
      }
      window.asking ??= this.#take(subject, window).finally(() => (window.asking = undefined));
      await window.asking;
    }
  }

  #find(subject: string): Window {
    const now = this.#clock.monotonicMs();
    const known = this.#windows.get(subject);
    if (known !== undefined && now < known.endsAtMs) return known;
    this.#windows.delete(subject);
    const window: Window = {
      endsAtMs: now + windowMs,
      share: this.#counters === undefined ? this.#max : 0,
      left: this.#counters === undefined ? 0 : this.#max,
      made: 0,
      asking: undefined,
    };
    this.#windows.set(subject, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > maxWindows && oldest !== undefined) this.#windows.delete(oldest);
    return window;
  }

  /** Takes a share for `window`, from the counters if they respond in time. */
  async #take(subject: string, window: Window): Promise<void> {
    const wanted = Math.ceil(this.#max / sharesPerWindow);
    // A share expires with the counters' window: this window must not end later than theirs.
    const askedAtMs = this.#clock.monotonicMs();
    const grant = await this.#ask(subject, wanted);
    if (grant === undefined) {
      window.share += Math.max(0, this.#max - window.made - window.share);
      window.left = 0;
      return;
    }
    window.share += grant.granted;
    window.left = grant.granted === 0 ? 0 : grant.left;
    window.endsAtMs = askedAtMs + grant.resetsInMs;
  }

  async #ask(subject: string, wanted: number): Promise<RequestGrant | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#clock.after(waitMs, () => resolve(undefined));
    // The store reports its own failures.
    const asked = this.#counters?.takeRequests(subject, wanted, this.#max).catch(() => undefined);
    const grant = await Promise.race([asked, late]);
    timer.cancel();
    return grant;
  }
}
