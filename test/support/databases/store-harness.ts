/** The three databases of the store's tests, each opened as the server opens it. */
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { Client } from "pg";
import { z } from "zod";
import { parseConfig } from "../../../src/config/config.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { openDatabase as openStoreDatabase } from "../../../src/store/open-store.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { defaultTables } from "./default-tables.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";
import { makeFolder } from "../apps/start-app.ts";
import { fillDataFolder } from "./pglite-template.ts";
import { startSupabaseStack, type StackOptions, type SupabaseStack } from "./supabase-stack.ts";

const Rows = z.array(z.record(z.string(), z.unknown()));
/** A text of several statements, like the schema, has one result for each: none is used. */
const Result = z.union([z.array(z.unknown()).transform(() => ({ rows: [] })), z.object({ rows: Rows })]);
type Row = Record<string, unknown>;

/** A database under test. */
export interface StoreHarness {
  readonly name: string;
  /** The variables of an app that uses it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Opens it as the server does. */
  open(clock: Clock): Promise<Database>;
  /**
   * Runs SQL as the database's owner, in one transaction, while no app has it open; returns the last rows.
   */
  sql(...statements: string[]): Promise<Row[]>;
  stop(): Promise<void>;
}

/** Opens the database of an app with `variables`. */
export async function openDatabase(
  variables: Readonly<Record<string, string>>,
  clock: Clock,
): Promise<Database> {
  const { store } = parseConfig(variables).app;
  if (store.type === "none") throw new Error("no database is configured");
  await fillDataFolder(store);
  return await openStoreDatabase(store, clock, () => {});
}

/** The embedded database, in a folder of its own. @param more variables for it. */
export async function startPglite(more: Readonly<Record<string, string>> = {}): Promise<StoreHarness> {
  const folder = await makeFolder();
  const variables = { DATA_DIR: folder.path, ...more };
  return {
    name: "PGlite",
    variables,
    open: (clock) => openDatabase(variables, clock),
    sql: async (...statements) => {
      const extensions = "EMBEDDINGS_MODEL" in more ? { vector } : {};
      const database = await PGlite.create({
        dataDir: join(folder.path, "database", "pglite"),
        extensions,
      });
      try {
        return await database.transaction(async (transaction) => {
          let rows: Row[] = [];
          for (const statement of statements) rows = Rows.parse((await transaction.query(statement)).rows);
          return rows;
        });
      } finally {
        await database.close();
      }
    },
    stop: () => folder.remove(),
  };
}

/** Runs statements in one transaction on the Postgres at `url`; returns the rows of the last. */
export async function runSql(url: string, statements: readonly string[]): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("begin");
    let rows: Row[] = [];
    for (const statement of statements) {
      const result: unknown = await client.query(statement);
      rows = Result.parse(result).rows;
    }
    await client.query("commit");
    return rows;
  } finally {
    await client.end();
  }
}

/** Resolves with the schema for tables of the usual names. */
async function loadOwnSchema(): Promise<string> {
  return await loadSchema(defaultTables);
}

/** A Postgres with the schema applied. @param binaries as in `PostgresOptions`. */
export async function startPostgresHarness(
  binaries?: string,
): Promise<StoreHarness & { readonly server: PostgresServer }> {
  const server = await startPostgres({ binaries, setup: [await loadOwnSchema()] });
  const variables = { DATABASE_URL: server.url };
  return {
    name: "Postgres",
    server,
    variables,
    open: (clock) => openDatabase(variables, clock),
    sql: (...statements) => runSql(server.url, statements),
    stop: () => server.stop(),
  };
}

/** A Postgres whose database knows no letters beyond ASCII (`lc_ctype` is C), with the schema applied. */
export async function startAsciiPostgresHarness(): Promise<StoreHarness> {
  const server = await startPostgres();
  const own = new Client({ connectionString: server.url });
  await own.connect();
  await own.query("create database ascii encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0");
  await own.end();
  const url = new URL(server.url);
  url.pathname = "/ascii";
  const variables = { DATABASE_URL: url.href };
  await runSql(url.href, [await loadOwnSchema()]);
  return {
    name: "Postgres with the locale C",
    variables,
    open: (clock) => openDatabase(variables, clock),
    sql: (...statements) => runSql(url.href, statements),
    stop: () => server.stop(),
  };
}

/** Supabase's stack, a real PostgREST in front of a real Postgres, with the schema applied. */
export async function startSupabaseHarness(
  options: StackOptions = {},
): Promise<StoreHarness & { readonly stack: SupabaseStack }> {
  const stack = await startSupabaseStack({
    ...options,
    setup: [...(options.setup ?? []), await loadOwnSchema()],
  });
  const variables = { SUPABASE_URL: stack.url, SUPABASE_SERVICE_ROLE_KEY: stack.serviceRoleKey };
  return {
    name: "PostgREST",
    stack,
    variables,
    open: (clock) => openDatabase(variables, clock),
    sql: (...statements) => runSql(stack.databaseUrl, statements),
    stop: () => stack.stop(),
  };
}

/** Starts each kind of store. */
export const allStores = [startPglite, startPostgresHarness, startSupabaseHarness] as const;
