/** Databases that tests query in SQL, Postgres and PGlite alike, and a door to the chat functions in them. */
import type { PGliteInterface } from "@electric-sql/pglite";
import { Client } from "pg";
import { z } from "zod";
import { toArgument, type Database } from "../../src/store/database/database.ts";

type Row = Record<string, unknown>;
const Names = z.array(z.object({ name: z.string() }));

/** The tables of the old service with its policies; run after {@link supabaseBasics}. */
export const oldTables = `
create table conversations (
  id uuid default gen_random_uuid() primary key, title text not null, user_id uuid, created_at timestamptz default now());
create table messages (
  id uuid default gen_random_uuid() primary key, conversation_id uuid not null references conversations on delete cascade,
  role text not null check (role in ('user','assistant','system')), content text, metadata jsonb default '{}',
  created_at timestamptz not null default now());
alter table conversations enable row level security;
alter table messages enable row level security;
create policy "Own conversations" on conversations for all using (auth.uid() = user_id) with check (auth.uid() = user_id);
create policy "Messages of own conversations" on messages for all
  using (exists (select 1 from conversations c where c.id = messages.conversation_id and c.user_id = auth.uid()))
  with check (exists (select 1 from conversations c where c.id = messages.conversation_id and c.user_id = auth.uid()));
grant all on conversations, messages to anon, authenticated, service_role;`;

/**
 * Supabase's own objects: the roles, auth.uid(), and, in projects made before 2026, open default privileges.
 */
export const supabaseBasics = `
do $$ declare v_role text; begin
  foreach v_role in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = v_role) then execute format('create role %I nologin', v_role); end if;
  end loop;
end $$;
create schema auth;
grant usage on schema auth to anon, authenticated, service_role;
create function auth.uid() returns uuid language sql stable as
  $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;`;

/** A session with a database. */
export interface Scratch {
  /** Runs any number of statements. */
  apply(text: string): Promise<void>;
  /** Runs one statement. */
  sql(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Opens a session with the Postgres at `url`. */
export async function openPostgres(url: string): Promise<Scratch> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    apply: async (text) => void (await client.query(text)),
    sql: async (text, values = []) => (await client.query<Row>(text, [...values])).rows,
    close: () => client.end(),
  };
}

/** Returns a session with `database`, which closes with it. */
export function toScratch(database: PGliteInterface): Scratch {
  return {
    apply: async (text) => void (await database.exec(text)),
    sql: async (text, values = []) => (await database.query<Row>(text, [...values])).rows,
    close: () => database.close(),
  };
}

/** Returns the column `name` of the rows that `sql` returns. */
export async function listNames(
  scratch: Scratch,
  sql: string,
  values: readonly unknown[] = [],
): Promise<string[]> {
  return Names.parse(await scratch.sql(sql, values)).map(({ name }) => name);
}

/** The database as the store sees it. */
export function toDatabase(scratch: Scratch): Database {
  return {
    call: async (name, argument, caller) => {
      const values = [JSON.stringify(toArgument(argument, caller))];
      const [row] = await scratch.sql(`select public.${name}($1::jsonb) as result`, values);
      return row?.["result"];
    },
    close: async () => {},
  };
}
