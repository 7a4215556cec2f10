/** An abandoned call ends in Postgres too, and a connection that died silently costs no response. */
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { Client } from "pg";
import { AppError } from "../../../src/base/errors.ts";
import { service, type Database } from "../../../src/store/database/database.ts";
import { FunctionCall } from "../../../src/store/database/postgres/function-call.ts";
import { secondTryAfterMs } from "../../../src/store/database/second-tries.ts";
import { PostgresDatabase } from "../../../src/store/database/postgres/postgres.ts";
import type { Caller } from "../../../src/base/caller.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startTcpProxy, type TcpProxy } from "../../support/network/tcp-proxy.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";

const poolSize = 2;
const busySql = `select count(*)::integer as count from pg_stat_activity
  where application_name = 'foreword' and state = 'active'`;

/** Replaces the function that reads a conversation by `body`, after which it returns {title}. */
function toPlanted(body: string): string {
  return `create or replace function public.chat_get_conversation(argument jsonb) returns jsonb language plpgsql as
    $f$ begin ${body}; return '{"missing": true}'; end $f$`;
}

/** The argument of a call whose text the disk does not return. */
const unreadable = {
  get text(): string {
    throw new AppError("store_unavailable", "unreadable");
  },
};

describe("calls to Postgres that take too long", { timeout: 120_000 }, () => {
  let harness: Awaited<ReturnType<typeof startPostgresHarness>>;
  let watcher: Client;
  let clock: ManualClock;
  let database: Database;
  before(async () => {
    harness = await startPostgresHarness();
    watcher = new Client({ connectionString: harness.server.url });
    await watcher.connect();
  });
  after(async () => {
    await database.close();
    await watcher.end();
    await harness.stop();
  });
  beforeEach(async () => {
    await database?.close();
    await harness.sql(toPlanted("perform 1"));
    clock = new ManualClock();
    database = new PostgresDatabase({ url: harness.server.url, poolSize }, clock, () => {});
  });

  const ask = (caller: Caller = service): Promise<unknown> =>
    database.call("chat_get_conversation", { conversation_id: randomUUID() }, caller);

  async function countBusy(): Promise<number> {
    const { rows } = await watcher.query<{ count: number }>(busySql);
    return rows[0]?.count ?? 0;
  }

  /** Resolves with the most backends that were busy at once until `count` were. */
  async function untilBusy(count: number): Promise<number> {
    for (let most = 0; ;) {
      const busy = await countBusy();
      most = Math.max(most, busy);
      if (busy === count) return most;
    }
  }

  for (const [cause, plant] of [
    ["a function that sleeps", "perform pg_sleep(60)"],
    ["a function that counts for ever", "loop perform 1; end loop"],
    ["a function that waits for a lock", "perform pg_advisory_xact_lock(4711)"],
  ] as const) {
    test(`keep no more backends busy than there are connections, and none once they are abandoned: ${cause}`, async () => {
      await watcher.query("select pg_advisory_lock(4711)");
      await harness.sql(toPlanted(plant));
      for (let round = 0; round < 3; round += 1) {
        const calls = Array.from({ length: 20 }, async () => {
          await assert.rejects(ask(), { code: "store_unavailable" });
        });
        assert.equal(await untilBusy(poolSize), poolSize);
        clock.advance(5_000); // far less by the database's own clock, whose time limit does not end them yet
        await Promise.all(calls);
        assert.ok((await untilBusy(0)) <= poolSize);
      }
      await watcher.query("select pg_advisory_unlock(4711)");
      await harness.sql(toPlanted("perform 1"));
      assert.deepEqual(await ask(), { missing: true });
    });
  }

  test("have a time limit of their own in the database, which leaves nothing in the session", async () => {
    const client = new Client({ connectionString: harness.server.url });
    await client.connect();
    await harness.sql(toPlanted("perform pg_sleep(60)"));
    const call = new FunctionCall("chat_get_conversation", "{}", 50);
    client.query(call);
    await assert.rejects(call.result, { code: "57014" });
    const { rows } = await client.query("show statement_timeout");
    assert.deepEqual(rows, [{ statement_timeout: "0" }]);
    await client.end();
  });

  test("fail alone if their argument cannot be made when it is their turn", async () => {
    for (let round = 0; round <= poolSize; round += 1) {
      const call = database.call("chat_get_conversation", unreadable, service);
      await assert.rejects(call, { code: "store_unavailable", message: "unreadable" });
    }
    assert.deepEqual(await ask(), { missing: true });
  });

  test("bring a long argument to the database as it is", async () => {
    await harness.sql(`create or replace function public.chat_get_conversation(argument jsonb) returns jsonb
      language sql as $f$ select jsonb_build_object('digest', md5(argument #>> '{path,1,content}')) $f$`);
    const content = 'a "quoted" \\ naïve\n流れる 😀'.repeat(60_000);
    const path = [{ content: "short" }, { content }];
    const result = await database.call("chat_get_conversation", { path }, service);
    assert.deepEqual(result, { digest: createHash("md5").update(content).digest("hex") });
  });

  test("have the rest of their deadline, or the operator's shorter limit", async () => {
    const tellLimit = `create or replace function public.chat_get_conversation(argument jsonb) returns jsonb
      language sql as $f$ select jsonb_build_object('missing', true, 'limit', current_setting('statement_timeout')) $f$`;
    await harness.sql(tellLimit);
    assert.deepEqual(await ask(), { missing: true, limit: "5s" });
    await database.close();
    for (const [own, limit] of [
      ["400ms", "400ms"],
      ["3s", "3s"],
      ["1h", "5s"],
      ["0", "5s"],
    ]) {
      const url = `${harness.server.url}?options=${encodeURIComponent(`-c statement_timeout=${own}`)}`;
      database = new PostgresDatabase({ url, poolSize }, clock, () => {});
      assert.deepEqual(await ask(), { missing: true, limit });
      await database.close();
    }
  });

  test("take one transaction each, so that a pooler may use another connection for the next one", async () => {
    const tellTransaction = `create or replace function public.chat_get_conversation(argument jsonb) returns jsonb
      language sql as $f$ select jsonb_build_object('missing', true, 'id', pg_current_xact_id()::text) $f$`;
    await harness.sql(tellTransaction);
    const ids = [await ask(), await ask()].map((answer) => JSON.stringify(answer));
    assert.equal(new Set(ids).size, 2);
    const { rows } = await watcher.query(
      "select distinct state from pg_stat_activity where application_name = 'foreword'",
    );
    assert.deepEqual(rows, [{ state: "idle" }]);
  });
});

