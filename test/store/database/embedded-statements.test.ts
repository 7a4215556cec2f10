/** The embedded database parses the statement of a call once. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { systemClock } from "../../../src/base/clock.ts";
import { service } from "../../../src/store/database/database.ts";
import { runPrepared } from "../../../src/store/database/pglite/run-prepared.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { startPglite } from "../../support/databases/store-harness.ts";

describe("a call of the embedded database", { timeout: 60_000 }, () => {
  const server = useDatabase(startPglite);

  test("is answered after the first with its statement was refused, and between two of another", async (t) => {
    const database = await server.harness.open(systemClock);
    t.after(() => database.close());
    const read = async (id: string): Promise<unknown> =>
      await database.call("chat_get_conversation", { conversation_id: id }, service);
    await assert.rejects(read("no id"), { code: "write_rejected" });
    const missing = await read(randomUUID());
    const described = await database.call("chat_describe_schema", {}, service);
    await assert.rejects(read("no id"), { code: "write_rejected" });
    assert.deepEqual(await read(randomUUID()), missing);
    assert.deepEqual(await database.call("chat_describe_schema", {}, service), described);
  });
});

describe("a statement of a session", { timeout: 60_000 }, () => {
  const sql = "select ($1::jsonb ->> 'a')::text";

  test("that the session has lost fails once, and is parsed again", async (t) => {
    const session = await PGlite.create();
    t.after(() => session.close());
    assert.deepEqual(await runPrepared(session, sql, '{"a":"one"}'), ["one"]);
    await session.exec("deallocate all");
    await assert.rejects(runPrepared(session, sql, '{"a":"two"}'), { code: "26000" });
    assert.deepEqual(await runPrepared(session, sql, '{"a":"three"}'), ["three"]);
    assert.deepEqual(await runPrepared(session, sql, "{}"), [null]);
  });

  test("fails if the session is closed, or gives no answer", async (t) => {
    const session = await PGlite.create();
    assert.deepEqual(await runPrepared(session, sql, '{"a":"one"}'), ["one"]);
    const silent = t.mock.method(session, "execProtocolStream", async () => []);
    await assert.rejects(runPrepared(session, sql, '{"a":"two"}'), /no answer/);
    silent.mock.restore();
    await session.close();
    await assert.rejects(runPrepared(session, sql, '{"a":"three"}'), /closed/);
  });
});
