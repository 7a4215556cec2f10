/** Finds the stored messages that a request names: the response that it continues, and items of its input. */
import { AppError, toAppError, type ErrorCode } from "../../../base/errors.ts";
import type { Caller } from "../../../base/caller.ts";
import { leafContinuation } from "../../../http/chat-place.ts";
import type { TurnRequest } from "../../../turn/turn-request.ts";
import { toConversationId, toResponseId } from "../ids.ts";
import { findResponse } from "../resource.ts";
import { toMissingPrevious } from "./missing-previous.ts";
import type { RequestedInput } from "./request.ts";
import type { PlacedItem } from "./sent-chat.ts";
import { StoredInput, type InputSources } from "./stored-input.ts";

/** Where a turn belongs. */
export type TurnPlace = Pick<TurnRequest, "parentId" | "conversationId" | "continues">;

/** The input of a request with the items that it refers to, and the place of its turn. */
export interface ResolvedInput {
  readonly items: readonly PlacedItem[];
  readonly place: Partial<TurnPlace>;
}

/**
 * Resolves with the input as the chat that it stands for. A chat with ids of stored items belongs to the
 * conversation of the last of them.
 * @throws AppError `not_found` for an unknown item, `previous_response_not_found`, `turn_running` for an item
 * of a turn in progress, or a `store_…` code.
 */
export async function resolveReferences(
  { items, previous, conversationId }: RequestedInput,
  caller: Caller,
  sources: InputSources,
): Promise<ResolvedInput> {
  const placed = items.map((item, index): PlacedItem => ({ item, field: `input[${index}]` }));
  const stored = new StoredInput(placed, caller, sources);
  const resolved = await stored.resolve();
  if (conversationId !== undefined)
    return { items: resolved, place: { conversationId, parentId: "leaf", continues: leafContinuation } };
  if (previous !== undefined) {
    const id = toResponseId(previous);
    const { turn } = await findResponse(sources.live, id, caller).catch((cause: unknown) => {
      throw toReferenceError(cause, "not_found", id);
    });
    return { items: resolved, place: { parentId: turn.id, conversationId: turn.log.start?.conversationId } };
  }
  const found = await stored.findConversation();
  return { items: resolved, place: found === undefined ? {} : { conversationId: found } };
}

/**
 * Returns the error of a turn that could not begin, as one about the reference that named its place.
 */
export function toPlaceError(cause: unknown, { previous, conversationId }: RequestedInput): AppError {
  if (previous !== undefined) return toReferenceError(cause, "message_not_found", toResponseId(previous));
  const error = toAppError(cause);
  if (conversationId === undefined || error.code !== "message_not_found") return error;
  const detail = `Conversation with id "${toConversationId(conversationId)}" not found.`;
  return new AppError("conversation_not_found", detail, { detail, field: "conversation", cause });
}

/** Returns an error with `code` as that of a previous response which there is not; others unchanged. */
function toReferenceError(cause: unknown, code: ErrorCode, id: string): AppError {
  const error = toAppError(cause);
  return error.code === code ? toMissingPrevious(id, cause) : error;
}
