/** Deletes conversations that have had no new message for a number of days. */
import type { Clock } from "../base/clock.ts";
import { Repeating } from "../base/repeating.ts";
import type { Observer } from "../turn/observer.ts";
import { service, type Database } from "../store/database/database.ts";
import type { StoreRows } from "../store/open-store.ts";
import { deleteConversations } from "./rows.ts";

const intervalMs = 60 * 60_000;

/** The dependencies and settings of retention. */
interface RetentionOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly days: number;
  readonly observe: Observer;
}

/** Deletes at once, then every hour. Any number of processes may do so concurrently. */
class Retention {
  readonly #options: RetentionOptions;
  readonly #repeating: Repeating;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#repeating = new Repeating(options.clock, async (signal) => await this.#deleteExpired(signal));
  }

  /** Deletes no more. */
  close(): void {
    this.#repeating.close();
  }

  async #deleteExpired(signal: AbortSignal): Promise<number> {
    const { database, days, observe } = this.#options;
    let count = 0;
    try {
      for await (const deleted of deleteConversations(database, "chat_delete_expired", { days }, service)) {
        count += deleted;
        if (signal.aborted) break;
      }
    } catch {
      // The database is unavailable, as readiness reports: the next run catches up.
    }
    if (count > 0) observe({ type: "conversations-expired", count });
    return intervalMs;
  }
}

/** Starts to delete conversations that have been idle for `days`; `undefined` keeps all. */
export function startRetention(
  days: number | undefined,
  rows: Pick<StoreRows, "database"> | undefined,
  clock: Clock,
  observe: Observer,
): { close(): void } | undefined {
  if (days === undefined || rows === undefined) return undefined;
  return new Retention({ database: rows.database, clock, days, observe });
}
