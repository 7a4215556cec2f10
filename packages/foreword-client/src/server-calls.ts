/** The options of a client, and its calls that have a whole response, repeated while that may help. */
import { ForewordError, type ForewordErrorCode } from "./foreword-error.ts";
import { defaultRetries, isTransient, Retries, type RetryOptions } from "./retries.ts";
import {
  fetchWhole,
  orInvalid,
  type Server,
  type ServerRequest,
  type WholeResponse,
} from "./server-request.ts";

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

/** Options to abort a request. */
export interface RequestOptions {
  /**
   * Ends the request, the reading and all waiting at once, with the signal's reason. A turn continues, unless
   * the server ends turns without a reader (`ON_DISCONNECT=abort`).
   */
  readonly signal?: AbortSignal | undefined;
}

/** A request that may be repeated. */
interface Call extends ServerRequest {
  /** The media type of the response. Default: any. */
  readonly type?: string;
  /** The error of a repeated request whose first one did its work: the call succeeds, with an empty body. */
  readonly doneCode?: ForewordErrorCode;
}

/** Calls one server, in the name of its user. Rejects with a ForewordError, or the reason of the signal. */
export class ServerCalls {
  readonly #server: Server;
  readonly #retry: RetryOptions;

  constructor(server: Server, retry: RetryOptions) {
    this.#server = server;
    this.#retry = retry;
  }

  /** Resolves with the JSON of a response, whose promised shape is trusted. */
  async json<Value>(call: ServerRequest, options?: RequestOptions): Promise<Value> {
    const { body, status } = await this.#call({ ...call, type: "application/json" }, options);
    const text = await body.text();
    return orInvalid((): Value => JSON.parse(text), status);
  }

  /** Resolves with the body of a response, of the response's type. */
  async blob(call: Call, options?: RequestOptions): Promise<Blob> {
    return (await this.#call(call, options)).body;
  }

  async #call(
    { type = "", doneCode, ...call }: Call,
    { signal }: RequestOptions = {},
  ): Promise<WholeResponse> {
    const retries = new Retries(this.#retry, signal);
    const query = { ...call.query, userId: this.#server.userId };
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        return await fetchWhole(this.#server, { ...call, query }, type, signal);
      } catch (failure) {
        if (isRepeated && failure instanceof ForewordError && failure.code === doneCode)
          return { body: new Blob([]), status: 200 };
        await retries.wait(failure, isTransient);
      }
    }
  }
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
