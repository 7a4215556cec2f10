/** Rows in any Postgres, through `pg`: without session state or named statements, for use behind a pooler. */
import { DatabaseError } from "pg";
import { AppError } from "../../../base/errors.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Caller } from "../../../base/caller.ts";
import type { JsonObject } from "../../../base/json.ts";
import { toJsonBytes } from "../../../base/json/long-json.ts";
import type { PoolState } from "../../../base/semaphore.ts";
import {
  callDeadlineMs,
  toArgument,
  toArgumentText,
  type Database,
  type FunctionName,
  type OnDatabaseTrouble,
} from "../database.ts";
import { ConnectionLost, PostgresPool } from "./postgres-pool.ts";
import { toClientConfig, toConnectionSettings, type ConnectionSettings } from "./postgres-url.ts";
import { SecondTries } from "../second-tries.ts";
import { toStoreFailure } from "../sql-failure.ts";

/** How to reach Postgres. */
export interface PostgresOptions {
  readonly url: string;
  /** The authorities that its certificate must come from: PEM, or the path of a PEM file. */
  readonly authorities?: string | undefined;
  /** The most connections open at the same time. */
  readonly poolSize: number;
  /** Whether one more connection listens for other servers; absent for no. */
  readonly wakeUps?: boolean;
}

/** A Postgres with the schema. */
export class PostgresDatabase implements Database {
  readonly #settings: ConnectionSettings;
  readonly #poolSize: number;
  readonly #clock: Clock;
  readonly #onTrouble: OnDatabaseTrouble;
  readonly #tries: SecondTries;
  #pool: Promise<PostgresPool> | undefined;
  #opened: PostgresPool | undefined;

  /** @throws AppError `store_unavailable` for a TLS setting that cannot be used. */
  constructor(options: PostgresOptions, clock: Clock, onTrouble: OnDatabaseTrouble) {
    this.#settings = toConnectionSettings(options.url, options.authorities);
    this.#poolSize = options.poolSize;
    this.#clock = clock;
    this.#onTrouble = onTrouble;
    this.#tries = new SecondTries(Math.ceil(options.poolSize / 2));
  }

  get pool(): PoolState {
    return this.#opened?.state ?? { max: this.#poolSize, available: this.#poolSize, waiting: 0 };
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown> {
    // Converted to JSON when a connection takes it: a waiting call holds no second copy.
    const toSent = (): string | Promise<Buffer> => {
      const text = toArgumentText(toArgument(argument, caller, version));
      return typeof text === "string" ? text : toJsonBytes(text);
    };
    const dueMs = this.#clock.monotonicMs() + callDeadlineMs;
    const ask = async (isSecond: boolean, signal: AbortSignal): Promise<string> => {
      const pool = await this.#openPool();
      return await pool.run({
        name,
        toArgument: toSent,
        dueMs,
        signal,
        heardSinceMs: isSecond ? dueMs - callDeadlineMs : Number.NEGATIVE_INFINITY,
      });
    };
    const text = await this.#tries.run(name, { clock: this.#clock, ask, isLoss }).catch((error: unknown) => {
      throw toPostgresFailure(error);
    });
    const result: unknown = JSON.parse(text);
    return result;
  }

  async close(): Promise<void> {
    const pool = await this.#pool?.catch(() => undefined);
    await pool?.close();
  }

  /** The pool, created by the first call: only then is the server asked for TLS, if that matters. */
  async #openPool(): Promise<PostgresPool> {
    this.#pool ??= toClientConfig(this.#settings).then((config) => {
      const pooled = { ...config, max: this.#poolSize, application_name: "foreword" };
      this.#opened = new PostgresPool(pooled, this.#clock, (error) =>
        this.#onTrouble(toPostgresFailure(error)),
      );
      return this.#opened;
    });
    return await this.#pool.catch((error: unknown) => {
      this.#pool = undefined;
      throw error;
    });
  }
}

/** The connection was lost during the call. */
function isLoss(error: unknown): boolean {
  return error instanceof ConnectionLost;
}

/**
 * Returns the failure for an error of `pg`: the server's own errors carry a SQLSTATE; all others mean that it
 * could not be reached.
 */
export function toPostgresFailure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof ConnectionLost) return toPostgresFailure(error.cause);
  if (error instanceof DatabaseError)
    return toStoreFailure(error.code ?? "", withAdvice(error.message, error.code), error);
  // A host with several addresses fails with one error each, and an empty message.
  const message = error instanceof AggregateError ? error.errors.map(String).join("; ") : String(error);
  return toStoreFailure("", withAdvice(message, toCode(error)), error);
}

function toCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** Returns `message`, with advice on the settings if TLS is the reason. */
function withAdvice(message: string, code = ""): string {
  if (/SELF_SIGNED|UNABLE_TO_|CERT_UNTRUSTED|ISSUER/.test(code))
    return `${message}; set DATABASE_CA to the certificate of its authority, or sslmode=require in DATABASE_URL to encrypt without checking it`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `${message}; connect by a name in the certificate, or set sslmode=verify-ca in DATABASE_URL`;
  if (/does not support SSL/.test(message)) return `${message}; remove sslmode from DATABASE_URL`;
  if (code === "28000" && /no encryption|SSL off/.test(message))
    return `${message}; add sslmode=require to DATABASE_URL`;
  return message;
}
