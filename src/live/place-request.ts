/** Loads the stored path that a turn continues, for clients that send only new messages. */
import { AppError } from "../base/errors.ts";
import { fillResults } from "../turn/items/tool-results.ts";
import type { Paths, StoredPath } from "../turn/records.ts";
import type { Models } from "../turn/ports.ts";
import { findModel, type TurnRequest } from "../turn/turn-request.ts";

/** Whether everything is known that the begin of `request` needs. */
export function isPrepared({ isPrepared: isDone, parentId, continues }: TurnRequest): boolean {
  return isDone === true || (parentId === undefined && continues === undefined);
}

/**
 * Resolves with `request` as its begin can place it: unchanged if its {@link Continuation} says how, and
 * turns are stored.
 * @throws AppError as {@link loadPath} does.
 */
export async function placeRequest(
  request: TurnRequest,
  paths: Paths | undefined,
  models: Models,
): Promise<TurnRequest> {
  const { continues, ...whole } = request;
  if (continues === undefined) return await loadPath(request, paths, models);
  if (paths !== undefined) return request;
  if (continues.needsStore || continues.mode === "leaf")
    return await loadPath({ ...whole, parentId: request.parentId ?? "leaf" }, paths, models);
  return whole;
}

/**
 * Resolves with `request` and the stored path that it continues, in the conversation of that path.
 * @throws AppError `message_not_found`, `history_off`, or a `store_…` code.
 */
async function loadPath(
  request: TurnRequest,
  paths: Paths | undefined,
  models: Models,
): Promise<TurnRequest> {
  const { parentId, conversationId, chatId, caller } = request;
  if (parentId === undefined) return request;
  if (paths === undefined) throw new AppError("history_off", "there is no stored path to continue from");
  const { maxReadChars } = findModel(models, request);
  const stored = await paths.readPath({ conversationId, chatId, parentId }, caller, maxReadChars);
  if (stored === undefined) throw new AppError("message_not_found", parentId, { field: "parentId" });
  const placed = { ...request, stored, conversationId: stored.conversationId, chatId: undefined };
  return request.toolResults === undefined ? placed : extendReply(placed, stored);
}

/**
 * Returns `request` as one that goes on with the last message of `stored`, which gets its results, or
 * with its own messages after that one.
 * @throws AppError `invalid_request` unless that is a reply whose open calls these are.
 */
function extendReply(request: TurnRequest, stored: StoredPath): TurnRequest {
  const reply = stored.messages.at(-1);
  if (reply?.role !== "assistant" || stored.parentDigest === undefined) {
    const detail = "parentId: must name a reply";
    throw new AppError("invalid_request", detail, { detail, field: "parentId" });
  }
  const answered = fillResults(reply, request.toolResults ?? [], request.resultFields);
  return {
    ...request,
    ...(request.messages.length === 0 ? { extendsReply: answered } : { answeredReply: answered }),
    stored: { ...stored, messages: stored.messages.slice(0, -1), digest: stored.parentDigest },
  };
}
