/** Loads the schema file from the package's root, with the configured table names. */
import { readFile } from "node:fs/promises";

/** The names of the tables that can be renamed. */
export interface TableNames {
  readonly conversations: string;
  readonly messages: string;
  readonly turns: string;
}

const schemaFile = new URL("../../../supabase_schema.sql", import.meta.url);

/** Returns `supabase_schema.sql` with `names` in place of the default names. */
export async function loadSchema(names: TableNames): Promise<string> {
  return renameTables(await readFile(schemaFile, "utf8"), names);
}

/** Returns `sql`, which names our tables as `public.…`, with `names` in place of the default names. */
export function renameTables(sql: string, names: TableNames): string {
  // One pass: a new name may be another table's old one.
  return sql.replaceAll(
    /\bpublic\.(conversations|messages|turns)\b|\b(conversations|messages|turns)(?=_[a-z]+_(?:idx|fk)\b)/g,
    (_, table: string | undefined, prefix: string | undefined) =>
      table === undefined ? nameOf(names, prefix) : `public.${nameOf(names, table)}`,
  );
}

function nameOf(names: TableNames, table: string | undefined): string {
  return table === "conversations"
    ? names.conversations
    : table === "messages"
      ? names.messages
      : names.turns;
}
