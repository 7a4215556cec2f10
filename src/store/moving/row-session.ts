/** A session with the tables themselves, as the schema's owner: for moving rows, not for serving. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { lockFolder } from "../data-folder.ts";
import { callDeadlineMs, toArgument, type Database } from "../database/database.ts";
import type { SessionOptions } from "../database/pglite/pglite-session.ts";
import { toPostgresFailure, type PostgresOptions } from "../database/postgres/postgres.ts";
import { toClientConfig, toConnectionSettings } from "../database/postgres/postgres-url.ts";
import { toStoreFailure } from "../database/sql-failure.ts";
import { migrateAdvice, parseSchemaRange } from "../schema/schema-version.ts";
import { renameTables, type TableNames } from "../schema/schema.ts";

const Described = z.tuple([z.object({ description: z.unknown() })]);
const Called = z.tuple([z.object({ result: z.unknown() })]);

/** A session. */
export interface RowSession {
  /**
   * Runs one statement, which names tables by their default names.
   * @throws AppError with a `store_…` code.
   */
  query(sql: string, values?: readonly string[]): Promise<readonly unknown[]>;
  /** Shortens the database's own log, where nothing else does. */
  checkpoint(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a session with Postgres. @throws AppError with a `store_…` code. */
export async function openPostgresRows(
  { url, authorities }: PostgresOptions,
  names: TableNames,
): Promise<RowSession> {
  const config = await toClientConfig(toConnectionSettings(url, authorities)).catch(failAsPostgres);
  const client = new Client({
    ...config,
    connectionTimeoutMillis: callDeadlineMs,
    application_name: "foreword moving",
  });
  // A broken connection also fails the query, which reports the error.
  client.on("error", () => {});
  await client.connect().catch(failAsPostgres);
  return {
    query: async (sql, values = []) => {
      const { rows } = await client
        .query<object>(renameTables(sql, names), [...values])
        .catch(failAsPostgres);
      return rows;
    },
    checkpoint: async () => {},
    close: async () => await client.end(),
  };
}

/** Whether `dataDir` holds an embedded database. */
export function hasEmbedded(dataDir: string): boolean {
  return existsSync(toFolder(dataDir));
}

/**
 * Opens the embedded database in `dataDir` as the server does, and locks it.
 * @throws AppError `store_locked` if a server has it open, or another `store_…` code.
 */
export async function openEmbeddedRows(
  dataDir: string,
  options: Omit<SessionOptions, "folder">,
): Promise<RowSession> {
  const lock = lockFolder(join(dataDir, "database"));
  const { openPglite, toSessionFailure } = await import("../database/pglite/pglite-session.ts");
  const fail = (error: unknown): never => {
    const { code, message } = toSessionFailure(error);
    throw toStoreFailure(code, code === "" ? `the embedded database: ${message}` : message, error);
  };
  try {
    const database = await openPglite({ folder: toFolder(dataDir), ...options }).catch(fail);
    return {
      query: async (sql, values = []) => {
        const { rows } = await database.query(renameTables(sql, options.tables), [...values]).catch(fail);
        return rows;
      },
      checkpoint: async () => void (await database.exec("checkpoint").catch(fail)),
      close: async () => {
        await database.exec("rollback; checkpoint").catch(() => {}); // the next start reads the log instead
        await database.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function toFolder(dataDir: string): string {
  return join(dataDir, "database", "pglite");
}

/** Rejects with the failure; one about rights says whose are needed. */
function failAsPostgres(cause: unknown): never {
  const error = toPostgresFailure(cause);
  if (!/^42501|row-level security/.test(error.message)) throw error;
  const advice = "set DATABASE_URL to the user who runs `foreword migrate`: the tables' owner";
  throw new AppError(error.code, error.message, { cause, advice });
}

/** Resolves with the version of the schema. @throws AppError `store_schema_missing` if there is none. */
export async function readSchemaVersion(session: RowSession): Promise<number> {
  const asked = session.query("select public.chat_describe_schema('{}') as description");
  const rows = await asked.catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== "store_schema_missing") throw error;
    throw new AppError(error.code, error.message, { cause: error, advice: migrateAdvice });
  });
  return parseSchemaRange(Described.parse(rows)[0].description).version;
}

/** The functions of the schema, called in a session. */
export function toDatabase(session: RowSession): Database {
  return {
    call: async (name, argument, caller, version) => {
      const values = [JSON.stringify(toArgument(argument, caller, version))];
      const rows = await session.query(`select public.${name}($1::jsonb) as result`, values);
      return Called.parse(rows)[0].result;
    },
    close: async () => await session.close(),
  };
}
