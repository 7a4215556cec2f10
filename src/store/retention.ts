/** Deletes old conversations: those in which nothing was said for so many days. */
import type { Clock, Timer } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import { service, type Database } from "./database/database.ts";
import { deleteConversations } from "../history/delete-conversations.ts";

/** From one look to the next. */
const intervalMs = 60 * 60_000;

/** What retention works with. */
export interface RetentionOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly days: number;
  readonly observe: Observer;
}

/** Deletes from its making on, then every hour. Any number of processes may do so beside each other. */
export class Retention {
  readonly #options: RetentionOptions;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    void this.#look();
  }

  /** Deletes no more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { database, clock, days, observe } = this.#options;
    let count = 0;
    try {
      for await (const deleted of deleteConversations(database, "chat_delete_expired", { days }, service)) {
        count += deleted;
        if (this.#isClosed) break;
      }
    } catch {
      // The store is away, which its readiness tells: the next look finds what this one did not.
    }
    if (count > 0) observe({ type: "conversations-expired", count });
    if (!this.#isClosed) this.#timer = clock.after(intervalMs, () => void this.#look());
  }
}
