/** The client's retries: after which failures, how often, and after how long. */
import { abortable } from "./abortable.ts";
import { ForewordError } from "./foreword-error.ts";

/** How a client retries. */
export interface RetryOptions {
  /**
   * How many retries in a row may bring nothing new before the last failure is thrown; 0 disables retries.
   * Default: 10, which wait for 24 to 48 seconds in all.
   */
  readonly maxRetries: number;
  /** The first delay after new data, in milliseconds; it doubles with each retry. Default: 250. */
  readonly firstDelayMs: number;
  /**
   * The longest delay, in milliseconds. Default: 8,000. Each delay is shortened by a random part of up to a
   * half. A server's `Retry-After` lengthens it; one of more than a minute is thrown instead.
   */
  readonly maxDelayMs: number;
  /**
   * How long a connection may be silent, in milliseconds, before it counts as lost. Default: 45,000; the
   * server sends a comment after 15,000.
   */
  readonly silenceMs: number;
}

/** The defaults. */
export const defaultRetries: RetryOptions = {
  maxRetries: 10,
  firstDelayMs: 250,
  maxDelayMs: 8_000,
  silenceMs: 45_000,
};

/** The longest `Retry-After` to wait for, in milliseconds: users do not wait longer for a reply. */
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

  /** Starts counting again, because new data arrived. */
  reset(): void {
    this.#count = 0;
  }

  /**
   * Resolves when it is time to retry after `failure`, which `isWorthIt` must allow.
   * @throws `failure` if a retry is useless; the signal's reason once it is aborted.
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

/**
 * Returns the delay after `count` retries, random enough to spread clients that were disconnected together.
 */
function toDelayMs(count: number, { firstDelayMs, maxDelayMs }: RetryOptions): number {
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** count);
  return delayMs * (1 - Math.random() / 2);
}

/** Whether it is worth repeating a request that can safely be repeated. */
export function isTransient({ code, status = 0 }: ForewordError): boolean {
  return code === "connection_lost" || code === "server_stopping" || status === 429 || status >= 500;
}

/**
 * Whether it is worth repeating the request that starts a turn, with the same key: without a response, or
 * with that of a process that is stopping, or of a gateway without a server. Any other response is the
 * server's own, and final.
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
