/** Remembers how a database has done: for how long it has answered every call, and whether it took the last write. */
import { toAppError, type AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import type { Database, FunctionName, JsonObject } from "./database.ts";
import { isUndone } from "./sql-failure.ts";

/** The calls by which owners are alive to each other: refused, for whatever reason, they tell nothing. */
const signsOfLife: ReadonlySet<FunctionName> = new Set(["chat_save_progress", "chat_list_abandoned_turns"]);

/** Calls that store messages: a successful one shows that the store takes writes. */
const writes: ReadonlySet<FunctionName> = new Set([
  "chat_begin_turn",
  "chat_end_turn",
  "chat_save_messages",
  "chat_try_write",
]);
/** Calls that write less: one that fails with a `store_…` code shows that the store takes no writes. */
const lesserWrites: ReadonlySet<FunctionName> = new Set([
  "chat_save_progress",
  "chat_take_requests",
  "chat_create_conversation",
  "chat_update_conversation",
  "chat_delete_conversations",
]);

/** A write that the store did not take. */
interface FailedWrite {
  readonly error: AppError;
  /** When it failed, by the clock's monotonic time. */
  readonly atMs: number;
}

/** A database whose health is watched by its calls; one that it undid as a deadlock's victim is made again, once. */
export class DatabaseHealth implements Database {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #onResult: (name: FunctionName) => void;
  /** When the first of the calls was answered that all have been since. */
  #healthySinceMs: number | undefined;
  #failedWrite: FailedWrite | undefined;

  /** @param onResult told of every call that was answered. */
  constructor(database: Database, clock: Clock, onResult: (name: FunctionName) => void = () => {}) {
    this.#database = database;
    this.#clock = clock;
    this.#onResult = onResult;
  }

  /** For how long every call has been answered, in milliseconds; 0 since one was not. */
  get healthyMs(): number {
    return this.#healthySinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#healthySinceMs;
  }

  /** The last write, if the store did not take it. */
  get failedWrite(): FailedWrite | undefined {
    return this.#failedWrite;
  }

  get schemaVersion(): number | undefined {
    return this.#database.schemaVersion;
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller): Promise<unknown> {
    try {
      const ask = async (): Promise<unknown> => await this.#database.call(name, argument, caller);
      const answer = await ask().catch(async (error: unknown) => {
        if (!isUndone(error)) throw error;
        return await ask();
      });
      this.#healthySinceMs ??= this.#clock.monotonicMs();
      if (writes.has(name)) this.#failedWrite = undefined;
      this.#onResult(name);
      return answer;
    } catch (cause) {
      const error = toAppError(cause);
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
