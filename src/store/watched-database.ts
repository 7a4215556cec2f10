/** Owns the knowledge of how long a database has answered every call. */
import { toAppError } from "../errors.ts";
import type { Caller, Clock } from "../turn/ports.ts";
import type { Database, FunctionName, JsonObject } from "./database.ts";

/** The calls by which owners are alive to each other: refused, for whatever reason, they tell nothing. */
const signsOfLife: ReadonlySet<FunctionName> = new Set(["chat_save_progress", "chat_list_abandoned_turns"]);

/** A database whose health is watched by its calls. */
export class WatchedDatabase implements Database {
  readonly #database: Database;
  readonly #clock: Clock;
  /** When the first of the calls was answered that all have been since. */
  #healthySinceMs: number | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** For how long every call has been answered, in milliseconds; 0 since one was not. */
  get healthyMs(): number {
    return this.#healthySinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#healthySinceMs;
  }

  get schemaVersion(): number | undefined {
    return this.#database.schemaVersion;
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller): Promise<unknown> {
    try {
      const answer = await this.#database.call(name, argument, caller);
      this.#healthySinceMs ??= this.#clock.monotonicMs();
      return answer;
    } catch (error) {
      const { code } = toAppError(error);
      if (code === "store_unavailable" || (signsOfLife.has(name) && code.startsWith("store_")))
        this.#healthySinceMs = undefined;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
