/** Owns the wait for what a user has written last: it may be in the journal still, when that user reads. */
import { AppError } from "../errors.ts";
import type { Caller, Clock } from "../turn/ports.ts";
import { callDeadlineMs } from "./database.ts";
import type { Journal } from "./journal.ts";
import { storeWaitMs } from "./store-failure.ts";
import type { WatchedDatabase } from "./watched-database.ts";

/** What is waited for, and with what. */
export interface OwnWritesOptions {
  readonly journal: Journal | undefined;
  readonly database: WatchedDatabase;
  readonly clock: Clock;
}

/**
 * Resolves once nothing waits in the journal that `caller` has written; of nobody's, in this conversation.
 * @throws AppError `store_unavailable` where something does for longer than a call may take.
 */
export async function untilLanded(
  { journal, database, clock }: OwnWritesOptions,
  { userId }: Caller,
  conversationId: string | undefined,
): Promise<void> {
  if (journal === undefined) return;
  const isByUser = userId !== undefined || conversationId === undefined;
  const waits = (): boolean =>
    isByUser ? journal.holdsUser(userId) : journal.holdsConversation(conversationId);
  if (!waits()) return;
  const { promise: deadline, resolve } = Promise.withResolvers<"late">();
  const timer = clock.after(database.healthyMs > 0 ? callDeadlineMs : storeWaitMs, () => resolve("late"));
  while (waits()) if ((await Promise.race([journal.left, deadline])) === "late") break;
  timer.cancel();
  if (waits()) throw new AppError("store_unavailable", "what was written last waits in the journal");
}
