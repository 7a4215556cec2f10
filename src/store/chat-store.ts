/** Owns how turns become rows. */
import { z } from "zod";
import { AppError } from "../errors.ts";
import { parse } from "../parse.ts";
import type { ChatStore, Clock, TurnBegin, TurnResult } from "../turn/ports.ts";
import { service, type Database, type Json } from "./database.ts";
import { MessageWriter } from "./message-writer.ts";

const EndAnswer = z.union([
  z.object({ gone: z.literal(true) }),
  z.object({ message_id: z.string().nullable() }),
]);

/** Stores turns through the functions that only the service may call. */
export class DatabaseChatStore implements ChatStore {
  readonly #database: Database;
  readonly #messages: MessageWriter;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#messages = new MessageWriter(database, clock);
  }

  async begin(turn: TurnBegin): Promise<{ readonly conversationId: string }> {
    const { turnId, model, startedAt } = turn;
    const row = { id: turnId, model, started_at: startedAt.toISOString() };
    return { conversationId: await this.#messages.save("chat_begin_turn", turn, service, { turn: row }) };
  }

  async end(turn: TurnBegin, result: TurnResult): Promise<void> {
    const { reply, usage } = result;
    const answer = await this.#database.call(
      "chat_end_turn",
      {
        turn: {
          id: turn.turnId,
          status: result.outcome,
          plan: result.plan,
          answer: result.answer,
          model: result.model,
          usage: usage && toUsageRow(usage),
          finish_reason: result.finishReason,
          error_code: result.errorCode,
          duration_ms: Math.round(result.durationMs),
          first_text_ms: result.firstTextMs === undefined ? undefined : Math.round(result.firstTextMs),
          ended_at: result.endedAt.toISOString(),
        },
        reply: reply && {
          id: reply.id,
          content: reply.content,
          metadata: toReplyMetadata(result),
          digest: reply.contentDigest,
        },
      },
      service,
    );
    if ("gone" in parse(EndAnswer, answer, "store_refused")) {
      throw new AppError(
        "store_refused",
        "the turn is not there: its conversation was deleted, or its begin was not taken",
      );
    }
  }
}

/**
 * Stores turns with their callers' own tokens, as far as row level security lets them: the messages, and no record of
 * the turn. All that the anonymous key of a project allows.
 */
export class UserChatStore implements ChatStore {
  readonly #messages: MessageWriter;

  constructor(database: Database, clock: Clock) {
    this.#messages = new MessageWriter(database, clock);
  }

  async begin(turn: TurnBegin): Promise<{ readonly conversationId: string }> {
    if (turn.caller.accessToken === undefined) {
      throw new AppError(
        "store_refused",
        "with SUPABASE_ANON_KEY a turn is stored with its user's access token; none came",
      );
    }
    return { conversationId: await this.#messages.save("chat_save_messages", turn, turn.caller, {}) };
  }

  async end(turn: TurnBegin, result: TurnResult): Promise<void> {
    const { reply, outcome } = result;
    if (reply === undefined) return;
    const { id, content, contentDigest } = reply;
    const row = {
      id,
      role: "assistant",
      content,
      metadata: toReplyMetadata(result),
      status: outcome,
      digests: [contentDigest],
    };
    await this.#messages.save("chat_save_messages", turn, turn.caller, {}, [row]);
  }
}

/** Keeps nothing. */
export const emptyStore: ChatStore = {
  begin: async ({ conversationId }) => ({ conversationId }),
  end: async () => {},
};

function toReplyMetadata(result: TurnResult): Json {
  return {
    plan: result.plan,
    model: result.model,
    finish_reason: result.finishReason,
    usage: result.usage && toUsageRow(result.usage),
    duration_ms: Math.round(result.durationMs),
  };
}

function toUsageRow(usage: NonNullable<TurnResult["usage"]>): Json {
  return {
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    reasoning_tokens: usage.reasoningTokens,
    cached_input_tokens: usage.cachedInputTokens,
  };
}
