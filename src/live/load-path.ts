/** Owns the reading of what a turn goes on from, where its client sends only what is new. */
import { AppError } from "../errors.ts";
import type { TurnRecords } from "../turn/ports.ts";
import type { TurnRequest } from "../turn/turn-request.ts";

/**
 * Resolves with `request` and the stored path that it goes on from, in whose conversation it then is.
 * @throws AppError `message_not_found`, `history_off`, or a `store_…` code.
 */
export async function loadPath(request: TurnRequest, records: TurnRecords | undefined): Promise<TurnRequest> {
  const { parentId, conversationId, caller } = request;
  if (parentId === undefined) return request;
  if (records === undefined) throw new AppError("history_off", "there is no stored path to go on from");
  const stored = await records.readPath({ conversationId, parentId }, caller);
  if (stored === undefined) throw new AppError("message_not_found", parentId, { field: "parentId" });
  return { ...request, stored, conversationId: stored.conversationId };
}
