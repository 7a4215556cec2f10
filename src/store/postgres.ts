/** Owns rows in any Postgres, through `pg`: no session state and no named statements, so that a pooler may stand between. */
import { DatabaseError, Pool } from "pg";
import { AppError } from "../errors.ts";
import type { Caller, Clock } from "../turn/ports.ts";
import {
  callDeadlineMs,
  toArgument,
  type Database,
  type FunctionName,
  type JsonObject,
  type OnDatabaseTrouble,
} from "./database.ts";
import { toStoreFailure, withDeadline } from "./store-failure.ts";

/** Where Postgres is. */
export interface PostgresOptions {
  readonly url: string;
  /** The most connections that are open at once. */
  readonly poolSize: number;
}

/** A Postgres with the schema in it. */
export class PostgresDatabase implements Database {
  readonly #pool: Pool;
  readonly #clock: Clock;

  constructor(options: PostgresOptions, clock: Clock, onTrouble: OnDatabaseTrouble) {
    this.#clock = clock;
    this.#pool = new Pool({
      connectionString: options.url,
      max: options.poolSize,
      connectionTimeoutMillis: callDeadlineMs,
      query_timeout: callDeadlineMs,
      application_name: "foreword",
      keepAlive: true,
    });
    this.#pool.on("error", (error) => onTrouble(toPostgresFailure(error)));
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown> {
    const text = `select public.${name}($1::jsonb)::text as result`;
    // It becomes JSON when a connection takes it: of what waits for one there is no second copy.
    const value = { toPostgres: () => JSON.stringify(toArgument(argument, caller, version)) };
    const query = this.#pool.query<{ result: string | null }>(text, [value]);
    const { rows } = await withDeadline(this.#clock, query).catch((error: unknown) => {
      throw toPostgresFailure(error);
    });
    const result: unknown = JSON.parse(rows[0]?.result ?? "null");
    return result;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

/** Returns the failure that an error of `pg` stands for: what the server says has a SQLSTATE, all else means that it could not be asked. */
export function toPostgresFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof DatabaseError) return toStoreFailure(error.code ?? "", error.message, error);
  // A host with several addresses fails with one error for each, and an empty message.
  const message = error instanceof AggregateError ? error.errors.map(String).join("; ") : String(error);
  return toStoreFailure("", message, error);
}
