/** Owns the end of old conversations: those in which nothing was said for so many days are deleted, in small batches. */
import { z } from "zod";
import { parse } from "../parse.ts";
import type { Clock, Timer } from "../turn/ports.ts";
import { service, type Database } from "./database.ts";

/** From one look to the next. */
const intervalMs = 60 * 60_000;
/** How many are deleted in one transaction, which other writes may have to wait for. */
const batch = 100;
/** About how many messages go with them. */
const batchMessages = 1_000;

/** A database with an older schema does not say whether there is more. */
const Answer = z.object({ deleted: z.number(), more: z.boolean().optional() });

/** What retention works with. */
export interface RetentionOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly days: number;
  /** Told of how many were deleted in one go. */
  readonly onDeleted: (count: number) => void;
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
    const { clock, onDeleted } = this.#options;
    let count = 0;
    try {
      for (let isMore = true; isMore && !this.#isClosed;) {
        const { deleted, more = false } = await this.#deleteBatch();
        count += deleted;
        isMore = more || deleted === batch;
      }
    } catch {
      // The store is away, which its readiness tells: the next look finds what this one did not.
    }
    if (count > 0) onDeleted(count);
    if (!this.#isClosed) this.#timer = clock.after(intervalMs, () => void this.#look());
  }

  async #deleteBatch(): Promise<z.infer<typeof Answer>> {
    const { database, days } = this.#options;
    const argument = { days, limit: batch, max_messages: batchMessages };
    return parse(Answer, await database.call("chat_delete_expired", argument, service), "store_refused");
  }
}
