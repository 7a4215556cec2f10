/** Reads the rows of turns, and updates those of running and abandoned ones. */
import { z } from "zod";
import { parse } from "../../base/parse.ts";
import { toText } from "../../turn/body.ts";
import type { Caller } from "../../base/caller.ts";
import type {
  AbandonedFilter,
  AbandonedTurn,
  ChatPlace,
  NewestTurn,
  PathStart,
  Piece,
  StoredPath,
  StoredTurn,
} from "../../turn/records.ts";
import { claimReasons } from "../../turn/records.ts";
import { finishReasons, turnStatuses, type Place, type Usage } from "../../turn/turn-event.ts";
import { cutOverlaps } from "../../turn/items/items.ts";
import { StoredRequest } from "../../turn/items/stored-request.ts";
import { AttemptRows, toErrorCode } from "./attempt-rows.ts";
import { ContextRow } from "./context-row.ts";
import { ItemRows, mergeItems, toItemRows } from "./item-rows.ts";
import { PathMessages, toPathMessages } from "./save-result.ts";
import { toTurnRunning } from "../../base/turn-running.ts";
import type { JsonObject } from "../../base/json.ts";
import { ExtendedRow, toExtendedReply } from "./extended-row.ts";
import { service, type Database } from "../database/database.ts";

/** How many abandoned turns are listed at a time: each may carry a whole reply, of 2 MiB. */
const maxAbandoned = 8;

/** Pieces of a body, sorted by their positions. */
export const Pieces = z.array(z.object({ position: z.number(), text: z.string() }));

/** The usage of a turn; `null` if none was counted. */
export const UsageRow = z
  .object({
    input_tokens: z.number(),
    output_tokens: z.number(),
    reasoning_tokens: z.number().nullish(),
    cached_input_tokens: z.number().nullish(),
    tool_calls: z.number().nullish(),
    tool_cost: z.number().nullish(),
  })
  .transform((row): Usage => ({
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    ...(typeof row.reasoning_tokens === "number" && { reasoningTokens: row.reasoning_tokens }),
    ...(typeof row.cached_input_tokens === "number" && { cachedInputTokens: row.cached_input_tokens }),
    ...(typeof row.tool_calls === "number" && { toolCalls: row.tool_calls }),
    ...(typeof row.tool_cost === "number" && { toolCost: row.tool_cost }),
  }))
  .nullable()
  .catch(null);

const ReadResult = z.union([
  z.object({ missing: z.literal(true) }),
  z.object({
    conversation_id: z.string(),
    status: z.enum(turnStatuses),
    plan: z.string().nullable(),
    answer: z.string().nullable(),
    usage: UsageRow,
    finish_reason: z.enum(finishReasons).nullable().catch(null),
    error_code: z.string().nullable(),
    model: z.string().nullable(),
    attempts: AttemptRows,
    context: ContextRow,
    request: StoredRequest,
    started_at: z.coerce.date(),
    duration_ms: z.number().nullable(),
    first_text_ms: z.number().nullable(),
    pieces: Pieces,
    events: ItemRows,
    extends: ExtendedRow.nullish().catch(null),
  }),
]);
const NewestResult = z.object({
  turn_id: z.string().nullable(),
  started_at: z.coerce.date(),
  is_running: z.boolean().nullable(),
});
const PathResult = z.union([
  z.object({ missing: z.literal(true) }),
  z.object({ running: z.string() }),
  z.object({
    conversation_id: z.string(),
    digest: z.string().nullable(),
    parent_digest: z.string().nullable(),
    messages: PathMessages,
  }),
]);
const ProgressResult = z.object({ known: z.array(z.string()), stop: z.array(z.string()) });
const AbandonedResult = z.array(
  z.object({
    turn_id: z.string(),
    pieces: Pieces,
    events: ItemRows,
    reason: z.enum(claimReasons).nullish(),
  }),
);

/** The body and the items of a turn. */
type SavedTurn = Pick<StoredTurn, "text" | "items">;

/** The rows of turns. Rejects as {@link Database.call} does. */
export class TurnReads {
  readonly #database: Database;
  readonly #readsSummaries: boolean;

  /** @param readsSummaries whether paths are read with their summaries. */
  constructor(database: Database, readsSummaries = false) {
    this.#database = database;
    this.#readsSummaries = readsSummaries;
  }

