/** Owns what a journal's file is called and how it is read: what the thread that has it open and those that look in must agree on. */

/** The journal's file in its folder. Only the process that claims a folder makes one where there is none. */
export const journalFileName = "journal.sqlite";
/** What the name of a file that was set aside as corrupt holds. */
export const brokenMark = ".broken-";
/** How long a statement waits for another process that looks into the file. */
export const busyTimeoutMs = 5_000;
/** The columns of a queued write's row. */
export const queuedColumns =
  'id, kind, turn_id as "turnId", conversation_id as "conversationId", user_id as "userId"';
