/** Reads an AI SDK chat: a page of its messages, and the turns of its replies. */
import { z } from "zod";
import type { Caller } from "../base/caller.ts";
import { AppError } from "../base/errors.ts";
import { optional, parse } from "../base/parse.ts";
import { schemaVersion, type Database } from "../store/database/database.ts";
import { AttemptRows, toErrorCode } from "../store/turns/attempt-rows.ts";
import { ContextRow } from "../store/turns/context-row.ts";
import { UsageRow } from "../store/turns/turn-reads.ts";
import type { ChatPlace } from "../turn/records.ts";
import { approvalDecisions, finishReasons, turnStatuses } from "../turn/turn-event.ts";
import type { CallNote, ChatFilter, ChatMessages, ReplyTurn } from "./history.ts";
import { maxPageBytes } from "./message-rows.ts";
import { MessageRow } from "./row-schemas.ts";

/** The first schema version that has the function. */
const chatsVersion = 10;

const call = { callId: z.string() };
const approval = { ...call, approvalId: z.string() };
const Note = z.discriminatedUnion("type", [
  z.object({ type: z.literal("tool-call"), ...call, title: z.string() }),
  z.object({ type: z.literal("approval-request"), ...approval, expiresAt: z.string() }),
  z.object({
    type: z.literal("approval-response"),
    ...approval,
    decision: z.enum(approvalDecisions),
    reason: optional(z.string()),
  }),
]);

const NoteRow = z.object({ type: z.string(), data: z.record(z.string(), z.unknown()) });

/** Those notes that this version knows: a newer server may have stored others. */
const NoteRows = z
  .array(NoteRow)
  .transform((rows): readonly CallNote[] =>
    rows.flatMap(({ type, data }) => Note.safeParse({ ...data, type }).data ?? []),
  );

const TurnRow = z
  .object({
    message_id: z.string(),
    id: z.string(),
    first_id: z.string().nullable(),
    status: z.enum(turnStatuses),
    model: z.string().nullable(),
    attempts: AttemptRows,
    context: ContextRow,
    finish_reason: z.enum(finishReasons).nullable().catch(null),
    usage: UsageRow,
    error_code: z.string().nullable(),
    started_at: z.coerce.date(),
    duration_ms: z.number().nullable(),
    first_text_ms: z.number().nullable(),
    calls: NoteRows,
  })
  .transform((row): readonly [string, ReplyTurn] => [
    row.message_id,
    {
      id: row.id,
      firstId: row.first_id ?? undefined,
      status: row.status,
      model: row.model ?? undefined,
      attempts: row.attempts ?? undefined,
      context: row.context ?? undefined,
      finishReason: row.finish_reason ?? undefined,
      usage: row.usage ?? undefined,
      errorCode: row.error_code === null ? undefined : toErrorCode(row.error_code),
      startedAt: row.started_at,
      durationMs: row.duration_ms ?? undefined,
      firstTextMs: row.first_text_ms ?? undefined,
      calls: row.calls,
    },
  ]);

const ChatResult = z.object({
  conversation_id: z.string().nullable(),
  messages: z.array(MessageRow),
  more: z.boolean(),
  turns: z.array(TurnRow),
  open: z.object({ turn_id: z.string(), replaces_last: z.boolean() }).nullable(),
});

/**
 * Resolves with the newest messages of the caller's chat that match the filter. Rejects as {@link
 * Database.call} does, and with `store_schema_mismatch` if the schema is too old.
 */
export async function readChat(
  database: Database,
  caller: Caller,
  { conversationId, chatId }: ChatPlace,
  { limit, before }: ChatFilter,
): Promise<ChatMessages> {
  if ((database.schemaVersion ?? schemaVersion) < chatsVersion)
    throw new AppError("store_schema_mismatch", `chats are read from schema version ${chatsVersion} on`);
  const argument = {
    conversation_id: conversationId,
    chat_id: chatId,
    limit,
    before,
    max_bytes: maxPageBytes,
  };
  const result = await database.call("chat_read_chat", argument, caller);
  const { conversation_id: id, messages, more, turns, open } = parse(ChatResult, result, "store_refused");
  return {
    conversationId: id ?? undefined,
    messages,
    hasMore: more,
    turns: new Map(turns),
    open: open === null ? undefined : { turnId: open.turn_id, replacesLast: open.replaces_last },
  };
}
