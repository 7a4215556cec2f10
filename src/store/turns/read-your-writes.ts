/** Read-your-writes: waits until a user's queued writes have reached the database. */
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import { callDeadlineMs, storeWaitMs } from "../database/database.ts";
import type { Journal } from "../journal/journal.ts";
import type { DatabaseHealth } from "../database/database-health.ts";

/** The dependencies of the wait. */
export interface ReadYourWritesOptions {
  readonly journal: Journal | undefined;
  readonly database: DatabaseHealth;
  readonly clock: Clock;
}

/**
 * Resolves once none of the caller's writes is queued; for an unknown caller, none in the conversation.
 * @throws AppError with the `store_…` code that explains why one still is, after the time a call may take.
 */
export async function untilWritesStored(
  { journal, database, clock }: ReadYourWritesOptions,
  { userId }: Caller,
  conversationId: string | undefined,
): Promise<void> {
  if (journal === undefined) return;
  const isByUser = userId !== undefined || conversationId === undefined;
  const waits = (): boolean =>
    isByUser ? journal.holdsUser(userId) : journal.holdsConversation(conversationId);
  if (!waits()) return;
  const { promise: deadline, resolve } = Promise.withResolvers<"late">();
  // No long wait for a database that is unavailable, or that says why it accepts no writes.
  const code = database.failedWrite?.error.code ?? "store_unavailable";
  const isWorthIt = database.healthyMs > 0 && (code === "store_unavailable" || !code.startsWith("store_"));
  const timer = clock.after(isWorthIt ? callDeadlineMs : storeWaitMs, () => resolve("late"));
  while (waits()) if ((await Promise.race([journal.left, deadline])) === "late") break;
  timer.cancel();
  if (waits()) throw toQueuedError(database, "the last write is queued in the journal");
}

/** Returns the error for a queued write; its code is the reason why the database does not accept it. */
export function toQueuedError(database: DatabaseHealth, message: string): AppError {
  const reason = database.failedWrite?.error;
  if (reason === undefined || !reason.code.startsWith("store_"))
    return new AppError("store_unavailable", message);
  return new AppError(reason.code, `${message}: ${reason.message}`, { cause: reason });
}
