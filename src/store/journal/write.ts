/** Owns what a write of the journal is, in memory and as a row of its file. */
import { z } from "zod";

/** Whose write to the store it is: the start or the end of a turn. */
export interface WriteHead {
  readonly kind: "begin" | "end";
  readonly turnId: string;
  readonly conversationId: string;
  readonly userId: string | undefined;
}

/** A write to the store. */
export interface JournalWrite extends WriteHead {
  /** Returns its argument as JSON: a second copy of a reply, which is made when there is room for it. */
  readonly toArgument: () => string;
}

/** A write that waits, without its argument. */
export interface QueuedWrite extends WriteHead {
  /** A later write has a larger one; none is used twice. */
  readonly id: number;
}

/** A write that the store refused for good. */
export interface QuarantinedWrite extends QueuedWrite {
  readonly reason: string;
  /** The process whose folder it is in. */
  readonly owner: string;
  /** When it was appended, ISO 8601. */
  readonly createdAt: string;
}

const OptionalText = z
  .string()
  .nullable()
  .transform((text) => text ?? undefined);
/** A row of `queuedColumns`. */
export const QueuedRow = z.object({
  id: z.number(),
  kind: z.enum(["begin", "end"]),
  turnId: z.string(),
  conversationId: z.string(),
  userId: OptionalText,
});
