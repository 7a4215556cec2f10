/** A ready embedded database, created once for a schema and copied for each test: a third of the time. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { systemClock } from "../../../src/base/clock.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { service, type Database } from "../../../src/store/database/database.ts";
import { openDatabase, type StoreOptions } from "../../../src/store/open-store.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "./make-turn.ts";
import { copyFolder, loadTemplate } from "./template.ts";

const pgliteUrl = import.meta.resolve("@electric-sql/pglite");
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The part of WebAssembly that is used here: Node's types have none. */
declare const WebAssembly: { compile(bytes: Buffer): Promise<object> };

/**
 * The compiled database. As long as this process holds it, its databases share the machine code, which
 * each would make for itself otherwise.
 */
let compiled: Promise<object> | undefined;

/** Compiles the database by V8's baseline compiler alone: most tests end before optimized code pays off. */
async function compile(): Promise<object> {
  for (const flag of ["--liftoff-only", "--no-wasm-tier-up", "--no-wasm-dynamic-tiering"])
    setFlagsFromString(flag);
  return await WebAssembly.compile(await readFile(new URL("./pglite.wasm", pgliteUrl)));
}

let made: Promise<string> | undefined;

/** Resolves with the folder of a database that was created and closed. */
async function makeTemplate(): Promise<string> {
  const sources = ["supabase_schema.sql", "node_modules/@electric-sql/pglite/package.json"];
  const contents = sources.map((file) => readFileSync(join(root, file)));
  return await loadTemplate("pglite", contents, async (folder) => {
    const { store } = parseConfig({ DATA_DIR: folder }).app;
    if (store.type === "none") throw new Error("no database is configured");
    const database = await openDatabase(store, systemClock, () => {});
    await database.call("chat_describe_schema", {}, service);
    await database.close();
  });
}

/** Puts a ready embedded database into the data folder of a store that is to have one, unless it has. */
export async function fillDataFolder(store: StoreOptions): Promise<boolean> {
  if (store.type !== "embedded" || Object.entries(store.tables).some(([name, table]) => name !== table))
    return false;
  const path = store.dataDir;
  if (existsSync(join(path, "database"))) return false;
  compiled ??= compile();
  made ??= makeTemplate();
  await compiled;
  await mkdir(path, { recursive: true });
  await copyFolder(join(await made, "database"), path);
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
