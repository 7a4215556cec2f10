/** A ready embedded database, created once for a schema and copied for each test: a third of the time. */
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../../src/base/clock.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { service, type Database } from "../../../src/store/database/database.ts";
import { openDatabase, type StoreOptions } from "../../../src/store/open-store.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "./make-turn.ts";

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
export async function fillDataFolder(store: StoreOptions): Promise<boolean> {
  if (store.type !== "embedded" || Object.entries(store.tables).some(([name, table]) => name !== table))
    return false;
  const path = store.dataDir;
  if (existsSync(join(path, "database"))) return false;
  made ??= makeTemplate();
  await mkdir(path, { recursive: true });
  // Faster than Node's own copy, which makes a round trip for each file.
  await run("cp", ["-a", join(await made, "database"), path]);
  return true;
}

/**
 * Begins and ends a turn, and deletes it: a database that was created by its own process has run so much code
 * that its first turn is not slow, and the tests' first turns are to be stored in time.
 */
export async function warmUp(database: Database): Promise<void> {
  const writes = new TurnWrites(database, systemClock);
  const turn = makeTurn(["u: Hi"], { userId: randomUUID() });
  const conversationId = await beginTurn(writes, turn);
  await endTurn(writes, turn, makeResult("Hello."));
  const bounds = { conversation_id: conversationId, limit: 1, max_messages: 10 };
  await database.call("chat_delete_conversations", bounds, turn.caller);
}
