/** Finds the stored messages that a request names: the response that it continues, and items of its input. */
import { AppError, refuse } from "../../../base/errors.ts";
import type { Caller } from "../../../base/caller.ts";
import type { LiveTurns } from "../../../live/live-turns.ts";
import type { Continuation } from "../../../turn/ports.ts";
import type { TurnRequest } from "../../../turn/turn-request.ts";
import type { RequestedInput } from "./request.ts";
import type { PlacedItem } from "./sent-chat.ts";

/** Where a turn belongs. */
export type TurnPlace = Pick<TurnRequest, "parentId" | "conversationId" | "continues">;

/** The input of a request with the items that it refers to, and the place of its turn. */
export interface ResolvedInput {
  readonly items: readonly PlacedItem[];
  readonly place: Partial<TurnPlace>;
}

/** New messages are added below the end of the path that is shown. */
const leafContinuation: Continuation = {
  mode: "leaf",
  isAgain: false,
  replyId: undefined,
  mustExist: true,
  needsStore: true,
};

/**
 * Resolves with the input as the chat that it stands for.
 * @throws AppError `not_found`, or a `store_…` code.
 */
export async function resolveReferences(
  { items, previous, conversationId }: RequestedInput,
  caller: Caller,
  live: LiveTurns,
): Promise<ResolvedInput> {
  const placed = items.map((item, index): PlacedItem => ({ item, field: `input[${index}]` }));
  const reference = placed.find(({ item }) => item.kind === "reference");
  if (reference !== undefined) refuse(reference.field, "item references are not supported yet");
  if (conversationId !== undefined)
    return { items: placed, place: { conversationId, parentId: "leaf", continues: leafContinuation } };
  if (previous === undefined) return { items: placed, place: {} };
  const turn = await live.find(previous.turnId, caller);
  if (turn?.log.start === undefined)
    throw new AppError("not_found", previous.turnId, {
      detail: "previous_response_id: the response was not found",
      field: "previous_response_id",
    });
  const parentId = turn.extendsReply?.id ?? turn.extendsReply?.rowId ?? turn.id;
  return { items: placed, place: { parentId, conversationId: turn.log.start.conversationId } };
}
