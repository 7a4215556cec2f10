/** Wake-ups through Postgres: batches, their size and their rate. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { Client } from "pg";
import { createId } from "../../../src/base/create-id.ts";
import { PostgresWakeUps } from "../../../src/store/database/postgres/postgres-wake-ups.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { listen } from "../../support/network/local-port.ts";
import { ManualClock } from "../../support/manual-clock.ts";

describe("wake-ups through Postgres", { timeout: 60_000 }, () => {
  const database = useDatabase(startPostgresHarness);

  /** Starts to listen; resolves once notifications arrive. */
  async function open(context: TestContext): Promise<Opened> {
    const clock = new ManualClock();
    const { url } = database.harness.server;
    const wakeUps = new PostgresWakeUps({ url, poolSize: 1 }, clock, () => {});
    context.after(() => wakeUps.close());
    const on = Promise.withResolvers<void>();
    const batches: (readonly string[])[] = [];
    const saved = Promise.withResolvers<readonly string[]>();
    wakeUps.listen({
      onChange: () => on.resolve(),
      onFollowed: (ids) => batches.push(ids),
      onSaved: (ids) => saved.resolve(ids),
    });
    await on.promise;
    return { wakeUps, clock, batches, saved: saved.promise };
  }

  test("any number of turns arrives, once each, in payloads of less than 8,000 bytes", async (context) => {
    const [one, other] = [await open(context), await open(context)];
    const sizes = await listenTo(context);
    const ids = Array.from({ length: 1_000 }, createId);
    one.wakeUps.send("followed", ids);
    one.clock.advance(50);
    one.wakeUps.send("saved", ["last"]);
    assert.deepEqual(await other.saved, ["last"]);
    assert.deepEqual([other.batches.flat(), one.batches], [ids, []]);
    while (sizes.length < 7) await database.sql("select");
    assert.ok(sizes.length === 7 && Math.max(...sizes) < 8_000, sizes.join());
  });

  test("what is sent within 50 ms of a notification goes with the next, so there are at most 20 a second", async (context) => {
    const [one, other] = [await open(context), await open(context)];
    one.wakeUps.send("followed", ["first"]);
    while (other.batches.length === 0) await database.sql("select");
    one.wakeUps.send("followed", ["second"]);
    one.clock.advance(49);
    one.wakeUps.send("followed", ["third", "second"]);
    one.clock.advance(1);
    while (other.batches.length === 1) await database.sql("select");
    one.wakeUps.send("saved", ["last"]);
    one.clock.advance(50);
    assert.deepEqual(await other.saved, ["last"]);
    assert.deepEqual(other.batches, [["first"], ["second", "third"]]);
  });

  test("what is left when they are closed is sent", async (context) => {
    const [one, other] = [await open(context), await open(context)];
    one.wakeUps.send("followed", ["first"]);
    while (other.batches.length === 0) await database.sql("select");
    one.wakeUps.send("saved", ["last"]);
    await one.wakeUps.close();
    assert.deepEqual(await other.saved, ["last"]);
  });

  test("they close at once while the database accepts a connection and does not respond", async (context) => {
    const connected = Promise.withResolvers<Socket>();
    const silent = createServer((socket) => connected.resolve(socket));
    const url = `postgres://nobody@127.0.0.1:${await listen(silent)}/none`;
    context.after(() => silent.close());
    const wakeUps = new PostgresWakeUps({ url, poolSize: 1 }, new ManualClock(), () => {});
    const socket = await connected.promise;
    const ended = once(socket.resume(), "close");
    const startMs = performance.now();
    await wakeUps.close();
    assert.ok(performance.now() - startMs < 2_500);
    await ended;
  });

  /** Returns the sizes of all notifications from now on. */
  async function listenTo(context: TestContext): Promise<readonly number[]> {
    const client = new Client({ connectionString: database.harness.server.url });
    await client.connect();
    context.after(() => client.end());
    const sizes: number[] = [];
    client.on("notification", ({ payload = "" }) => sizes.push(Buffer.byteLength(payload)));
    await client.query("listen foreword");
    return sizes;
  }
});

interface Opened {
  readonly wakeUps: PostgresWakeUps;
  readonly clock: ManualClock;
  readonly batches: readonly (readonly string[])[];
  readonly saved: Promise<readonly string[]>;
}
