/** The user's answers to requests for approval, and the turn that goes on with them. */
import { z } from "zod";
import { AppError, refuse } from "../../../base/errors.ts";
import type { Caller } from "../../../base/caller.ts";
import type { FollowedTurn } from "../../../live/live-turn.ts";
import type { LiveTurns } from "../../../live/live-turns.ts";
import { findPendingApprovals } from "../../../turn/items/items.ts";
import { toStorable } from "../../../turn/message.ts";
import type { ApprovalAnswer, ChatPlace } from "../../../turn/records.ts";
import { findWaitingPlace } from "../../../http/turns/waiting-turn.ts";
import type { EventPlace } from "../stream/event-id.ts";
import type { SentMessage } from "./message.ts";
import { fromWireCallId } from "../call-id.ts";

/** An answer, as clients send it. */
export const ResumeEntry = z.object({
  interruptId: z.string("is required").describe("The `id` of an interrupt."),
  status: z
    .enum(["resolved", "cancelled"], "must be resolved or cancelled")
    .describe("`cancelled` denies the call."),
  payload: z.unknown().optional().describe("Of a resolved one: `approved`, true or false, and a `reason`."),
});

const Decision = z.union([
  z.boolean().transform((approved) => ({ approved, reason: undefined })),
  z.object({ approved: z.boolean(), reason: z.string().nullish() }),
]);

/** An answer. */
export interface AgUiAnswer extends ApprovalAnswer {
  /** Whether the user has not decided, so that it does not matter if the request is settled. */
  readonly isCancelled: boolean;
}

/**
 * Returns the answers; `undefined` if there are none, or if the user has gone on with a message instead.
 * @throws AppError `invalid_request`.
 */
export function toAnswers(
  entries: readonly z.output<typeof ResumeEntry>[],
  messages: readonly SentMessage[],
): readonly AgUiAnswer[] | undefined {
  if (entries.length === 0) return undefined;
  const ids = new Set<string>();
  const answers = entries.map(({ interruptId, status, payload }, index): AgUiAnswer => {
    if (ids.has(interruptId)) refuse(`resume[${index}].interruptId`, "must be different from the others");
    ids.add(interruptId);
    const approvalId = toStorable(interruptId);
    if (status === "cancelled")
      return { approvalId, isApproved: false, reason: undefined, isCancelled: true };
    const { data } = Decision.safeParse(payload);
    if (data === undefined) return refuse(`resume[${index}].payload.approved`, "must be true or false");
    const reason = toStorable(data.reason?.trim() ?? "") || undefined;
    return { approvalId, isApproved: data.approved, reason, isCancelled: false };
  });
  if (!hasGoneOn(messages)) return answers;
  if (answers.every(({ isCancelled }) => isCancelled)) return undefined;
  return refuse("resume", "must not be sent together with a new message of the user");
}

/** Whether a message of the user follows calls of the server's tools that have no result. */
function hasGoneOn(messages: readonly SentMessage[]): boolean {
  const last = messages.findLastIndex(({ isShownOnly }) => !isShownOnly);
  if (messages[last]?.role !== "user") return false;
  const results = new Set(messages.map(({ toolCallId }) => toolCallId));
  const reply = messages.findLast(
    ({ role, toolCalls }) => role === "assistant" && (toolCalls ?? []).length > 0,
  );
  return (reply?.toolCalls ?? []).some(
    ({ id }) => fromWireCallId(id).runsOn === "server" && !results.has(id),
  );
}

/** A turn that goes on, and the place after which its client lacks it. */
export interface AnsweredRun {
  readonly turn: FollowedTurn;
  readonly place: EventPlace;
}

/**
 * Stores the answers for the newest turn of a thread, and resolves with it. Answers that were stored before
 * change nothing.
 * @throws AppError `approval_not_found` if the turn never asked, or as {@link LiveTurns.answerApprovals}
 * does.
 */
export async function answerThread(
  live: LiveTurns,
  chat: ChatPlace,
  caller: Caller,
  answers: readonly AgUiAnswer[],
): Promise<AnsweredRun> {
  const newest = await live.findNewest(chat, caller);
  const before = newest && (await live.find(newest.turnId, caller));
  if (before === undefined) throw new AppError("approval_not_found", "the thread has no turn");
  const items = before.log.itemsAfter();
  const answered = new Set(answers.map(({ approvalId }) => approvalId));
  const pending = new Set(findPendingApprovals(items).map(({ approvalId }) => approvalId));
  const asked = new Set(items.map((item) => (item.type === "approval-request" ? item.approvalId : "")));
  const isOver = answers.every(({ approvalId, isCancelled }) => isCancelled && !pending.has(approvalId));
  const turn =
    isOver && answered.isSubsetOf(asked)
      ? before
      : await live.answerApprovals(
          before.id,
          caller,
          answers.map(({ approvalId, isApproved, reason }) => ({ approvalId, isApproved, reason })),
        );
  return { turn, place: { ...findWaitingPlace(items, answered), rank: 0 } };
}
