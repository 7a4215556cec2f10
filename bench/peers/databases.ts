/** Fresh databases for Foreword, with the schema applied and calls counted. */
import { Client } from "pg";
import { z } from "zod";
import { applySchema } from "../../src/store/schema/apply-schema.ts";
import { loadSchema } from "../../src/store/schema/schema.ts";
import { startPostgres } from "../../test/support/databases/postgres-server.ts";
import { startSupabaseStack } from "../../test/support/databases/supabase-stack.ts";
import { atEnd } from "../clean-up.ts";

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

const tables = { conversations: "conversations", messages: "messages", turns: "turns" };

const endOthers = `
  select count(pg_terminate_backend(pid, 5000))
  from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'`;
const readFunctions = `
  select funcname as name, calls::float8
  from pg_stat_user_functions where funcname like 'chat\\_%'`;
const readRows = `
  select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::float8 as rows
  from pg_stat_user_tables`;

const Functions = z.array(z.object({ name: z.string(), calls: z.number() }));
const Rows = z.tuple([z.object({ rows: z.number() })]);

/** Functions called by other functions; the server itself calls them only with the anonymous key. */
const innerFunctions = new Set([
  "chat_save_messages",
  "chat_check_version",
  "chat_become_user",
  "chat_become_caller",
  "chat_bury_conversations",
]);

async function query(url: string, sql: string): Promise<unknown[]> {
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

async function prepare(url: string): Promise<void> {
  await applySchema(url, await loadSchema(tables), () => {});
  await query(url, "alter database postgres set track_functions = 'all'");
}

/** Starts Postgres; without `autovacuum` it collects no statistics by itself. */
export async function openPostgres({ autovacuum = true } = {}): Promise<BenchDatabase> {
  const server = await startPostgres();
  const close = atEnd(() => server.stop());
  await prepare(server.url);
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

/** Starts Postgres behind PostgREST, as Supabase runs it. */
export async function openSupabase(): Promise<BenchDatabase> {
  const stack = await startSupabaseStack();
  const close = atEnd(() => stack.stop());
  await prepare(stack.databaseUrl);
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
