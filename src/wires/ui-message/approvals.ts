/** A user's answers to requests for approval, which a client sends with the message that holds the calls. */
import { AppError } from "../../base/errors.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import type { SavedItem } from "../../turn/turn-event.ts";
import { findPendingApprovals } from "../../turn/items/items.ts";
import { findWaitingPlace } from "../../http/turns/waiting-turn.ts";
import type { UiChat } from "./last-turns.ts";
import { refusePending, type SentReply } from "./message.ts";
import type { ContinuedMessage } from "./stream.ts";

/** A turn that goes on after its user's answers, or still waits, and the message that shows it. */
export interface AnsweredTurn {
  readonly turn: FollowedTurn;
  readonly continued: ContinuedMessage;
}

/**
 * Stores the answers in `reply` for the newest turn of `chat`, and resolves with it. Only the turn's own
 * requests count: results that a client has made up for its calls do not.
 * @throws AppError `approval_not_found` if the turn never asked; `invalid_request` if it still waits, and the
 * answers are known already; or as {@link LiveTurns.answerApprovals} does.
 */
export async function answerNewestTurn(
  live: LiveTurns,
  chat: UiChat,
  reply: SentReply,
): Promise<AnsweredTurn> {
  const newest = await live.findNewest(chat, chat.caller);
  const before = newest && (await live.find(newest.turnId, chat.caller));
  if (before === undefined) throw new AppError("approval_not_found", "the chat has no turn");
  const items = before.log.itemsAfter();
  const answered = new Set(reply.answers.map(({ approvalId }) => approvalId));
  if (isRepeated(items, answered)) refusePending("messages");
  const answers = reply.answers.map(({ approvalId, approved, reason }) => {
    return { approvalId, isApproved: approved, reason };
  });
  const turn = await live.answerApprovals(before.id, chat.caller, answers);
  const { messageId = turn.id, reasonings, callIds } = reply;
  const place = findWaitingPlace(items, answered);
  return { turn, continued: { messageId, reasonings, after: { place, callIds } } };
}

/**
 * Whether a turn still waits after answers that it has had before. Its client sends whatever it holds as soon
 * as one response ends, and so would for ever.
 */
function isRepeated(items: readonly SavedItem[], answered: ReadonlySet<string>): boolean {
  const pending = findPendingApprovals(items);
  const asked = new Set(items.map((item) => (item.type === "approval-request" ? item.approvalId : "")));
  return (
    pending.length > 0 &&
    !pending.some(({ approvalId }) => answered.has(approvalId)) &&
    answered.isSubsetOf(asked)
  );
}
