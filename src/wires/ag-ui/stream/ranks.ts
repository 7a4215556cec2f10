/** The order of the events that stand at one place of a turn's log. */
import type { EventPlace } from "./event-id.ts";

/**
 * The ranks of events that stand before the last one that the same event of the log becomes, in their order.
 * Fixed, since the model's reasoning is not kept, and an event's id must not depend on it.
 */
export const ranks = {
  reasoningMessageEnd: -12,
  reasoningEnd: -11,
  planMessageEnd: -10,
  planEnd: -9,
  textEnd: -8,
  reasoningStart: -7,
  reasoningMessageStart: -6,
  textStart: -5,
  emptyTextEnd: -4,
  callStart: -3,
  callInput: -2,
  callEnd: -1,
} as const;
/** Added to the rank of events that stand after their place. */
export const afterwards = 13;

/** Returns the place of an event by its rank; `undefined` if it has none. */
export type ToPlace = (rank: number) => EventPlace | undefined;
