/** Owns the schema file: read from the package's root, with the table names that are configured. */
import { readFile } from "node:fs/promises";

/** The names of the tables that may be renamed. */
export interface TableNames {
  readonly conversations: string;
  readonly messages: string;
  readonly turns: string;
}

const schemaFile = new URL("../../supabase_schema.sql", import.meta.url);

/** Returns `supabase_schema.sql` with `names` in the places of the default ones. */
export async function loadSchema(names: TableNames): Promise<string> {
  const sql = await readFile(schemaFile, "utf8");
  const rename = (text: string, table: keyof TableNames): string =>
    text
      .replaceAll(new RegExp(`\\bpublic\\.${table}\\b`, "g"), `public.${names[table]}`)
      .replaceAll(new RegExp(`\\b${table}(?=_[a-z]+_(?:idx|fk)\\b)`, "g"), names[table]);
  return (["conversations", "messages", "turns"] as const).reduce(rename, sql);
}
