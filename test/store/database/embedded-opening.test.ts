/** Calls while the embedded database is being opened. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DatabaseHealth } from "../../../src/store/database/database-health.ts";
import { service } from "../../../src/store/database/database.ts";
import { PgliteDatabase } from "../../../src/store/database/pglite/pglite.ts";
import { makeFolder } from "../../support/apps/start-app.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { defaultTables } from "../../support/databases/default-tables.ts";
import { startPglite } from "../../support/databases/store-harness.ts";
import { ManualClock } from "../../support/manual-clock.ts";

describe("a call while the embedded database is being opened", { timeout: 60_000 }, () => {
  const server = useDatabase(startPglite);

  test("is answered, and its time begins when the database is open", async () => {
    const clock = new ManualClock();
    const database = await server.harness.open(clock);
    const durations: number[] = [];
    const health = new DatabaseHealth(database, clock, (_name, durationMs) => durations.push(durationMs));
    const described = health.call("chat_describe_schema", {}, service);
    clock.advance(5_000);
    assert.ok(typeof (await described) === "object");
    await database.close();
    assert.deepEqual(durations, [0]);
  });

  test("fails if it cannot be opened, and that took the call no time", async (t) => {
    const folder = await makeFolder();
    t.after(() => folder.remove());
    await mkdir(join(folder.path, "database"));
    await writeFile(join(folder.path, "database", "pglite"), "no folder");
    const clock = new ManualClock();
    const database = PgliteDatabase.start(folder.path, { tables: defaultTables, hasVectors: false }, clock);
    const durations: number[] = [];
    const health = new DatabaseHealth(database, clock, (_name, durationMs) => durations.push(durationMs));
    const described = health.call("chat_describe_schema", {}, service);
    clock.advance(5_000);
    await assert.rejects(described, { code: "store_unavailable" });
    assert.deepEqual(durations, [0]);
  });
});
