/** A stored thread as a client loads it: its messages, and the run in progress. */
import { z } from "zod";
import type { Caller } from "../../base/caller.ts";
import { schemaOf } from "../../http/description/response-schema.ts";
import type { ChatMessages, History, StoredMessage } from "../../history/history.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { toBody } from "../../turn/body.ts";
import { findPendingApprovals } from "../../turn/items/items.ts";
import { toMessageStart, toToolParts } from "../../turn/items/tool-parts.ts";
import type { ChatPlace } from "../../turn/records.ts";
import { InterruptSchema, type AgUiInterrupt } from "./stream/event.ts";
import { countMessages, toMessageId } from "./reply-messages.ts";
import { toInterrupts } from "./stream/run-events.ts";
import { ThreadMessageSchema, toReplyMessages, toSentParts, type ThreadMessage } from "./thread-message.ts";

/** A thread. Contract: docs/protocol.md. */
export interface Thread {
  /** Oldest first. */
  readonly messages: readonly ThreadMessage[];
  /** The run in progress, to follow: `messages` lack its reply. */
  readonly activeRun: { readonly runId: string } | null;
  /** The requests for approval for which its newest run waits. */
  readonly interrupts: { readonly runId: string; readonly pending: readonly AgUiInterrupt[] } | null;
  /** Whether there are older messages, before `cursor`. */
  readonly page: { readonly truncated: false } | { readonly truncated: true; readonly cursor: string };
}

/** The schema of {@link Thread}. */
export const ThreadSchema = schemaOf<Thread>()("Thread", () =>
  z.object({
    messages: z.array(ThreadMessageSchema()).describe("Oldest first."),
    activeRun: z
      .object({ runId: z.string() })
      .nullable()
      .describe("The run in progress, to follow: `messages` lack its reply."),
    interrupts: z
      .object({ runId: z.string(), pending: z.array(InterruptSchema()) })
      .nullable()
      .describe("The requests for approval for which the newest run waits."),
    page: z
      .union([
        z.object({ truncated: z.literal(false) }),
        z.object({ truncated: z.literal(true), cursor: z.string() }),
      ])
      .describe("Whether there are older messages, before `cursor`."),
  }),
);

/** The messages of a thread to load. */
export interface ThreadFilter {
  readonly limit: number;
  readonly before: string | undefined;
  /** The query of links to files: empty, or one that names their user. */
  readonly fileQuery: string;
}

/**
 * Resolves with the newest messages of a caller's thread, none if there is no such thread.
 * @throws AppError with a `store_…` code.
 */
export async function loadThread(
  { history, live }: { readonly history: History | undefined; readonly live: LiveTurns },
  chat: ChatPlace,
  caller: Caller,
  filter: ThreadFilter,
): Promise<Thread> {
  if (history === undefined) return await loadUnstored(live, chat, caller);
  const { limit, before, fileQuery } = filter;
  const page = await history.readChat(caller, chat, { limit, before });
  const shown = page.open?.replacesLast === true ? page.messages.slice(0, -1) : page.messages;
  const messages = shown.flatMap((message) => toMessages(message, page, fileQuery));
  const oldest = page.messages[0];
  const isTruncated = page.hasMore && oldest !== undefined;
  const thread: Thread = {
    messages,
    activeRun: null,
    interrupts: null,
    page: isTruncated ? { truncated: true, cursor: oldest.id } : { truncated: false },
  };
  const openId = before === undefined ? findOpen(page) : undefined;
  const open = openId === undefined ? undefined : await live.find(openId, caller);
  return open === undefined ? thread : addOpen(thread, open);
}

/** Resolves with the run in progress of a thread that is not stored. */
async function loadUnstored(live: LiveTurns, chat: ChatPlace, caller: Caller): Promise<Thread> {
  const thread = { messages: [], activeRun: null, interrupts: null, page: { truncated: false } } as const;
  const newest = await live.findNewest(chat, caller);
  const open = newest && (await live.find(newest.turnId, caller));
  return open === undefined || open.log.last !== undefined ? thread : addOpen(thread, open);
}

/** Returns the turn that goes on after the messages of a page, if any. */
function findOpen({ open, messages, turns }: ChatMessages): string | undefined {
  if (open !== undefined) return open.turnId;
  const last = turns.get(messages.at(-1)?.id ?? "");
  return last?.status === "running" || last?.status === "waiting" ? last.id : undefined;
}

function addOpen(thread: Thread, turn: FollowedTurn): Thread {
  const { id, log, extendsReply } = turn;
  const earlier = countMessages(extendsReply);
  if (log.last === undefined) return addRunning(thread, turn);
  const body = toBody(log.textAfter(0));
  const items = log.itemsAfter();
  const text = body.answer ?? "";
  const isWaiting = log.last.type === "turn-waiting";
  const tools = toToolParts(items, text, toMessageStart(body), !isWaiting);
  const open = isWaiting ? findPendingApprovals(items) : [];
  const approvals = new Map(open.map(({ callId, approvalId }) => [callId, approvalId]));
  const createdAt = (log.start?.startedAt ?? new Date(0)).toISOString();
  const reply = toReplyMessages({ id, earlier, text, plan: body.plan, tools, approvals, createdAt });
  const calls = new Map(tools.map((call) => [call.callId, call]));
  const pending = toInterrupts(open, calls);
  const interrupts = pending.length === 0 ? null : { runId: id, pending };
  return { ...thread, messages: [...thread.messages, ...reply], interrupts };
}

/** TanStack AI takes the last message for an unfinished one of the run, if it is the assistant's. */
function addRunning(thread: Thread, { id, log, extendsReply }: FollowedTurn): Thread {
  const activeRun = { runId: id };
  if (thread.messages.at(-1)?.role !== "assistant") return { ...thread, activeRun };
  const createdAt = (log.start?.startedAt ?? new Date(0)).toISOString();
  const messageId = toMessageId(id, countMessages(extendsReply) + 1);
  const unfinished: ThreadMessage = { id: messageId, role: "assistant", parts: [], createdAt };
  return { ...thread, messages: [...thread.messages, unfinished], activeRun };
}

function toMessages(
  { id, role, content, metadata, attachments, tools = [], createdAt }: StoredMessage,
  page: ChatMessages,
  fileQuery: string,
): readonly ThreadMessage[] {
  const clientId = metadata["client_id"];
  const ownId = typeof clientId === "string" && clientId !== "" ? clientId : id;
  if (role !== "assistant")
    return [{ id: ownId, role, parts: toSentParts(content, attachments, fileQuery), createdAt }];
  const plan = typeof metadata["plan"] === "string" ? metadata["plan"] : undefined;
  const isOurs = page.turns.has(id);
  return toReplyMessages({ id: isOurs ? id : ownId, text: content, plan, tools, createdAt });
}
