/** Turns that wait for their users, for wires whose clients answer in a request of its own. */
import type { Caller } from "../../base/caller.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import type { ChatPlace } from "../../turn/records.ts";
import type { Place, SavedItem } from "../../turn/turn-event.ts";

/**
 * Stops the newest turn of `caller` in a chat if it waits for its user, who has gone on without an answer.
 * @throws AppError with a `store_…` code.
 */
export async function stopWaitingTurn(live: LiveTurns, chat: ChatPlace, caller: Caller): Promise<void> {
  const newest = await live.findNewest(chat, caller);
  if (newest?.isRunning !== true) return;
  const turn = await live.find(newest.turnId, caller);
  if (turn?.log.last?.type === "turn-waiting") await turn.stop();
}

/**
 * Returns the place at which the turn of `items` waited for these answers, named by their approvals' ids: the
 * client that sends them has everything before.
 */
export function findWaitingPlace(items: readonly SavedItem[], answered: ReadonlySet<string>): Place {
  const asked = items.findLastIndex(
    (item) => item.type === "approval-request" && answered.has(item.approvalId),
  );
  const response = items.findIndex((item, index) => index > asked && item.type === "approval-response");
  const { position = 0, ordinal = 0 } = items.at(response === -1 ? -1 : response - 1) ?? {};
  return { position, ordinal };
}
