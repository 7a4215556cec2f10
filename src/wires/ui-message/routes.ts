/** The routes of the AI SDK's `useChat`: load a chat; start, resume and stop turns. */
import { z } from "zod";
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { errorTable } from "../../base/error-table.ts";
import { AppError } from "../../base/errors.ts";
import type { History } from "../../history/history.ts";
import { ChatId, toChatPlace } from "../../http/chat-place.ts";
import type { ErrorFormat } from "../../http/error-format.ts";
import { followTurn } from "../../http/turns/follow-turn.ts";
import { startTurn, type TurnStarter } from "../../http/turns/start-turn.ts";
import type { ModelChoice } from "../../http/model-choice.ts";
import { UserQuery } from "../../http/request-fields.ts";
import { chatErrors, defineRoute, defineRoutes, storeErrors, turnErrors } from "../../http/route.ts";
import { stopChat } from "../../http/turns/stop-turn.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import { stopWaitingTurn } from "../../http/turns/waiting-turn.ts";
import { answerNewestTurn } from "./approvals.ts";
import type { LastTurns, UiChat } from "./last-turns.ts";
import type { SentReply } from "./message.ts";
import { toUiChatTurn, UiChatBody, UiChatQuery, UiTurnHeaders } from "./request.ts";
import { loadChat } from "./stored-chat.ts";
import type { ContinuedMessage } from "./stream.ts";

/** The services of these routes. */
export interface UiChatServices extends TurnStarter {
  readonly clock: Clock;
  readonly choice: ModelChoice;
  readonly chats: LastTurns;
  /** `undefined` if nothing is stored. */
  readonly history: History | undefined;
}

const ChatParams = z.object({ id: ChatId.describe("The chat's id, as its client chose it.") });

/** Errors as plain sentences: the AI SDK shows its user the body of an error as it is. */
const sentences: ErrorFormat = {
  write: (error) => ({ headers: { "content-type": "text/plain; charset=utf-8" }, body: error.detail }),
};

const startUiChatTurn = defineRoute({
  method: "POST",
  path: "/api/chat",
  query: UserQuery,
  headers: UiTurnHeaders,
  body: UiChatBody,
  startsTurn: true,
  errors: chatErrors,
  continuesChats: true,
  handle: async ({ body, query, headers, identity, request, reply }, services: UiChatServices) => {
    const { turn: requested, reply: sent, leavesPending } = toUiChatTurn(body, query, headers, identity);
    const { conversationId, chatId, caller } = requested;
    const chat = { conversationId, chatId, caller };
    const { live, chats } = services;
    if (sent !== undefined && sent.answers.length > 0) {
      const { turn, continued } = await answerNewestTurn(live, chat, sent);
      return await followTurn(turn, reply, chats.follow(chat, turn, request, continued));
    }
    const model = services.choice.readField(body.model, { identity, caller });
    // The user has gone on without an answer.
    const leavesWaiting = leavesPending || (requested.continues?.isAgain === true && live.hasTools);
    if (leavesWaiting && requested.ifRunning === undefined) await stopWaitingTurn(live, chat, caller);
    const turn = await startTurn(services, { ...requested, model, wire: "ui-message" }, request, reply);
    return await followTurn(turn, reply, chats.follow(chat, turn, request, toContinued(sent, turn)));
  },
});

const readUiChat = defineRoute({
  method: "GET",
  path: "/api/chat/:id",
  params: ChatParams,
  query: UiChatQuery,
  errors: ["history_off", ...storeErrors],
  handle: async ({ params: { id }, query, caller, reply }, { live, history }: UiChatServices) => {
    if (history === undefined) throw new AppError("history_off", "no chat is stored");
    const { limit, before, userId } = query;
    const fileQuery = userId ? `?userId=${userId}` : "";
    const chat = toChat(id, caller);
    const { messages, hasMore } = await loadChat({ history, live }, chat, { limit, before, fileQuery });
    const oldest = messages[0];
    if (hasMore && oldest !== undefined)
      void reply.header("link", `<${toOlderPath(id, query, oldest.id)}>; rel="next"`);
    return reply.send(messages);
  },
});

const resumeUiChat = defineRoute({
  method: "GET",
  path: "/api/chat/:id/stream",
  params: ChatParams,
  query: UserQuery,
  hasHead: false, // a HEAD would follow the turn, and count as having read it
  errors: ["server_stopping", ...turnErrors, ...storeErrors],
  handle: async ({ params, caller, request, reply }, { chats }: UiChatServices) => {
    const chat = toChat(params.id, caller);
    try {
      const turn = await chats.findResumable(chat);
      if (turn !== undefined) return await followTurn(turn, reply, chats.follow(chat, turn, request));
    } catch (error) {
      // The client shows a 404 to its user as the chat's failure.
      if (!(error instanceof AppError) || errorTable[error.code].status !== 404) throw error;
    }
    return reply.code(204).send();
  },
});

const stopUiChat = defineRoute({
  method: "POST",
  path: "/api/chat/:id/stop",
  params: ChatParams,
  query: UserQuery,
  body: "ignored",
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ params, caller, reply }, services: UiChatServices) =>
    await stopChat(services, toChat(params.id, caller), caller, reply),
});

/**
 * `/api/chat`. Contract: docs/protocol.md. A turn that no client has read to its end can be resumed for ten
 * minutes after it: a client that lost its connection while the turn continued still gets the reply.
 */
export const uiChatRoutes = defineRoutes({
  tag: "AI SDK",
  errors: { prefix: "/api/chat", format: sentences },
  routes: { startUiChatTurn, readUiChat, resumeUiChat, stopUiChat },
  describe: async () => (await import("./operations.ts")).uiChatDescription,
});

/** Returns how the client's message goes on with `turn`; `undefined` for a message of its own. */
function toContinued(reply: SentReply | undefined, turn: FollowedTurn): ContinuedMessage | undefined {
  return reply && { messageId: reply.messageId ?? turn.id, reasonings: reply.reasonings };
}

/** Returns the path of the page before the message `oldestId`. */
function toOlderPath(
  chatId: string,
  { limit, userId }: { readonly limit: number; readonly userId?: string | null | undefined },
  oldestId: string,
): string {
  const query = new URLSearchParams({ limit: String(limit), before: oldestId, ...(userId && { userId }) });
  return `/api/chat/${encodeURIComponent(chatId)}?${query.toString()}`;
}

function toChat(chatId: string, caller: Caller): UiChat {
  return { ...toChatPlace(chatId, caller.userId), caller };
}
