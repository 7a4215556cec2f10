/** Writes the schema as a migration of the Supabase CLI: `foreword schema --supabase-migration`. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { schemaVersion } from "../store/database/database.ts";

/** Where the Supabase CLI looks for migrations, below the folder of the project. */
const migrationsFolder = join("supabase", "migrations");

/**
 * Writes `schema` to `supabase/migrations/<UTC time>_foreword_v<version>.sql` below `folder`, and prints the
 * next command. Writes nothing if a migration there holds this very schema. Resolves with the exit code.
 */
export async function writeSupabaseMigration(schema: string, folder: string, now: Date): Promise<number> {
  const ending = `_foreword_v${schemaVersion}.sql`;
  const path = join(folder, migrationsFolder);
  await mkdir(path, { recursive: true });
  for (const name of await readdir(path)) {
    if (!name.endsWith(ending) || (await readFile(join(path, name), "utf8")) !== schema) continue;
    process.stderr.write(`${join(migrationsFolder, name)} holds this schema already: nothing was written.\n`);
    return 1;
  }
  const file = join(migrationsFolder, `${toTimestamp(now)}${ending}`);
  try {
    await writeFile(join(folder, file), schema, { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    process.stderr.write(
      `${file} exists already: nothing was written. Run this again for another file name.\n`,
    );
    return 1;
  }
  process.stdout.write(
    `Wrote ${file}: version ${schemaVersion} of the schema.\n` +
      "Next, apply it: `supabase db push` for the linked project, or `supabase migration up` for a local one.\n",
  );
  return 0;
}

/** Returns the time as the Supabase CLI names migrations: YYYYMMDDHHMMSS, in UTC. */
function toTimestamp(time: Date): string {
  return time.toISOString().replaceAll(/\D/g, "").slice(0, 14);
}
