/**
 * A write of the journal, in memory and in its file: shared by the journal thread and by readers of the file.
 */

import type { JsonText } from "../../base/json/long-json.ts";

/** The kind and the ids of a write: the begin or the end of a turn. */
export interface WriteHead {
  readonly kind: "begin" | "end";
  readonly turnId: string;
  readonly conversationId: string;
  readonly userId: string | undefined;
}

/** A write to the database. */
export interface JournalWrite extends WriteHead {
  /** Returns its argument as JSON: a second copy of a reply, made only when it is sent. */
  readonly toArgument: () => JsonText;
}

/** A queued write, without its argument. */
export interface QueuedWrite extends WriteHead {
  /** Larger for later writes; never reused. */
  readonly id: number;
}

/** A write that the database permanently rejected. */
export interface QuarantinedWrite extends QueuedWrite {
  readonly reason: string;
  /** The process that owns its folder. */
  readonly owner: string;
  /** When it was appended, ISO 8601. */
  readonly createdAt: string;
}

/** The name of the file in its folder. Only the process that claims a folder creates one. */
export const journalFileName = "journal.sqlite";
/** Part of the name of a corrupt file that was set aside. */
export const brokenMark = ".broken-";
/** How long a statement waits for another process that reads the file. */
export const busyTimeoutMs = 5_000;
/** The columns of a queued write. */
export const queuedColumns =
  'id, kind, turn_id as "turnId", conversation_id as "conversationId", user_id as "userId"';
