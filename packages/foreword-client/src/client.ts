/** `foreword-client`: starts turns on a Foreword server and reads them whole, from browsers and Node. */
import type { TurnState } from "../../../src/http/turns/turn-state.ts";
import type { UsageReport } from "../../../src/usage/json.ts";
import type { ModelList } from "../../../src/wires/openai-chat/models.ts";
import type { ApprovalAnswer, ChatOptions, ChatRequest, ToolResult } from "./chat-request.ts";
import { createConversations, type Conversations } from "./conversations.ts";
import { fetchFile } from "./files.ts";
import type { RetryOptions } from "./retries.ts";
import { ServerCalls, toServer, type ClientOptions, type RequestOptions } from "./server-calls.ts";
import { toTurnPath, type ServerRequest } from "./server-request.ts";
import { TurnReader, type Place } from "./turn-reader.ts";
import { StreamedTurn, type ContinueOptions, type Turn, type TurnActions } from "./turn.ts";

export { findCitations, type Citation } from "../../../src/base/shared/citations.ts";
export type { ErrorCode } from "../../../src/base/errors.ts";
export type {
  AttachmentJson as Attachment,
  ConversationExport,
  ConversationJson as Conversation,
  HitJson as SearchHit,
  ListedConversationJson as ListedConversation,
  ConversationPage,
  MessageJson as StoredMessage,
  MessagePage,
  ToolCallJson as StoredToolCall,
} from "../../../src/history/json.ts";
export type { UsageReport } from "../../../src/usage/json.ts";
export type { StreamEvent } from "../../../src/wires/foreword/event-stream.ts";
export { toChatImage } from "./files.ts";
export { ForewordError, type ForewordErrorCode } from "./foreword-error.ts";
export type { Reply } from "./reply.ts";
export type {
  ConversationChanges,
  Conversations,
  ListOptions,
  MessagesOptions,
  NewConversation,
} from "./conversations.ts";
export type { ChatImage, ChatMessage, ClientTool, SentToolCall } from "./chat-request.ts";
export type {
  ApprovalAnswer,
  ChatOptions,
  ChatRequest,
  ClientOptions,
  ContinueOptions,
  Place,
  RequestOptions,
  RetryOptions,
  ToolResult,
  Turn,
  TurnState,
};

/** Options to start a turn. */
export interface StartOptions extends RequestOptions {
  /**
   * Identifies the request for 24 hours, across reloads: 1 to 255 ASCII characters. Repeating an equal
   * request with the same key reads the turn that it started. Default: the turn's new id, so only retries
   * repeat a request.
   */
  readonly idempotencyKey?: string | undefined;
}

/** Options to resume a turn. */
export interface ResumeOptions extends RequestOptions {
  /**
   * The last known event, or its `position`: only later events are yielded. Default: 0, the whole reply. A
   * position alone comes before all events beside the text there.
   */
  readonly after?: number | Place | undefined;
}

/** The days of a usage report. */
export interface UsageOptions extends RequestOptions {
  /** Days (UTC) like `2026-11-25`, both included, at most 366. Default: the last 30 days. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * A client of one server, for one user. It needs no closing: only turns that are being read hold connections.
 */
export interface ForewordClient {
  /**
   * Starts a turn. The request is sent at once, and again if its response is lost: there is still only one
   * turn. Needs `crypto.randomUUID`, which browsers offer only on secure pages (`https:`, `localhost`).
   */
  start(request: ChatRequest, options?: StartOptions): Turn;

  /** Reads a turn that was started before, live while it runs. It connects at once. */
  resume(turnId: string, options?: ResumeOptions): Turn;

  /**
   * Resolves with a turn's current state.
   * @throws ForewordError, `not_found` if it is unknown or another user's.
   */
  get(turnId: string, options?: RequestOptions): Promise<TurnState>;

  /**
   * Stops a turn as its own `stop` does, without waiting for its start.
   * @throws ForewordError, `not_found` if it is unknown or another user's.
   */
  stop(turnId: string, options?: RequestOptions): Promise<TurnState>;

  /**
   * Answers calls of a waiting turn, and resolves with its state. A repeated answer changes nothing.
   * @throws ForewordError, `not_found` for an unknown turn or another user's, `approval_not_found`,
   * `approval_settled`, `approval_expired` or `turn_not_waiting`.
   */
  approve(turnId: string, answers: readonly ApprovalAnswer[], options?: RequestOptions): Promise<TurnState>;

