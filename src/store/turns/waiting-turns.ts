/** Turns that wait for their users: their answers, and the process that goes on with a turn. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { parse } from "../../base/parse.ts";
import type { Caller } from "../../base/caller.ts";
import type { JsonObject } from "../../base/json.ts";
import type {
  AnswerResult,
  ApprovalAnswer,
  ClaimedTurn,
  ClaimReason,
  WaitingTurns,
} from "../../turn/records.ts";
import { cutOverlaps } from "../../turn/items/items.ts";
import { StoredRequest } from "../../turn/items/stored-request.ts";
import { turnStatuses } from "../../turn/turn-event.ts";
import { service } from "../database/database.ts";
import type { DatabaseHealth } from "../database/database-health.ts";
import type { Journal } from "../journal/journal.ts";
import { ItemRows } from "./item-rows.ts";
import { toQueuedError } from "./read-your-writes.ts";
import { joinPieces, Pieces } from "./turn-reads.ts";

const Claimed = z.object({
  claimed: z.object({
    conversation_id: z.string(),
    user_id: z.string().nullable(),
    parent_id: z.string().nullable(),
    model: z.string().nullable(),
    started_at: z.coerce.date(),
    state: z.custom<JsonObject>((value) => typeof value === "object" && value !== null),
    request: StoredRequest,
    pieces: Pieces,
    events: ItemRows,
  }),
});

const Missing = z.object({ missing: z.literal(true) });
const NotWaiting = z.object({ not_waiting: z.enum(turnStatuses) });

const AnswerRow = z.union([
  Claimed,
  z.object({ pending: z.array(z.string()) }),
  Missing,
  NotWaiting,
  z.object({ unknown: z.string() }),
  z.object({ settled: z.string() }),
  z.object({ expired: z.string() }),
]);

const ClaimRow = z.union([Claimed, Missing, NotWaiting, z.object({ not_due: z.literal(true) })]);

/** The dependencies of {@link StoredWaitingTurns}. */
export interface StoredWaitingTurnsOptions {
  readonly database: DatabaseHealth;
  readonly journal: Journal | undefined;
}

/** The waiting turns of a database. */
export class StoredWaitingTurns implements WaitingTurns {
  readonly #options: StoredWaitingTurnsOptions;

  constructor(options: StoredWaitingTurnsOptions) {
    this.#options = options;
  }

  async answer(turnId: string, caller: Caller, answers: readonly ApprovalAnswer[]): Promise<AnswerResult> {
    const result = await this.#options.database.call(
      "chat_answer_approvals",
      {
        turn_id: turnId,
        user_id: caller.userId,
        answers: answers.map(({ approvalId, isApproved, reason }) => ({
          approval_id: approvalId,
          is_approved: isApproved,
          reason,
        })),
        ...this.#toClaim(),
      },
      service,
    );
    const row = parse(AnswerRow, result, "store_refused");
    if ("claimed" in row) return { type: "claimed", turn: toClaimedTurn(turnId, row) };
    if ("pending" in row) return { type: "stored", pending: row.pending };
    if ("unknown" in row) return { type: "unknown", approvalId: row.unknown };
    if ("settled" in row) return { type: "settled", approvalId: row.settled };
    if ("expired" in row) return { type: "expired", approvalId: row.expired };
    this.#refuseQueued(turnId);
    return "missing" in row ? { type: "missing" } : { type: "not-waiting", status: row.not_waiting };
  }

  async claim(turnId: string, reason: ClaimReason): Promise<ClaimedTurn | undefined> {
    const argument = { turn_id: turnId, reason, ...this.#toClaim() };
    const result = await this.#options.database.call("chat_claim_waiting", argument, service);
    const row = parse(ClaimRow, result, "store_refused");
    return "claimed" in row ? toClaimedTurn(turnId, row) : undefined;
  }

  /** The id lets a call that is repeated, after its response was lost, get the turn that it has claimed. */
  #toClaim(): JsonObject {
    return { owner: this.#options.journal?.owner, claim: randomUUID() };
  }

  /** A turn whose pause is queued waits already, though the database does not know yet. */
  #refuseQueued(turnId: string): void {
    if (this.#options.journal?.holdsTurn(turnId) === true)
      throw toQueuedError(this.#options.database, `turn ${turnId} is queued in the journal`);
  }
}

function toClaimedTurn(turnId: string, { claimed }: z.output<typeof Claimed>): ClaimedTurn {
  return {
    turnId,
    conversationId: claimed.conversation_id,
    userId: claimed.user_id ?? undefined,
    parentId: claimed.parent_id ?? undefined,
    model: claimed.model ?? undefined,
    startedAt: claimed.started_at,
    text: claimed.pieces[0]?.position === 0 ? joinPieces(claimed.pieces) : "",
    items: cutOverlaps(claimed.events),
    state: claimed.state,
    ...(claimed.request !== undefined && { request: claimed.request }),
  };
}
