/** Calls of the server that have a whole response, repeated while that may help. */
import { ForewordError, type ForewordErrorCode } from "./foreword-error.ts";
import { isTransient, Retries, type RetryOptions } from "./retries.ts";
import {
  fetchWhole,
  orInvalid,
  type Server,
  type ServerRequest,
  type WholeResponse,
} from "./server-request.ts";

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
