/** Writes turns as rows, through the functions that only the server may call. */
import { z } from "zod";
import { toDecimal } from "../../base/money.ts";
import { parse } from "../../base/parse.ts";
import type { Clock } from "../../base/clock.ts";
import type { PausedTurn, TurnBegin, TurnResult } from "../../turn/ports.ts";
import type { Usage } from "../../turn/turn-event.ts";
import { toText } from "../../turn/body.ts";
import { toContent } from "../../turn/turn-result.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { service, type Database, type LazyJson } from "../database/database.ts";
import type { AttachmentWrites } from "../attachments/attachment-writes.ts";
import { toAttemptRows } from "./attempt-rows.ts";
import { toContextRow } from "./context-row.ts";
import { toItemRows, replaceUnstorable } from "./item-rows.ts";
import { toSourcesMetadata, toToolsMetadata } from "./tool-rows.ts";
import { toWrittenWords } from "../words/written-words.ts";
import { MessageWriter, type PathReading, type SavedPath } from "./message-writer.ts";
import { toRefusal, type Refusal, type SaveResult } from "./save-result.ts";

const EndResult = z.union([
  z.object({ conversation_id: z.string(), is_changed: z.boolean() }),
  z.object({ gone: z.literal(true) }),
]);
const PauseRow = z.union([EndResult, z.object({ stop: z.literal(true) })]);

/** The result of ending a turn: its end is stored, now or already before; or the turn does not exist. */
export type EndedRow =
  | { readonly type: "ended"; readonly conversationId: string; readonly isChanged: boolean }
  | { readonly type: "gone" };

/** The result of pausing a turn, as of ending it; or the turn was asked to stop, and runs on. */
export type PausedRow = EndedRow | { readonly type: "stop" };

/**
 * Writes turns. Rejects with a `store_…` or `write_rejected` code; as far as is known, nothing was written
 * then.
 */
export class TurnWrites {
  readonly #database: Database;
  readonly #messages: MessageWriter;
  readonly #owner: string | undefined;
  readonly #attachments: AttachmentWrites | undefined;

  /**
   * @param owner the id of this process, recorded in its turns.
   * @param reading how the stored paths of continuing turns are read.
   */
  constructor(
    database: Database,
    clock: Clock,
    owner?: string,
    reading?: PathReading,
    attachments?: AttachmentWrites,
  ) {
    this.#database = database;
    this.#messages = new MessageWriter(database, clock, reading);
    this.#owner = owner;
    this.#attachments = attachments;
  }

  /**
   * Stores the new messages, and the turn as running.
   * @param isLate whether the begin comes from a journal, so that its messages are not the newest; `owners`
   * are then the processes whose journal that may have been.
   */
  async begin(turn: TurnBegin, isLate = false, owners?: readonly string[]): Promise<SaveResult> {
    const saved = await this.#messages.save("chat_begin_turn", turn, service, {
      turn: this.#toRow(turn),
      allowance: toAllowanceRow(turn),
      if_running: turn.ifRunning,
      late: isLate,
      owners,
      words: toWrittenWords(turn, turn.path.at(-1)?.content, turn.title),
      ...this.#attachments?.toArgument(turn),
    });
    if (saved.type === "saved" && saved.attachments !== undefined)
      this.#attachments?.remember(saved.attachments.stored);
    return saved;
  }

  /**
   * Adds messages below the leaf of a conversation of the caller, which must exist; those that the end of the
   * shown path already is are not added again.
   */
  async addMessages(path: SavedPath): Promise<SaveResult> {
    await this.#attachments?.storeFirst(path);
    const argument = { ...this.#attachments?.toArgument(path) };
    return await this.#messages.save("chat_add_messages", { ...path, isSentWhole: true }, service, argument);
  }

  /** Stores the attachments of `turn` that its begin has found missing. */
  async storeAttachments(turn: TurnBegin, missing: readonly string[]): Promise<void> {
    await this.#attachments?.store(turn, missing);
  }

  /** Whether the bytes of an attachment are known to be stored. */
  hasAttachment(id: string): boolean {
    return this.#attachments?.isKnown(id) === true;
  }

  /** Resolves with why `turn` could not begin: its key, id, conversation or limits. Writes nothing. */
  async findRefusal(turn: TurnBegin): Promise<Refusal | undefined> {
    const { conversationId: id, isConversationNamed, mustOwn, caller } = turn;
    const conversation = {
      id,
      is_named: isConversationNamed,
      must_own: mustOwn,
      user_id: caller.userId,
      chat_id: turn.chatId,
    };
    const allowance = toAllowanceRow(turn);
    const argument = {
      turn: this.#toRow(turn),
      conversation,
      allowance,
      if_running: turn.ifRunning,
      check_only: true,
    };
    return toRefusal(await this.#database.call("chat_begin_turn", argument, service));
  }

  #toRow(turn: TurnBegin): Json {
    return {
      id: turn.turnId,
      model: turn.model,
      started_at: turn.startedAt.toISOString(),
      owner: this.#owner,
      idempotency_key: turn.idempotencyKey,
      request_digest: turn.requestDigest,
      estimate: {
        ...toUsageRow(turn.estimate),
        ...(turn.price !== undefined && { input_price: turn.price.input, output_price: turn.price.output }),
      },
      key_name: turn.allowance?.key?.name,
      request: turn.request,
    };
  }

  /** Stores the reply and the end of a turn, from {@link toEndArgument} now or earlier. */
  async end(argument: JsonObject): Promise<EndedRow> {
    const result = await this.#database.call("chat_end_turn", argument, service);
    return toEndedRow(parse(EndResult, result, "store_refused"));
  }

  /** Lets a turn wait, from {@link toPauseArgument}. A journal replays that by {@link end}. */
  async pause(argument: JsonObject): Promise<PausedRow> {
    const row = parse(
      PauseRow,
      await this.#database.call("chat_pause_turn", argument, service),
      "store_refused",
    );
    return "stop" in row ? { type: "stop" } : toEndedRow(row);
  }
}

