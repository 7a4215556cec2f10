/** The columns of tables that move. */
import { z } from "zod";
import type { RowSession } from "./row-session.ts";

const Columns = z.array(z.object({ name: z.string(), type: z.string() }));

/** A column, and its type as Postgres writes it. */
export type Column = z.output<typeof Columns>[number];

/** Resolves with a table's columns, in their order, without those that the database computes. */
export async function listColumns(session: RowSession, table: string): Promise<Column[]> {
  const rows = await session.query(
    `select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type from pg_attribute a
      where a.attrelid = 'public.${table}'::regclass and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = '' order by a.attnum`,
  );
  return Columns.parse(rows);
}

/** Returns a name as SQL quotes it. */
export function toName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
