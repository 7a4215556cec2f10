/** Deletes the objects of attachments that are gone from the bucket. */
import { z } from "zod";
import { toAppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import { Repeating } from "../../base/repeating.ts";
import type { Clock } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import { service, type Database } from "../database/database.ts";
import type { Bucket } from "./bucket.ts";

/** The pause between two looks, in milliseconds. */
const intervalMs = 60_000;
/** How many objects are deleted at a time. */
const maxObjects = 100;

const Deleted = z.object({ paths: z.array(z.string()) });

/** The dependencies of {@link BucketSweeper}. */
export interface BucketSweeperOptions {
  readonly database: Database;
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Deletes at once, then every minute. Any number of processes may do so concurrently. */
export class BucketSweeper {
  readonly #options: BucketSweeperOptions;
  readonly #repeating: Repeating;

  constructor(options: BucketSweeperOptions) {
    this.#options = options;
    this.#repeating = new Repeating(options.clock, async (signal) => await this.#sweep(signal));
  }

  /** Deletes no more. */
  close(): void {
    this.#repeating.close();
  }

  async #sweep(signal: AbortSignal): Promise<number> {
    const { database, bucket, observe } = this.#options;
    let deleted: readonly string[] = [];
    try {
      while (!signal.aborted) {
        const argument = { deleted, limit: maxObjects };
        const result = await database.call("chat_take_deleted_objects", argument, service);
        const { paths } = parse(Deleted, result, "store_refused");
        if (paths.length === 0) break;
        await bucket.remove(paths);
        deleted = paths;
      }
    } catch (error) {
      // Readiness reports the database itself; the next run catches up.
      if (!signal.aborted) observe({ type: "store-trouble", error: toAppError(error) });
    }
    return intervalMs;
  }
}
