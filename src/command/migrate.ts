/**
 * `foreword migrate`: applies the schema to the Postgres at DATABASE_URL, and reports the change of version.
 */
import type { StoreOptions } from "../store/open-store.ts";
import { applySchema } from "../store/schema/apply-schema.ts";
import { loadSchema, type TableNames } from "../store/schema/schema.ts";

/** The database to migrate. */
export interface MigrateOptions {
  readonly app: { readonly store: StoreOptions };
  readonly tables: TableNames;
}

/**
 * Applies the schema; resolves with the exit code: 0 if it was applied, else 1.
 * @throws AppError with a `store_…` code.
 */
export async function migrate({ app, tables }: MigrateOptions): Promise<number> {
  if (app.store.type !== "postgres") {
    process.stderr.write(
      "foreword migrate applies the schema to DATABASE_URL, which is not set.\n" +
        "The embedded database is migrated when it is opened. For Supabase, paste the output of `foreword schema` into the\n" +
        "SQL editor, use `foreword schema --supabase-migration`, or set DATABASE_URL for this one command.\n",
    );
    return 1;
  }
  const { url, authorities } = app.store.postgres;
  const { from, to } = await applySchema(url, await loadSchema(tables), tell, authorities);
  tell(toSentence(from, to));
  process.stdout.write("The schema has been applied.\n");
  return 0;
}

function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

function toSentence(from: number | undefined, to: number): string {
  if (from === undefined) return `No schema was installed; it is now at version ${to}.`;
  if (from === to) return `The schema was already at version ${to}.`;
  return `The schema was at version ${from}; it is now at version ${to}.`;
}
