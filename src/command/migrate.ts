/** Owns `foreword migrate`: the schema, applied to the Postgres at DATABASE_URL. */
import type { StoreOptions } from "../store/open-store.ts";
import { applySql } from "../store/postgres.ts";
import { loadSchema, type TableNames } from "../store/schema.ts";

/** What to migrate. */
export interface MigrateOptions {
  readonly app: { readonly store: StoreOptions };
  readonly tables: TableNames;
}

/** Applies the schema; resolves with the exit code. @throws AppError with a `store_…` code. */
export async function migrate({ app, tables }: MigrateOptions): Promise<number> {
  if (app.store.type !== "postgres") {
    process.stderr.write(
      "foreword migrate applies the schema to DATABASE_URL, which is not set.\n" +
        "The embedded database gets it by itself. For Supabase, paste what `foreword schema` prints into the SQL editor,\n" +
        "or set DATABASE_URL to the project's connection string for this one command.\n",
    );
    return 1;
  }
  await applySql(app.store.postgres.url, await loadSchema(tables));
  process.stdout.write("The schema is applied.\n");
  return 0;
}