describe("connections to Postgres that died silently", { timeout: 120_000 }, () => {
  let harness: Awaited<ReturnType<typeof startPostgresHarness>>;
  let proxy: TcpProxy;
  let lostBefore = 0;
  let clock: ManualClock;
  let database: Database;
  before(async () => {
    harness = await startPostgresHarness();
    proxy = await startTcpProxy(harness.server.port);
  });
  after(async () => {
    await proxy.close();
    await harness.stop();
  });

  /** Opens all connections, and makes them all die with the next data sent on one of them. */
  async function openDying(): Promise<void> {
    await database?.close();
    proxy.pass();
    clock = new ManualClock();
    const url = `postgres://postgres:postgres@127.0.0.1:${proxy.port}/postgres`;
    database = new PostgresDatabase({ url, poolSize: 3 }, clock, () => {});
    await Promise.all([list(), list(), list()]);
    lostBefore = proxy.lost;
    proxy.blackHole();
  }

  const list = (): Promise<unknown> => database.call("chat_list_conversations", { limit: 1 }, service);

  /** Resolves once data was sent on one of them. */
  async function untilLost(): Promise<void> {
    while (proxy.lost === lostBefore) await harness.sql("select 1");
  }

  after(() => database.close());

  test("do not fail a read: it is repeated on a new one, and so is the next", async () => {
    await openDying();
    const reading = list();
    await untilLost();
    proxy.pass();
    await clock.timer(secondTryAfterMs);
    clock.advance(secondTryAfterMs);
    assert.deepEqual(await reading, []);
    assert.deepEqual(await list(), []);
  });

  test("do not fail a call that is only sent after some silence", async () => {
    await openDying();
    clock.advance(6_000);
    const taking = database.call("chat_take_requests", { subject: "a", wanted: 1, max: 5 }, service);
    await untilLost();
    proxy.pass();
    await clock.timer(1_000);
    clock.advance(1_000);
    const { granted, left } = Object(await taking);
    assert.deepEqual([granted, left], [1, 4]);
  });

  test("fail a call that must not be made twice, and no later one", async () => {
    await openDying();
    const taking = database.call("chat_take_requests", { subject: "b", wanted: 1, max: 5 }, service);
    await untilLost();
    proxy.pass();
    clock.advance(5_000);
    await assert.rejects(taking, { code: "store_unavailable" });
    await clock.timer(1_000);
    clock.advance(1_000); // its connection is given up
    const { left } = Object(
      await database.call("chat_take_requests", { subject: "b", wanted: 1, max: 5 }, service),
    );
    assert.equal(left, 4, "the lost call was not made");
  });

  test("are given up at once when they are reset: a read is repeated without a wait", async () => {
    await openDying();
    proxy.pass();
    proxy.cutAfterBytes(0);
    assert.deepEqual(await list(), []);
  });
});
