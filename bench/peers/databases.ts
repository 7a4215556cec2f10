/** Fresh databases for Foreword, with the schema applied and calls counted. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { z } from "zod";
import { startPostgres } from "../../test/support/databases/postgres-server.ts";
import { startSupabaseStack } from "../../test/support/databases/supabase-stack.ts";
import { atEnd } from "../clean-up.ts";
import { ownCheckout } from "./checkout.ts";

/** Work that a database has done so far. */
export interface DatabaseUsage {
  /** Number of calls of each function. */
  readonly calls: Readonly<Record<string, number>>;
  /** Number of table rows read. */
  readonly rows: number;
}

/** A database in a server of its own. */
export interface BenchDatabase {
  /** Environment variables that point Foreword at it. */
  readonly variables: Readonly<Record<string, string>>;
  readonly port: number;
  /** Its first process, whose children serve. */
  readonly pid: number;
  /**
   * Resolves with the work done for all clients, after it has ended their connections: Postgres counts then.
   */
  readUsage(): Promise<DatabaseUsage>;
  /** Updates the planner's statistics. */
  analyze(): Promise<void>;
  close(): Promise<void>;
}

const endOthers = `
  select count(pg_terminate_backend(pid, 5000))
  from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'`;
const readFunctions = `
  select funcname as name, calls::float8
  from pg_stat_user_functions s join pg_proc p on p.oid = s.funcid
  where funcname like 'chat\\_%' and prorettype not in ('trigger'::regtype, 'void'::regtype)`;
const readRows = `
  select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::float8 as rows
  from pg_stat_user_tables`;

const Functions = z.array(z.object({ name: z.string(), calls: z.number() }));
const Rows = z.tuple([z.object({ rows: z.number() })]);

/** Functions called by other functions; the server itself calls them only with the anonymous key. */
const innerFunctions = new Set(["chat_save_messages"]);

/** Runs statements on a connection of their own; resolves with the rows. */
export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(sql).finally(() => client.end());
  return rows;
}

async function readUsage(url: string): Promise<DatabaseUsage> {
  await query(url, endOthers);
  const functions = Functions.parse(await query(url, readFunctions)).filter(
    ({ name }) => !innerFunctions.has(name),
  );
  const [{ rows }] = Rows.parse(await query(url, readRows));
  return {
    calls: Object.fromEntries(functions.map(({ name, calls }) => [name, calls])),
    rows,
  };
}

/** Applies the schema of the checkout at `root`; applied again, it creates what is missing. */
export async function applySchemaOf(root: string, url: string): Promise<void> {
  await query(url, await readFile(join(root, "supabase_schema.sql"), "utf8"));
}

async function prepare(url: string, root: string): Promise<void> {
  await applySchemaOf(root, url);
  await query(url, "alter database postgres set track_functions = 'all'");
}

/** Starts Postgres with a checkout's schema; without `autovacuum` it collects no statistics by itself. */
export async function openPostgres({
  autovacuum = true,
  root = ownCheckout.root,
} = {}): Promise<BenchDatabase> {
  const server = await startPostgres();
  const close = atEnd(() => server.stop());
  await prepare(server.url, root);
  if (!autovacuum) {
    await query(server.url, "alter system set autovacuum = off");
    await query(server.url, "select pg_reload_conf()");
  }
  return {
    variables: { DATABASE_URL: server.url },
    port: server.port,
    pid: server.pid,
    readUsage: () => readUsage(server.url),
    analyze: async () => void (await query(server.url, "analyze")),
    close,
  };
}

/** Starts Postgres with the schema of a checkout behind PostgREST, as Supabase runs it. */
export async function openSupabase(root: string): Promise<BenchDatabase> {
  const stack = await startSupabaseStack();
  const close = atEnd(() => stack.stop());
  await prepare(stack.databaseUrl, root);
  await stack.reloadSchema();
  return {
    variables: { SUPABASE_URL: stack.url, SUPABASE_SERVICE_ROLE_KEY: stack.serviceRoleKey },
    port: stack.postgres.port,
    pid: stack.postgres.pid,
    readUsage: () => readUsage(stack.databaseUrl),
    analyze: async () => void (await query(stack.databaseUrl, "analyze")),
    close,
  };
}
