/** Owns the reading of what a turn goes on from, where its client sends only what is new. */
import { AppError, toAppError } from "../base/errors.ts";
import type { TurnRecords } from "../turn/ports.ts";
import type { TurnRequest } from "../turn/turn-request.ts";

/**
 * Resolves with `request` as its begin can place it: as it is, if its {@link Continuation} says how and the store can read that.
 * @throws AppError as {@link loadPath} does.
 */
export async function placeRequest(
  request: TurnRequest,
  records: TurnRecords | undefined,
): Promise<TurnRequest> {
  const { continues, ...whole } = request;
  if (continues === undefined) return await loadPath(request, records);
  if (records?.findsPlaces === true) return request;
  if (continues.needsStore || continues.mode === "leaf")
    return await loadPath({ ...whole, parentId: request.parentId ?? "leaf" }, records);
  if (records === undefined || continues.mode === "whole" || continues.isAgain) return whole;
  // Before version 7 of the schema a single message in an existing chat counts as new.
  return await loadPath({ ...whole, parentId: "leaf" }, records).catch((error: unknown) => {
    if (toAppError(error).code !== "message_not_found") throw error;
    return whole;
  });
}

/**
 * Resolves with `request` and the stored path that it goes on from, in whose conversation it then is.
 * @throws AppError `message_not_found`, `history_off`, or a `store_…` code.
 */
async function loadPath(request: TurnRequest, records: TurnRecords | undefined): Promise<TurnRequest> {
  const { parentId, conversationId, chatId, caller } = request;
  if (parentId === undefined) return request;
  if (records === undefined) throw new AppError("history_off", "there is no stored path to go on from");
  const stored = await records.readPath({ conversationId, chatId, parentId }, caller);
  if (stored === undefined) throw new AppError("message_not_found", parentId, { field: "parentId" });
  return { ...request, stored, conversationId: stored.conversationId, chatId: undefined };
}
