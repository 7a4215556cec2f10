/** RETENTION_DAYS deletes all old conversations, and only those, except conversations with a running turn. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";
import { startPostgresHarness, type StoreHarness } from "../support/databases/store-harness.ts";

describe("RETENTION_DAYS", { timeout: 60_000 }, () => {
  let harness: StoreHarness;
  before(async () => {
    harness = await startPostgresHarness();
  });
  after(() => harness.stop());

  async function start(clock: ManualClock, more: Record<string, string>): Promise<RunningApp> {
    return await startApp({ CHAT_STORE_ENABLED: "true", ...harness.variables, ...more }, clock);
  }

  /** Creates `count` conversations last updated `age` ago. */
  async function make(count: number, age: string): Promise<void> {
    await harness.sql(
      `insert into conversations (title, user_id, updated_at)
         select '${age}', '${randomUUID()}', now() - interval '${age}' from generate_series(1, ${count})`,
    );
  }

  async function left(): Promise<unknown> {
    const rows = await harness.sql(
      "select title, count(*)::int as count from conversations group by title order by title",
    );
    return rows.map(({ title, count }) => [title, count]);
  }

  test("deletes older conversations at start and every hour, however many there are, and leaves tombstones", async () => {
    const clock = new ManualClock();
    await make(250, "31 days");
    await make(3, "29 days");
    const app = await start(clock, { RETENTION_DAYS: "30" });
    const line = await app.logged(({ msg }) => msg === "expired conversations deleted");
    assert.equal(line["count"], 250);
    assert.deepEqual(await left(), [["29 days", 3]]);
    const [buried] = await harness.sql("select count(*)::int as count from deleted_conversations");
    assert.equal(buried?.["count"], 250);
    await make(2, "40 days");
    await clock.timer(3_600_000);
    await clock.pass(3_600_000);
    await app.logged((found) => found["count"] === 2);
    assert.deepEqual(await left(), [["29 days", 3]]);
    await app.close();
  });

  test("keeps conversations with a running turn, and all conversations if it is 0", async () => {
    await make(1, "50 days");
    await harness.sql(
      "insert into turns (id, conversation_id) select gen_random_uuid(), id from conversations where title = '50 days'",
    );
    await make(1, "60 days");
    const off = await start(new ManualClock(), {});
    await off.close();
    assert.deepEqual(await left(), [
      ["29 days", 3],
      ["50 days", 1],
      ["60 days", 1],
    ]);
    const app = await start(new ManualClock(), { RETENTION_DAYS: "1" });
    await app.logged((found) => found["count"] === 4);
    assert.deepEqual(await left(), [["50 days", 1]]);
    await app.close();
  });
});