function toEndedRow(row: z.output<typeof EndResult>): EndedRow {
  if ("gone" in row) return { type: "gone" };
  return { type: "ended", conversationId: row.conversation_id, isChanged: row.is_changed };
}

/**
 * Returns the argument of `chat_end_turn`. The turn's texts are read when it becomes JSON.
 * @param owners the ids of the process that ran the turn; if they are known, the end leaves alone a turn that
 * another process has claimed.
 * @param turn the turn, if the words of its reply are to be stored with it.
 */
export function toEndArgument(
  turnId: string,
  result: TurnResult,
  owners?: readonly string[],
  turn?: TurnBegin,
): LazyJson {
  return {
    owners,
    get words() {
      return turn && toReplyWords(turn, result);
    },
    get turn() {
      return toTurnEnd(turnId, result);
    },
    get reply() {
      return toReplyRow(result);
    },
    get items() {
      return toItemRows(result.items);
    },
  };
}

/**
 * Returns the argument of `chat_pause_turn`, and of `chat_end_turn` for a journal. `owners` are the ids of
 * this process.
 */
export function toPauseArgument(
  turnId: string,
  paused: PausedTurn,
  owners: readonly string[] | undefined,
  now: Date,
): LazyJson {
  const { state, expiresAt, usage } = paused;
  return {
    turn: { id: turnId, usage: usage && toUsageRow(usage), ended_at: now.toISOString() },
    owners,
    get text() {
      return toText(paused.toBody());
    },
    get items() {
      return toItemRows(paused.items);
    },
    pause: { state: replaceUnstorable(state), expires_at: expiresAt.toISOString() },
  };
}

function toTurnEnd(turnId: string, result: TurnResult): Json {
  const { reply, usage } = result;
  const { plan, answer } = result.toBody();
  return {
    id: turnId,
    status: result.outcome,
    plan: reply === undefined ? undefined : plan,
    answer,
    model: result.model,
    attempts: toAttemptRows(result.attempts),
    context: toContextRow(result.context),
    usage: usage && toUsageRow(usage),
    estimate: usage === undefined && result.estimate ? toUsageRow(result.estimate) : undefined,
    cost: result.cost === undefined ? undefined : toDecimal(result.cost),
    finish_reason: result.finishReason,
    error_code: result.errorCode,
    duration_ms: round(result.durationMs),
    first_text_ms: round(result.firstTextMs),
    ended_at: result.endedAt.toISOString(),
  };
}

function toReplyRow(result: TurnResult): Json {
  const { reply } = result;
  if (reply === undefined) return undefined;
  const { answer } = result.toBody();
  const content = toReplyContent(result);
  return {
    id: reply.id,
    content: content === answer ? undefined : content, // it is the turn's answer
    metadata: toReplyMetadata(result),
    digest: reply.contentDigest,
    is_part: reply.isPart,
  };
}

function toReplyWords(turn: TurnBegin, result: TurnResult): JsonObject | undefined {
  const { reply } = result;
  // The database adds a part to the reply that it goes on with.
  if (reply === undefined || reply.isPart === true) return undefined;
  return toWrittenWords(turn, toReplyContent(result));
}

/** Returns the content of a reply's message: the answer, below the text of the reply that it goes on with. */
export function toReplyContent({ reply, toBody }: TurnResult): string {
  return reply?.withTools?.text ?? toContent(toBody().answer);
}

/** Returns the metadata of a reply. */
export function toReplyMetadata({ reply, toBody, model, finishReason, usage, ...times }: TurnResult): Json {
  return {
    plan: reply?.hasPlan === true ? toBody().plan : undefined,
    model,
    finish_reason: finishReason,
    usage: usage && toUsageRow(usage),
    duration_ms: round(times.durationMs),
    first_text_ms: round(times.firstTextMs),
    ...(reply && toSourcesMetadata(reply)),
    ...(reply?.withTools !== undefined && toToolsMetadata(reply.withTools.tools)),
  };
}

function toAllowanceRow({ allowance }: TurnBegin): Json {
  return (
    allowance && {
      subject: allowance.subject,
      over: allowance.over,
      concurrent_turns: allowance.concurrentTurns,
      tokens_per_day: allowance.tokensPerDay,
      cost_per_day: allowance.costPerDay === undefined ? undefined : toDecimal(allowance.costPerDay),
      key_cost_per_day:
        allowance.key?.costPerDay === undefined ? undefined : toDecimal(allowance.key.costPerDay),
    }
  );
}

function toUsageRow(usage: Partial<Usage>): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    reasoning_tokens: usage.reasoningTokens,
    cached_input_tokens: usage.cachedInputTokens,
    tool_calls: usage.toolCalls,
    tool_cost: usage.toolCost,
  };
}

function round(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds);
}
