/** Owns what `foreword/client` is: turns of a Foreword server for browsers and Node, each started once and read whole. */
import type { TurnState } from "../http/turn-state.ts";
import { defaultRetries, isTransient, Retries, type RetryOptions } from "./retries.ts";
import { fetchState, toTurnPath, type Server, type ServerRequest } from "./server-request.ts";
import { TurnReader } from "./turn-reader.ts";
import { StreamedTurn, type Turn } from "./turn.ts";

export type { ErrorCode } from "../base/errors.ts";
export type { StreamEvent } from "../wires/foreword/event-stream.ts";
export { ForewordError, type ForewordErrorCode } from "./foreword-error.ts";
export type { Reply } from "./reply.ts";
export type { RetryOptions, Turn, TurnState };

/** What a client is made from. */
export interface ClientOptions {
  /** Where the server is, an absolute URL like `https://chat.example.com`; it may have a path. */
  readonly baseUrl: string;
  /** Whose turns they are, a UUID; nobody's by default. */
  readonly userId?: string | undefined;
  /**
   * Returns headers for the next request, like `authorization`. Asked before each one, so that a token may change while a
   * turn is read; what it throws ends the reading. None by default.
   */
  readonly headers?:
    | (() => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>)
    | undefined;
  /** Sends the requests; it must heed their `signal`. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** How it tries again. */
  readonly retry?: Partial<RetryOptions> | undefined;
}

/** A message of a chat. */
export interface ChatMessage {
  readonly sender: "user" | "assistant" | "system";
  /** At most 1 MiB; that of an `assistant` 2 MiB. */
  readonly text: string;
  /** Of a user, for the model: at most 100, never stored. */
  readonly images?: readonly ChatImage[] | undefined;
}

/** An image. */
export interface ChatImage {
  readonly inlineData: {
    /** Base64, without a data URL's prefix. */
    readonly data: string;
    readonly mimeType: "image/png" | "image/jpeg" | "image/gif" | "image/webp";
  };
}

/** What a turn is asked for with: the body of `POST /stream-chat` (docs/protocol.md). */
export interface ChatRequest {
  /** The whole chat from its start, 1 to 20,000 messages; the last is the user's. */
  readonly messages: readonly ChatMessage[];
  /** The conversation it belongs to, a UUID; one that is not known is made under it. By default the server finds out. */
  readonly conversationId?: string | undefined;
  /** Told to the model. Default: false. */
  readonly use_web_search?: boolean | undefined;
  /** Its name is told to the model. */
  readonly knowledge_base?: string | undefined;
}

/** How a request may be ended. */
export interface RequestOptions {
  /**
   * Ends the request, or the reading, and all its waiting at once, with the signal's reason. That stops no turn, unless the
   * server ends those that nobody follows (`ON_DISCONNECT=abort`).
   */
  readonly signal?: AbortSignal | undefined;
}

/** How a turn is started. */
export interface StartOptions extends RequestOptions {
  /**
   * What makes a request the same one, for 24 hours and across reloads: 1 to 255 characters of ASCII. The turn that an equal
   * request has started under it is read again. Default: the turn's new id, so that only retries are the same one.
   */
  readonly idempotencyKey?: string | undefined;
}

/** How a turn is resumed. */
export interface ResumeOptions extends RequestOptions {
  /** The `position` of the last event that is known: only what comes after it is yielded. Default: 0, the whole reply. */
  readonly after?: number | undefined;
}

/** A client of one server, for one user. It has nothing to close: what it holds open are turns that are being read. */
export interface ForewordClient {
  /**
   * Starts a turn. The request is sent at once, and again if its answer is lost: there is one turn all the same. Needs
   * `crypto.randomUUID`, which browsers have on secure pages only (`https:`, `localhost`).
   */
  start(request: ChatRequest, options?: StartOptions): Turn;

  /** Reads a turn that was started before, live while it runs. Its connection is opened at once. */
  resume(turnId: string, options?: ResumeOptions): Turn;

  /** Resolves with a turn as it is now. @throws ForewordError, `not_found` for one that is unknown or somebody else's. */
  get(turnId: string, options?: RequestOptions): Promise<TurnState>;

  /**
   * Ends a turn as its own `stop` does, without waiting for its start.
   * @throws ForewordError, `not_found` for one that is unknown or somebody else's.
   */
  stop(turnId: string, options?: RequestOptions): Promise<TurnState>;
}

/**
 * Returns a client.
 * @throws TypeError for a `baseUrl` that is not an absolute URL.
 * @example
 * const foreword = createClient({ baseUrl: "https://chat.example.com" });
 * const turn = foreword.start({ messages: [{ sender: "user", text: "Hello" }] });
 * for await (const event of turn) if (event.type === "answer-delta") show(event.text);
 * const { outcome, error } = await turn.reply();
 */
export function createClient(options: ClientOptions): ForewordClient {
  const { userId, headers = () => ({}), fetch = globalThis.fetch } = options;
  const retry = toRetryOptions(options.retry);
  const server: Server = {
    baseUrl: new URL(options.baseUrl),
    userId,
    headers,
    fetch,
    silenceMs: retry.silenceMs,
  };

  const ask = async (
    method: "GET" | "POST",
    path: string,
    { signal }: RequestOptions = {},
  ): Promise<TurnState> => await askAgain(server, retry, { method, path, query: { userId } }, signal);
  const stop = async (turnId: string, more?: RequestOptions): Promise<TurnState> =>
    await ask("POST", `${toTurnPath(turnId)}/stop`, more);

  return {
    start(request, { signal, idempotencyKey } = {}) {
      const turnId = crypto.randomUUID();
      const startRequest: ServerRequest = {
        method: "POST",
        path: "/stream-chat",
        headers: { "x-turn-id": turnId, "idempotency-key": idempotencyKey ?? turnId },
        body: JSON.stringify({ ...request, userId }),
      };
      const reader = new TurnReader({ server, retry, signal, turnId, startRequest, after: undefined });
      return new StreamedTurn(reader, stop);
    },
    resume(turnId, { signal, after } = {}) {
      const reader = new TurnReader({ server, retry, signal, turnId, startRequest: undefined, after });
      return new StreamedTurn(reader, stop);
    },
    get: async (turnId, more) => await ask("GET", toTurnPath(turnId), more),
    stop,
  };
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

/** Asks until it is answered, or there is no use in that. */
async function askAgain(
  server: Server,
  retry: RetryOptions,
  request: ServerRequest,
  signal: AbortSignal | undefined,
): Promise<TurnState> {
  const retries = new Retries(retry, signal);
  for (;;) {
    try {
      return await fetchState(server, request, signal);
    } catch (failure) {
      await retries.wait(failure, isTransient);
    }
  }
}
