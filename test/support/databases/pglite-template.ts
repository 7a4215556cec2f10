/** A ready embedded database, created once for a schema and copied for each test: a third of the time. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../../src/base/clock.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { service } from "../../../src/store/database/database.ts";
import { openDatabase, type StoreOptions } from "../../../src/store/open-store.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const cache = join(root, "node_modules/.cache/foreword-test");

/** Names the template by all that decides its bytes. */
function toTemplateName(): string {
  const digest = createHash("sha256");
  for (const file of ["supabase_schema.sql", "node_modules/@electric-sql/pglite/package.json"])
    digest.update(readFileSync(join(root, file)));
  return `pglite-${digest.digest("hex").slice(0, 16)}`;
}

let made: Promise<string> | undefined;

/** Resolves with the folder of a database that was created and closed; of several makers the first wins. */
async function makeTemplate(): Promise<string> {
  const template = join(cache, toTemplateName());
  if (existsSync(template)) return template;
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "new-"));
  const { store } = parseConfig({ DATA_DIR: folder }).app;
  if (store.type === "none") throw new Error("no database is configured");
  const database = await openDatabase(store, systemClock, () => {});
  await database.call("chat_describe_schema", {}, service);
  await database.close();
  await rename(folder, template).catch(async () => await rm(folder, { recursive: true }));
  return template;
}

/** Puts a ready embedded database into the data folder of a store that is to have one, unless it has. */
export async function fillDataFolder(store: StoreOptions): Promise<void> {
  if (store.type !== "embedded" || Object.entries(store.tables).some(([name, table]) => name !== table))
    return;
  const path = store.dataDir;
  if (existsSync(join(path, "database"))) return;
  made ??= makeTemplate();
  await mkdir(path, { recursive: true });
  // Faster than Node's own copy, of which each file is a round trip.
  await run("cp", ["-a", join(await made, "database"), path]);
}