  /** Stores pieces of the owners' turns; resolves with the running turns that exist, and those to stop. */
  async saveProgress(
    owners: readonly string[],
    running: readonly string[],
    pieces: readonly Piece[],
  ): Promise<{ readonly known: ReadonlySet<string>; readonly stop: readonly string[] }> {
    const result = await this.#call("chat_save_progress", {
      owners,
      running,
      pieces: pieces.map(toPieceRow),
    });
    const { known, stop } = parse(ProgressResult, result, "store_refused");
    return { known: new Set(known), stop };
  }

  /** Resolves with the caller's turn; `undefined` if there is no such turn. */
  async read(
    turnId: string,
    caller: Caller,
    after: number,
    afterItem?: Place,
  ): Promise<StoredTurn | undefined> {
    const argument = {
      turn_id: turnId,
      after,
      after_item: afterItem && { position: afterItem.position, ordinal: afterItem.ordinal },
    };
    return await this.#read(argument, caller, after, afterItem);
  }

  /**
   * Resolves with the text and the items of a turn that recovery has ended, extended by `pieces`; `undefined`
   * if there is no such turn, or they add nothing.
   */
  async extendInterrupted(turnId: string, pieces: readonly Piece[]): Promise<SavedTurn | undefined> {
    const turn = await this.#read({ turn_id: turnId, after: 0, for_service: true }, service, 0);
    if (turn?.status !== "interrupted") return undefined;
    const text = joinPieces([
      { position: 0, text: turn.text },
      ...pieces.filter((piece) => piece.text !== ""),
    ]);
    const added = pieces.flatMap(({ items = [] }) => items).filter(({ type }) => type !== "reasoning-delta");
    const items = mergeItems(turn.items, added);
    return text.length > turn.text.length || items.length > turn.items.length ? { text, items } : undefined;
  }

  async #read(
    argument: JsonObject,
    caller: Caller,
    after: number,
    afterItem?: Place,
  ): Promise<StoredTurn | undefined> {
    const result = await this.#database.call("chat_read_turn", argument, caller);
    const row = parse(ReadResult, result, "store_refused");
    if ("missing" in row) return undefined;
    const isRunning = row.status === "running" || row.status === "waiting";
    const body = toText({ plan: row.plan ?? "", answer: row.answer ?? undefined });
    return {
      conversationId: row.conversation_id,
      status: row.status,
      text: isRunning ? joinPieces(row.pieces) : body,
      position: isRunning ? (row.pieces[0]?.position ?? after) : 0,
      items: cutOverlaps(row.events, afterItem),
      extendsReply: toExtendedReply(
        row.extends ?? undefined,
        isRunning ? "" : (row.answer ?? ""),
        row.events,
      ),
      finishReason: row.finish_reason ?? undefined,
      usage: row.usage ?? undefined,
      errorCode: row.error_code === null ? undefined : toErrorCode(row.error_code),
      model: row.model ?? undefined,
      attempts: row.attempts ?? undefined,
      context: row.context ?? undefined,
      request: row.request,
      startedAt: row.started_at,
      durationMs: row.duration_ms ?? undefined,
      firstTextMs: row.first_text_ms ?? undefined,
    };
  }

  /** Resolves with the caller's newest turn in a conversation. */
  async findNewest({ conversationId, chatId }: ChatPlace, caller: Caller): Promise<NewestTurn | undefined> {
    const argument = { conversation_id: conversationId, chat_id: chatId };
    const result = await this.#database.call("chat_find_newest_turn", argument, caller);
    const {
      turn_id: turnId,
      started_at: startedAt,
      is_running: isRunning,
    } = parse(NewestResult, result, "store_refused");
    return turnId === null ? undefined : { turnId, startedAt, isRunning: isRunning === true };
  }

  /** Resolves with the end of the caller's path: at most `maxChars` characters, or one message. */
  async readPath(from: PathStart, caller: Caller, maxChars: number): Promise<StoredPath | undefined> {
    const { conversationId, chatId, parentId } = from;
    const argument = {
      conversation_id: conversationId,
      chat_id: chatId,
      parent_id: parentId === "leaf" ? undefined : parentId,
      max_chars: maxChars,
      ...(this.#readsSummaries && { with_summaries: true }),
    };
    const result = await this.#database.call("chat_read_path", argument, caller);
    const path = parse(PathResult, result, "store_refused");
    if ("missing" in path) return undefined;
    if ("running" in path) throw toTurnRunning(path.running);
    const { conversation_id: id, digest, parent_digest: parentDigest, messages } = path;
    return {
      conversationId: id,
      digest: digest ?? undefined,
      parentDigest: parentDigest ?? undefined,
      messages: toPathMessages(messages, maxChars),
    };
  }

  /** Resolves with whether the caller's turn exists; it is now asked to stop. */
  async requestStop(turnId: string, caller: Caller): Promise<boolean> {
    const argument = { turn_id: turnId, user_id: caller.userId };
    const result = await this.#call("chat_request_stop", argument);
    return parse(z.object({ found: z.boolean() }), result, "store_refused").found;
  }

  /** Asks the caller's running turns in a conversation to stop; resolves with their ids, newest first. */
  async requestStops({ conversationId, chatId }: ChatPlace, caller: Caller): Promise<readonly string[]> {
    const argument = { conversation_id: conversationId, chat_id: chatId, user_id: caller.userId };
    const result = await this.#call("chat_request_stop", argument);
    // A chat without a conversation has none.
    return parse(z.object({ turns: z.array(z.string()).default([]) }), result, "store_refused").turns;
  }

  /** Resolves with some abandoned turns; those of `owners` without delay. */
  async listAbandoned(filter: AbandonedFilter, owners: readonly string[]): Promise<readonly AbandonedTurn[]> {
    const { except, isStaleToo } = filter;
    const argument = {
      except,
      owners,
      is_stale_too: isStaleToo,
      limit: maxAbandoned,
    };
    const result = await this.#call("chat_list_abandoned_turns", argument);
    return parse(AbandonedResult, result, "store_refused").map((row) => ({
      turnId: row.turn_id,
      text: row.pieces[0]?.position === 0 ? joinPieces(row.pieces) : "",
      items: cutOverlaps(row.events),
      reason: row.reason ?? undefined,
    }));
  }

  #call(name: Parameters<Database["call"]>[0], argument: JsonObject): Promise<unknown> {
    return this.#database.call(name, argument, service);
  }
}

function toPieceRow({ turnId, position, text, items }: Piece): JsonObject {
  return { turn_id: turnId, position, text, items: toItemRows(items) };
}

/** Returns the text of sorted pieces up to the first gap; overlaps count once. */
export function joinPieces(pieces: readonly z.infer<typeof Pieces>[number][]): string {
  let text = "";
  let end = pieces[0]?.position ?? 0;
  for (const piece of pieces) {
    if (piece.position > end) break;
    const bytes = Buffer.from(piece.text).subarray(end - piece.position);
    text += bytes.toString();
    end += bytes.length;
  }
  return text;
}
