/** Owns databases that a test asks in SQL, Postgres and PGlite alike, and the door to the chat functions in them. */
import type { PGliteInterface } from "@electric-sql/pglite";
import { Client } from "pg";
import { z } from "zod";
import { toArgument, type Database } from "../../src/store/database.ts";

type Row = Record<string, unknown>;
const Names = z.array(z.object({ name: z.string() }));

/** One session with a database. */
export interface Scratch {
  /** Runs a text of any number of statements. */
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

/** The session with `database`, which is closed with it. */
export function toScratch(database: PGliteInterface): Scratch {
  return {
    apply: async (text) => void (await database.exec(text)),
    sql: async (text, values = []) => (await database.query<Row>(text, [...values])).rows,
    close: () => database.close(),
  };
}

/** Returns the column `name` of the rows that `sql` answers with. */
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
