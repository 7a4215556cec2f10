/** Owns the wait for what a user has written last: it may be in the journal still, when that user reads. */
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import { callDeadlineMs } from "../database/database.ts";
import type { Journal } from "../journal/journal.ts";
import { storeWaitMs } from "../database/sql-failure.ts";
import type { DatabaseHealth } from "../database/database-health.ts";

/** What is waited for, and with what. */
export interface ReadYourWritesOptions {
  readonly journal: Journal | undefined;
  readonly database: DatabaseHealth;
  readonly clock: Clock;
}

/**
 * Resolves once nothing waits in the journal that `caller` has written; of nobody's, in this conversation.
 * @throws AppError with the `store_…` code that says why if something does for longer than a call may take.
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
  // A store that is away, or says why it takes no writes, is not waited for.
  const code = database.failedWrite?.error.code ?? "store_unavailable";
  const isWorthIt = database.healthyMs > 0 && (code === "store_unavailable" || !code.startsWith("store_"));
  const timer = clock.after(isWorthIt ? callDeadlineMs : storeWaitMs, () => resolve("late"));
  while (waits()) if ((await Promise.race([journal.left, deadline])) === "late") break;
  timer.cancel();
  if (waits()) throw toWaitingError(database, "what was written last waits in the journal");
}

/** Returns the error for a write that waits in the journal: its code is the reason why the store does not take it. */
export function toWaitingError(database: DatabaseHealth, message: string): AppError {
  const reason = database.failedWrite?.error;
  if (reason === undefined || !reason.code.startsWith("store_"))
    return new AppError("store_unavailable", message);
  return new AppError(reason.code, `${message}: ${reason.message}`, { cause: reason });
}
