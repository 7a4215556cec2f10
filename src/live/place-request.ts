/** Loads the stored path that a turn continues, for clients that send only new messages. */
import { AppError, toAppError } from "../base/errors.ts";
import type { Paths } from "../turn/records.ts";
import type { TurnRequest } from "../turn/turn-request.ts";

/**
 * Resolves with `request` as its begin can place it: unchanged if its {@link Continuation} says how, and the
 * schema supports that.
 * @throws AppError as {@link loadPath} does.
 */
export async function placeRequest(request: TurnRequest, paths: Paths | undefined): Promise<TurnRequest> {
  const { continues, ...whole } = request;
  if (continues === undefined) return await loadPath(request, paths);
  if (paths?.findsPlaces === true) return request;
  if (continues.needsStore || continues.mode === "leaf")
    return await loadPath({ ...whole, parentId: request.parentId ?? "leaf" }, paths);
  if (paths === undefined || continues.mode === "whole" || continues.isAgain) return whole;
  // Before schema version 7 a single message in an existing chat counts as new.
  return await loadPath({ ...whole, parentId: "leaf" }, paths).catch((error: unknown) => {
    if (toAppError(error).code !== "message_not_found") throw error;
    return whole;
  });
}

/**
 * Resolves with `request` and the stored path that it continues, in the conversation of that path.
 * @throws AppError `message_not_found`, `history_off`, or a `store_…` code.
 */
async function loadPath(request: TurnRequest, paths: Paths | undefined): Promise<TurnRequest> {
  const { parentId, conversationId, chatId, caller } = request;
  if (parentId === undefined) return request;
  if (paths === undefined) throw new AppError("history_off", "there is no stored path to continue from");
  const stored = await paths.readPath({ conversationId, chatId, parentId }, caller);
  if (stored === undefined) throw new AppError("message_not_found", parentId, { field: "parentId" });
  return { ...request, stored, conversationId: stored.conversationId, chatId: undefined };
}
