/** Owns the patience of the client: after which failures it tries again, how often, and how long it waits before. */
import { abortable } from "./abortable.ts";
import { ForewordError } from "./foreword-error.ts";

/** How a client tries again. */
export interface RetryOptions {
  /**
   * How many retries in a row may bring nothing new before the last failure is thrown; 0 for none at all. Default: 10,
   * which are 24 to 48 seconds of waiting.
   */
  readonly maxRetries: number;
  /** How long the first retry after something new waits, in milliseconds; each further one twice as long. Default: 250. */
  readonly firstDelayMs: number;
  /**
   * The longest such wait, in milliseconds. Default: 8,000. Of each wait chance leaves out up to a half. A server's
   * `Retry-After` makes it longer; one of more than a minute is not waited for but thrown.
   */
  readonly maxDelayMs: number;
  /**
   * How long a connection may bring nothing, in milliseconds, before it counts as cut. Default: 45,000; the server breaks
   * every silence after 15,000.
   */
  readonly silenceMs: number;
}

/** What holds where nobody says otherwise. */
export const defaultRetries: RetryOptions = {
  maxRetries: 10,
  firstDelayMs: 250,
  maxDelayMs: 8_000,
  silenceMs: 45_000,
};

/** The longest wait that a server may ask for, in milliseconds: nobody waits longer for a reply. */
const maxRetryAfterMs = 60_000;

/** The retries of one task. */
export class Retries {
  readonly #options: RetryOptions;
  readonly #signal: AbortSignal | undefined;
  #count = 0;

  constructor(options: RetryOptions, signal: AbortSignal | undefined) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Something new came: what fails from now on is a new failure. */
  reset(): void {
    this.#count = 0;
  }

  /**
   * Resolves when it is time to try again after `failure`, which `isWorthIt` has to allow.
   * @throws `failure` itself where that is of no use; the signal's reason once it is aborted.
   */
  async wait(failure: unknown, isWorthIt: (error: ForewordError) => boolean): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(failure instanceof ForewordError) || !isWorthIt(failure)) throw failure;
    const { retryAfterMs = 0 } = failure;
    if (this.#count >= this.#options.maxRetries || retryAfterMs > maxRetryAfterMs) throw failure;
    const delayMs = toDelayMs(this.#count, this.#options);
    this.#count += 1;
    await pause(Math.max(delayMs, retryAfterMs), this.#signal);
  }
}

/** Returns how long to wait after `count` retries: so much of it is random that clients cut together come back apart. */
function toDelayMs(count: number, { firstDelayMs, maxDelayMs }: RetryOptions): number {
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** count);
  return delayMs * (1 - Math.random() / 2);
}

/** Whether a request that may be repeated without harm is worth it. */
export function isTransient({ code, status = 0 }: ForewordError): boolean {
  return code === "connection_lost" || code === "server_stopping" || status === 429 || status >= 500;
}

/**
 * Whether the request that starts a turn is worth repeating, under the same key: no answer, that of a process on its way out,
 * or that of a gateway which has found none. Any other is the server's own, and stays.
 */
export function isUndelivered({ code, status = 0 }: ForewordError): boolean {
  const isGateway = code === "http_error" && status >= 502 && status <= 504;
  return code === "connection_lost" || code === "server_stopping" || isGateway;
}

async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  try {
    await abortable(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
