/**
 * The reduced mode: turns stored with their callers' own tokens, which is all that a project's anonymous key
 * allows.
 */
import { AppError, toAppError, type ErrorCode } from "../../base/errors.ts";
import { createId } from "../../base/create-id.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import type {
  BeginResult,
  PauseResult,
  TurnStore,
  EndResult,
  TurnBegin,
  TurnResult,
} from "../../turn/ports.ts";
import type { Observer } from "../../turn/observer.ts";
import type { Storage } from "../../turn/turn-event.ts";
import { toKnownConversation } from "../../turn/turn-request.ts";
import { toReplyContent, toReplyMetadata } from "./turn-writes.ts";
import type { Json } from "../../base/json.ts";
import { storeWaitMs, type Database } from "../database/database.ts";
import { MessageWriter } from "./message-writer.ts";
import { isRefusedByRowLevelSecurity } from "../database/sql-failure.ts";

/**
 * Stores messages as far as row level security lets their user, but no record of the turn. There is no
 * journal: a token must not outlive its request. A write that takes over 500 ms may still succeed; the log
 * names those that fail.
 */
export class UserTokenStore implements TurnStore {
  readonly #messages: MessageWriter;
  readonly #clock: Clock;
  readonly #observe: Observer;
  /** Running turns whose messages were refused, with the code; already logged. */
  readonly #lost = new Map<string, ErrorCode>();

  constructor(database: Database, clock: Clock, observe: Observer) {
    this.#messages = new MessageWriter(database, clock);
    this.#clock = clock;
    this.#observe = observe;
  }

  async begin(turn: TurnBegin): Promise<BeginResult> {
    if (turn.isKept === false) return { type: "begun", storage: "none", conversationId: turn.conversationId };
    const { storage, conversationId } = await this.#save(turn, []);
    if (this.#lost.get(turn.turnId) === "conversation_not_found") {
      this.#lost.delete(turn.turnId);
      return { type: "foreign" };
    }
    return { type: "begun", storage, conversationId: conversationId ?? toKnownConversation(turn) };
  }

  async end(turn: TurnBegin, result: TurnResult): Promise<EndResult> {
    const { reply, outcome } = result;
    if (turn.isKept === false) return { storage: "none", conversationId: turn.conversationId };
    const lost = this.#lost.get(turn.turnId);
    // Refused messages would be refused again; those that could not be sent go with the reply.
    if (reply === undefined || (lost !== undefined && lost !== "store_unavailable")) {
      this.#lost.delete(turn.turnId);
      return { storage: lost === undefined ? "stored" : "none", conversationId: turn.conversationId };
    }
    const content = toReplyContent(result);
    const metadata = toReplyMetadata(result);
    const saved = await this.#save(turn, [
      // Not the turn's id: nothing here keeps a client from using an id twice.
      {
        id: createId(),
        role: "assistant",
        content,
        metadata,
        status: outcome,
        digests: [reply.contentDigest],
      },
    ]);
    this.#lost.delete(turn.turnId);
    return saved;
  }

  /** Nothing here could go on with the turn later. */
  async pause(turn: TurnBegin): Promise<PauseResult> {
    return { storage: "none", conversationId: turn.conversationId, mustStop: false };
  }

  async #save(
    turn: TurnBegin,
    tail: readonly Json[],
  ): Promise<{ readonly storage: Storage; readonly conversationId: string | undefined }> {
    const saving = this.#saveMessages(turn, tail);
    const result = await settleWithin(this.#clock, saving, storeWaitMs);
    if (result.type === "value") return { storage: "stored", conversationId: result.value };
    const lose = (cause: unknown): void => {
      const error = toAppError(cause);
      if (!this.#lost.has(turn.turnId) && error.code !== "conversation_not_found")
        this.#observe({ type: "write-lost", turn, error });
      if (tail.length === 0) this.#lost.set(turn.turnId, error.code);
    };
    if (result.type === "late") saving.catch(lose);
    else lose(result.error);
    return { storage: "none", conversationId: undefined };
  }

  async #saveMessages(turn: TurnBegin, tail: readonly Json[]): Promise<string> {
    if (turn.caller.accessToken === undefined) {
      throw new AppError(
        "store_refused",
        "with SUPABASE_ANON_KEY a turn is stored with its user's access token; the request had none",
      );
    }
    // The reply follows its turn's begin: messages added meanwhile stay on the path that is shown.
    const saved = await this.#messages
      .save("chat_save_messages", turn, turn.caller, { late: tail.length > 0 }, tail)
      .catch((cause: unknown) => {
        throw toForeign(turn, toAppError(cause));
      });
    if (saved.type !== "saved") throw new AppError("store_refused", "the conversation was deleted");
    return saved.conversationId;
  }
}

/** Row level security hides another user's conversation: it refuses to write there. */
function toForeign({ mustOwn, isConversationNamed, conversationId }: TurnBegin, error: AppError): AppError {
  const isForeign = mustOwn && isConversationNamed && isRefusedByRowLevelSecurity(error);
  return isForeign ? new AppError("conversation_not_found", conversationId, { cause: error }) : error;
}
