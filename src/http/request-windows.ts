/** Owns how many requests somebody may still make in this minute: a share of them, taken from what all processes count. */
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
  /** Takes up to `wanted` of the subject's `max` requests per minute; the minute starts with its first request. */
  takeRequests(subject: string, wanted: number, max: number): Promise<RequestGrant>;
}

/** A minute, which begins with the first request. */
export const windowMs = 60_000;
/** So many times a minute at most somebody's requests are asked for: a share is the part of the limit that makes. */
const sharesPerWindow = 10;
/** How long a request waits for the counters; after that this process counts alone until the minute is over. */
const waitMs = 500;
/** How many are remembered. One that is forgotten is asked for again. */
const maxWindows = 20_000;

/** How somebody's minute stands after a request. */
export interface WindowState {
  readonly isOver: boolean;
  /** How many requests are left, and in how many milliseconds there are all again. */
  readonly left: number;
  readonly resetsInMs: number;
}

interface Window {
  endsAtMs: number;
  /** Requests taken from the counters and not made yet. */
  share: number;
  /** What the counters had beyond that. */
  left: number;
  /** Requests made here. */
  made: number;
  asking: Promise<void> | undefined;
}

/** The minutes of all who ask. A share is taken before it is used: all processes together never let more through than the limit. */
export class RequestWindows {
  readonly #max: number;
  readonly #counters: RequestCounter | undefined;
  readonly #clock: Clock;
  /** By subject; the one whose minute began first comes first. */
  readonly #windows = new Map<string, Window>();

  /** @param counters `undefined` where there is only this process. */
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

  /** Fills the share of a window, from the counters if they answer in time. */
  async #take(subject: string, window: Window): Promise<void> {
    const wanted = Math.ceil(this.#max / sharesPerWindow);
    // What is left when the counters' minute is over was of that minute: ours must not end later than theirs.
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
    const asked = this.#counters?.takeRequests(subject, wanted, this.#max).catch(() => undefined); // told by the store itself
    const grant = await Promise.race([asked, late]);
    timer.cancel();
    return grant;
  }
}
