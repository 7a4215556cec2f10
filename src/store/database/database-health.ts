/** Tracks how long the database has been healthy, and whether it accepted the last write. */
import { toAppError, type AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import type { JsonObject } from "../../base/json.ts";
import type { PoolState } from "../../base/semaphore.ts";
import type { Database, FolderCopying, FunctionName } from "./database.ts";
import { isRolledBack } from "./sql-failure.ts";

/** The calls by which owners see each other alive: any refusal counts as silence. */
const signsOfLife: ReadonlySet<FunctionName> = new Set(["chat_save_progress", "chat_list_abandoned_turns"]);

/** Calls that store messages: one success shows that the database accepts writes. */
const writes: ReadonlySet<FunctionName> = new Set([
  "chat_begin_turn",
  "chat_end_turn",
  "chat_save_messages",
  "chat_try_write",
]);
/** Smaller writes: a failure with a `store_…` code shows that the database accepts no writes. */
const lesserWrites: ReadonlySet<FunctionName> = new Set([
  "chat_save_progress",
  "chat_take_requests",
  "chat_create_conversation",
  "chat_update_conversation",
  "chat_delete_conversations",
]);

/** A write that the database did not accept. */
interface FailedWrite {
  readonly error: AppError;
  /** When it failed, in the clock's monotonic time. */
  readonly atMs: number;
}

/**
 * Called after a call, with its time, waits and repetitions included, and the reason why it failed. That time
 * begins once the embedded database is open.
 */
export type OnCall = (name: FunctionName, durationMs: number, error: AppError | undefined) => void;

/** A database whose calls reveal its health. A call rolled back as a deadlock's victim is repeated once. */
export class DatabaseHealth implements Database {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #onCall: OnCall;
  /** Since when every call has succeeded. */
  #healthySinceMs: number | undefined;
  #failedWrite: FailedWrite | undefined;
  #isOpened = false;

  /** @param onCall called after each call. */
  constructor(database: Database, clock: Clock, onCall: OnCall = () => {}) {
    this.#database = database;
    this.#clock = clock;
    this.#onCall = onCall;
  }

  /** For how long every call has succeeded, in milliseconds; 0 after a failure. */
  get healthyMs(): number {
    return this.#healthySinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#healthySinceMs;
  }

  /** The last write, if the database did not accept it. */
  get failedWrite(): FailedWrite | undefined {
    return this.#failedWrite;
  }

  get pool(): PoolState | undefined {
    return this.#database.pool;
  }

  get copying(): FolderCopying | undefined {
    return this.#database.copying;
  }

  get opened(): Promise<void> | undefined {
    return this.#database.opened;
  }

  get schemaVersion(): number | undefined {
    return this.#database.schemaVersion;
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller): Promise<unknown> {
    let startMs = this.#clock.monotonicMs();
    try {
      if (!this.#isOpened) {
        await this.#database.opened?.catch(() => {}); // the call tells why
        this.#isOpened = true;
        startMs = this.#clock.monotonicMs();
      }
      const attempt = async (): Promise<unknown> => await this.#database.call(name, argument, caller);
      const result = await attempt().catch(async (error: unknown) => {
        if (!isRolledBack(error)) throw error;
        return await attempt();
      });
      this.#healthySinceMs ??= this.#clock.monotonicMs();
      if (writes.has(name)) this.#failedWrite = undefined;
      this.#onCall(name, this.#clock.monotonicMs() - startMs, undefined);
      return result;
    } catch (cause) {
      const error = toAppError(cause);
      this.#onCall(name, this.#clock.monotonicMs() - startMs, error);
      const isOfStore = error.code.startsWith("store_");
      if (error.code === "store_unavailable" || (signsOfLife.has(name) && isOfStore))
        this.#healthySinceMs = undefined;
      if (writes.has(name) || (isOfStore && lesserWrites.has(name)))
        this.#failedWrite = { error, atMs: this.#clock.monotonicMs() };
      throw cause;
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
