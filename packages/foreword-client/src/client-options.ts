/** The options of a client, and the server that they describe. */
import { defaultRetries, type RetryOptions } from "./retries.ts";
import type { Server } from "./server-request.ts";

/** The options of a client. */
export interface ClientOptions {
  /** The server's absolute URL, like `https://chat.example.com`; it may have a path. */
  readonly baseUrl: string;
  /** The user, a UUID. Default: none. */
  readonly userId?: string | undefined;
  /**
   * Returns headers for the next request, like `authorization`. Called before each request, so a token may
   * change while a turn is read. If it throws, reading ends with that error. Default: none.
   */
  readonly headers?:
    | (() => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>)
    | undefined;
  /** Sends the requests; it must honor their `signal`. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** How to retry. */
  readonly retry?: Partial<RetryOptions> | undefined;
}

/**
 * Returns the server that `options` describe, and how to retry.
 * @throws TypeError if `baseUrl` is not an absolute URL.
 */
export function toServer(options: ClientOptions): { readonly server: Server; readonly retry: RetryOptions } {
  const { userId, headers = () => ({}), fetch = globalThis.fetch } = options;
  const retry = toRetryOptions(options.retry);
  const baseUrl = new URL(options.baseUrl);
  return { server: { baseUrl, userId, headers, fetch, silenceMs: retry.silenceMs }, retry };
}

function toRetryOptions(options: Partial<RetryOptions> = {}): RetryOptions {
  const {
    maxRetries = defaultRetries.maxRetries,
    firstDelayMs = defaultRetries.firstDelayMs,
    maxDelayMs = defaultRetries.maxDelayMs,
    silenceMs = defaultRetries.silenceMs,
  } = options;
  return { maxRetries, firstDelayMs, maxDelayMs, silenceMs };
}