  /**
   * Starts the turn that goes on with the results of the client's tools, as a turn's own `continue` does, for
   * example after a reload. Its request has the tools and options of `options` alone.
   */
  continue(turnId: string, toolResults: readonly ToolResult[], options?: ContinueOptions): Turn;

  /** The user's history: conversations and their messages. */
  readonly conversations: Conversations;

  /**
   * Resolves with a stored image or PDF, by its id or the `url` of an attachment: show it with
   * `URL.createObjectURL`.
   * @throws ForewordError, `file_not_found` if it is unknown or another user's.
   */
  file(idOrUrl: string, options?: RequestOptions): Promise<Blob>;

  /** Resolves with the names of the models that the user may choose: the first is the default. */
  models(options?: RequestOptions): Promise<readonly string[]>;

  /** Resolves with the user's tokens and costs by day, and the rest of today's limits. */
  usage(options?: UsageOptions): Promise<UsageReport>;
}

/**
 * Returns a client.
 * @throws TypeError if `baseUrl` is not an absolute URL.
 * @example
 * const foreword = createClient({ baseUrl: "https://chat.example.com" });
 * const turn = foreword.start({ messages: [{ sender: "user", text: "Hello" }] });
 * for await (const event of turn) if (event.type === "answer-delta") show(event.text);
 * const { outcome, error } = await turn.reply();
 */
export function createClient(options: ClientOptions): ForewordClient {
  const { server, retry } = toServer(options);
  const { userId } = server;
  const calls = new ServerCalls(server, retry);
  const fetchTurn = async (request: ServerRequest, more?: RequestOptions): Promise<TurnState> =>
    await calls.json(request, more);
  const start = (body: object, chat: ChatOptions, { signal, idempotencyKey }: StartOptions): Turn => {
    const turnId = crypto.randomUUID();
    const startRequest: ServerRequest = {
      method: "POST",
      path: "/stream-chat",
      headers: { "x-turn-id": turnId, "idempotency-key": idempotencyKey ?? turnId },
      body: JSON.stringify({ ...chat, ...body, userId }),
    };
    const reader = new TurnReader({ server, retry, signal, turnId, startRequest, after: undefined });
    return new StreamedTurn(reader, toActions(chat, signal));
  };
  const stop: ForewordClient["stop"] = async (turnId, more) =>
    await fetchTurn({ method: "POST", path: `${toTurnPath(turnId)}/stop` }, more);
  const approve: ForewordClient["approve"] = async (turnId, approvals, more) => {
    const body = JSON.stringify({ approvals });
    return await fetchTurn({ method: "POST", path: `${toTurnPath(turnId)}/approvals`, body }, more);
  };
  const goOn = (turnId: string, toolResults: readonly ToolResult[], more: ContinueOptions): Turn => {
    const { signal, idempotencyKey, ...chat } = more;
    return start({ parentId: turnId, toolResults }, chat, { signal, idempotencyKey });
  };
  const toActions = (chat: ChatOptions, signal: AbortSignal | undefined): TurnActions => ({
    stop,
    approve: async (turnId, answers) => await approve(turnId, answers, { signal }),
    continue: (turnId, toolResults, more) =>
      goOn(turnId, toolResults, { ...chat, ...more, signal: more.signal ?? signal }),
  });

  return {
    start({ messages, ...chat }, more = {}) {
      return start({ messages }, chat, more);
    },
    resume(turnId, { signal, after } = {}) {
      const place = typeof after === "number" ? { position: after } : after;
      const reader = new TurnReader({ server, retry, signal, turnId, startRequest: undefined, after: place });
      return new StreamedTurn(reader, toActions({}, signal));
    },
    get: async (turnId, more) => await fetchTurn({ method: "GET", path: toTurnPath(turnId) }, more),
    stop,
    approve,
    continue: (turnId, toolResults, more = {}) => goOn(turnId, toolResults, more),
    conversations: createConversations(calls),
    file: async (idOrUrl, more) => await fetchFile(calls, idOrUrl, more),
    models: async (more) => toNames(await calls.json<ModelList>({ method: "GET", path: "/v1/models" }, more)),
    usage: async ({ from, to, ...more } = {}) =>
      await calls.json({ method: "GET", path: "/usage", query: { from, to } }, more),
  };
}

/** Returns the names of models, without `<model>+plan`, which is a name of OpenAI's protocol alone. */
function toNames({ data }: ModelList): readonly string[] {
  const names = new Set(data.map(({ id }) => id));
  return Array.from(names).filter((name) => !(name.endsWith("+plan") && names.has(name.slice(0, -5))));
}
