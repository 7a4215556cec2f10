/** Applies the schema to a Postgres database: one migration at a time, without blocking running servers. */
import { setTimeout as delay } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { callDeadlineMs } from "../database/database.ts";
import { isLockConflict } from "../database/sql-failure.ts";
import { parseSchemaRange } from "./schema-version.ts";
import { toClientConfig, toConnectionSettings } from "../database/postgres/postgres-url.ts";
import { toPostgresFailure } from "../database/postgres/postgres.ts";

/** How long to wait for other migrations and transactions, in milliseconds. */
const patienceMs = 60_000;
const firstPauseMs = 500;
const maxPauseMs = 8_000;

/**
 * The lock that the schema itself takes. It ends with the transaction: a session lock would outlive it in a
 * pooler.
 */
const lockSql = "select pg_try_advisory_xact_lock(hashtext('foreword schema')) as is_taken";
const Locked = z.object({ is_taken: z.boolean() });
const findSql = "select to_regprocedure('public.chat_describe_schema(jsonb)') is not null as is_there";
const Found = z.object({ is_there: z.boolean() });
const Described = z.object({ description: z.unknown() });

/** The result of a migration. */
export interface AppliedSchema {
  /** The version before; `undefined` if there was none, or it is unknown. */
  readonly from: number | undefined;
  readonly to: number;
}

/**
 * Runs `sql`, which is one transaction, on the Postgres at `url`, however long that takes. While another
 * migration runs, or another transaction holds a table, it tries again for a minute; `tell` gets a sentence
 * each time.
 * @param authorities as in `PostgresOptions`.
 * @throws AppError as from a call, and `store_schema_mismatch` if the database has a newer schema.
 */
export async function applySchema(
  url: string,
  sql: string,
  tell: (sentence: string) => void,
  authorities?: string,
): Promise<AppliedSchema> {
  const config = await toClientConfig(toConnectionSettings(url, authorities)).catch((error: unknown) => {
    throw toPostgresFailure(error);
  });
  const client = new Client({
    ...config,
    connectionTimeoutMillis: callDeadlineMs,
    application_name: "foreword migrate",
  });
  // A broken connection also fails the query, which reports the error.
  client.on("error", () => {});
  try {
    await client.connect();
    return await applyPatiently(client, sql, tell);
  } catch (error) {
    throw withHint(toPostgresFailure(error), error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Returns `failure` with the hint of the schema, or of Postgres, as its advice. */
function withHint(failure: AppError, error: unknown): AppError {
  if (failure.advice !== undefined || !(error instanceof DatabaseError) || error.hint === undefined)
    return failure;
  return new AppError(failure.code, failure.message, {
    cause: error,
    advice: error.hint.replace(/\.$/, "").replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase()),
  });
}

async function applyPatiently(
  client: Client,
  sql: string,
  tell: (sentence: string) => void,
): Promise<AppliedSchema> {
  const endsAtMs = performance.now() + patienceMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
    const applied = await applyOnce(client, sql);
    if (typeof applied !== "string") return applied;
    if (performance.now() + pauseMs > endsAtMs)
      throw new AppError("store_unavailable", `${applied}; gave up after ${patienceMs / 1_000} s`, {
        advice: "end it (pg_stat_activity lists it), then run this again: nothing was changed",
      });
    tell(`${applied}; trying again in ${pauseMs / 1_000} s`);
    await delay(pauseMs);
  }
}

/** Resolves with the result, or with a sentence about the obstacle. */
async function applyOnce(client: Client, sql: string): Promise<AppliedSchema | string> {
  await client.query(
    "begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0",
  );
  if (!Locked.parse((await client.query(lockSql)).rows[0]).is_taken) {
    await client.query("rollback");
    return "another migration is running";
  }
  try {
    const from = await findVersion(client);
    await client.query(sql); // it commits
    return { from, to: await readVersion(client) };
  } catch (error) {
    await client.query("rollback");
    if (!(error instanceof DatabaseError && isLockConflict(error.code))) throw error;
    return "another transaction holds a table";
  }
}

/**
 * Resolves with the version of the schema; `undefined` if there is none, or its tables are gone. Call it in a
 * transaction.
 */
async function findVersion(client: Client): Promise<number | undefined> {
  if (!Found.parse((await client.query(findSql)).rows[0]).is_there) return undefined;
  await client.query("savepoint description");
  try {
    return await readVersion(client);
  } catch {
    await client.query("rollback to savepoint description");
    return undefined;
  }
}

async function readVersion(client: Client): Promise<number> {
  const { rows } = await client.query("select public.chat_describe_schema('{}') as description");
  return parseSchemaRange(Described.parse(rows[0]).description).version;
}
