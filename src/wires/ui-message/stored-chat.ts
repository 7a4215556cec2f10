/** A stored chat as its client holds it: its messages, and the reply in progress. */
import type { ChatMessages, History, ReplyTurn, StoredMessage } from "../../history/history.ts";
import { toFilePath } from "../../http/files/file-links.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import type { TurnEvent } from "../../turn/turn-event.ts";
import { toReplyChunks } from "./earlier-chunks.ts";
import { toEarlier, type UiChat } from "./last-turns.ts";
import { toShownMessage, toShownParts } from "./message-builder.ts";
import type { ShownMessage, ShownMetadata, ShownPart } from "./shown-message.ts";
import { toStoredCallChunks } from "./stored-calls.ts";
import { toUiMessageChunks } from "./stream.ts";

/** The messages of a chat to load. */
export interface ChatPageFilter {
  readonly limit: number;
  /** Only those before the message with this id. */
  readonly before: string | undefined;
  /** The query of links to the chat's files: empty, or one that names its user. */
  readonly fileQuery: string;
}

/** Messages of a chat, oldest first. */
export interface ChatPage {
  readonly messages: readonly ShownMessage[];
  /** Whether there are older ones. */
  readonly hasMore: boolean;
}

/**
 * Resolves with the newest messages of `chat`, none if there is no such chat. The ids are those by which its
 * client knows the messages, so that a stream that it resumes replaces its message.
 * @throws AppError with a `store_…` code.
 */
export async function loadChat(
  { history, live }: { readonly history: History; readonly live: LiveTurns },
  chat: UiChat,
  { limit, before, fileQuery }: ChatPageFilter,
): Promise<ChatPage> {
  const page = await history.readChat(chat.caller, chat, { limit, before });
  const show = async (message: StoredMessage): Promise<ShownMessage> => {
    const turn = page.turns.get(message.id);
    const running = turn !== undefined && isOngoing(turn) ? await live.find(turn.id, chat.caller) : undefined;
    return (running && (await showTurn(running))) ?? showMessage(message, page, fileQuery);
  };
  const messages = await Promise.all(page.messages.map(show));
  const opened = page.open && (await live.find(page.open.turnId, chat.caller));
  const open = opened && (await showTurn(opened));
  if (open !== undefined && page.open?.replacesLast === true) messages.pop();
  if (open !== undefined) messages.push(open);
  const shown = withOwnIds(messages, page.messages).slice(-limit);
  return { messages: shown, hasMore: page.hasMore || shown.length < messages.length };
}

function isOngoing({ status }: ReplyTurn): boolean {
  return status === "running" || status === "waiting";
}

/** Resolves with the message of a turn so far; `undefined` if it never began. */
async function showTurn(turn: FollowedTurn): Promise<ShownMessage | undefined> {
  const { log } = turn;
  await log.until(() => log.start !== undefined || log.last !== undefined);
  if (log.start === undefined) return undefined;
  const events: TurnEvent[] = [log.start];
  const cursor = log.read();
  for (let event = cursor.next(); event !== undefined; event = cursor.next()) events.push(event);
  return toShownMessage(toUiMessageChunks(events, toEarlier(turn)));
}

function showMessage(message: StoredMessage, page: ChatMessages, fileQuery: string): ShownMessage {
  const { role, content, attachments, metadata } = message;
  const turn = page.turns.get(message.id);
  const ownId = metadata["client_id"];
  const id = typeof ownId === "string" && ownId !== "" ? ownId : (turn?.firstId ?? turn?.id ?? message.id);
  const files = attachments.map(({ id: fileId, mediaType, name }): ShownPart => {
    const url = toFilePath(fileId) + fileQuery;
    return { type: "file", mediaType, url, ...(name !== undefined && { filename: name }) };
  });
  if (role === "assistant") {
    const replied = turn && { metadata: toMetadata(message, turn, page.conversationId ?? null) };
    return { id, role, ...replied, parts: [...files, ...toReplyParts(message, turn)] };
  }
  const isShown = content !== "" || files.length === 0;
  return { id, role, parts: isShown ? [...files, { type: "text", text: content }] : files };
}

function toReplyParts(
  { content: text, metadata, tools, sources }: StoredMessage,
  turn: ReplyTurn | undefined,
): readonly ShownPart[] {
  const plan = typeof metadata["plan"] === "string" ? metadata["plan"] : undefined;
  const chunks = toReplyChunks({ text, plan, tools, sources }, toStoredCallChunks(turn?.calls ?? []));
  return toShownParts(chunks.length === 0 ? [{ type: "start-step" }] : chunks);
}

/** Returns the metadata of a stored reply, as the stream of its turn had it at its end. */
function toMetadata(
  { status }: StoredMessage,
  turn: ReplyTurn,
  conversationId: string | null,
): ShownMetadata {
  const { id: turnId, model = null, attempts, context, errorCode, calls } = turn;
  const hadApprovals = calls.some(({ type }) => type === "approval-request");
  return {
    turnId,
    conversationId,
    model,
    startedAt: turn.startedAt.toISOString(),
    outcome: status ?? null,
    finishReason: turn.finishReason ?? null,
    usage: turn.usage ?? null,
    ...(attempts !== undefined && { attempts }),
    ...(context !== undefined && { context }),
    timings: { durationMs: turn.durationMs ?? null, firstTextMs: turn.firstTextMs ?? null },
    storage: "stored",
    ...(hadApprovals && { approvals: [] }),
    ...(errorCode !== undefined && { errorCode }),
  };
}

/** Returns `messages` with different ids: a client may have used one twice. The newest one keeps it. */
function withOwnIds(
  messages: readonly ShownMessage[],
  stored: readonly StoredMessage[],
): readonly ShownMessage[] {
  const used = new Set<string>();
  return messages
    .map((message, index) => ({ message, rowId: stored[index]?.id }))
    .toReversed()
    .map(({ message, rowId }) => {
      const id = used.has(message.id) ? (rowId ?? message.id) : message.id;
      used.add(id);
      return { ...message, id };
    })
    .toReversed();
}
