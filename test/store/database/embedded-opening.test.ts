/** Calls while the embedded database is being opened. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DatabaseHealth } from "../../../src/store/database/database-health.ts";
import { service } from "../../../src/store/database/database.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
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
});
