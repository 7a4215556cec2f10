/**
 * Turns of another server of the same Postgres. The follower's clock stands still, so that nothing but a
 * wake-up makes it read, unless the test moves it.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { describe, test, type TestContext } from "node:test";
import { Client } from "pg";
import { useDatabase, useFolder, useModel, useStartApp } from "../../support/apps/use-app.ts";
import { runDoctor } from "../../command/run-doctor.ts";
import {
  beginRun,
  beginTurn,
  deleteChat,
  followTurn,
  type BegunTurn,
  type ClockedServer,
} from "../../support/apps/followed-turn.ts";
import { readResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { scrape } from "../../support/clients/prometheus.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { startSwallowingPooler, type SwallowingPooler } from "../../support/databases/swallowing-pooler.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** How often a followed turn is saved, and the longest wait for a notification to be sent. */
const [saveMs, gapMs] = [60, 50];
const listening = "application_name = 'foreword wake-ups'";

describe("turns of another server", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const startApp = useStartApp(model, {}, { database });
  const folder = useFolder();

  async function start(variables: Readonly<Record<string, string>> = {}): Promise<ClockedServer> {
    const clock = new ManualClock();
    return { app: await startApp(variables, clock), clock };
  }

  /** Starts a server, and resolves once it is woken. */
  async function startWoken(variables: Readonly<Record<string, string>> = {}): Promise<ClockedServer> {
    const server = await start(variables);
    await untilWakeUpsAre("ok", server);
    return server;
  }

  async function untilWakeUpsAre(status: string | undefined, { app }: ClockedServer): Promise<void> {
    while ((await readWakeUps(app))?.status !== status);
  }

  /** Has the model say `word`; resolves once its own server has it, and has saved it if that is due. */
  async function say(word: string, { call, own }: BegunTurn, owner: ClockedServer): Promise<void> {
    call.text(word);
    await readUntil(own, word);
    owner.clock.advance(saveMs);
  }

  /** Reads up to `text` while the owner's clock goes on: a second wake-up waits for 50 ms of it. */
  async function readLater(response: IncomingMessage, text: string, owner: ClockedServer): Promise<void> {
    const isRead = readUntil(response, text).then(() => true);
    const passTime = async (): Promise<false> => {
      owner.clock.advance(gapMs);
      await owner.app.get("/healthz");
      return false;
    };
    while (!(await Promise.race([isRead, passTime()])));
  }

  async function startPooler(context: TestContext): Promise<SwallowingPooler> {
    const pooler = await startSwallowingPooler(database.harness.server.port);
    context.after(() => pooler.close());
    return pooler;
  }

  test("their text arrives as soon as it is saved, 60 ms after it came, and their end with it", async () => {
    const [here, there] = [await startWoken({ METRICS_PORT: "0" }), await startWoken()];
    const turn = await beginTurn(here, model);
    const remote = await followTurn(there, turn);
    let text = await readUntil(remote, "One.");
    for (const word of [" Two.", " Three.", " Four."]) {
      await say(word, turn, here);
      text += await readUntil(remote, word);
    }
    turn.call.text(" Five.");
    turn.call.finish();
    await here.clock.timer(1, gapMs);
    here.clock.advance(gapMs);
    const { body, isComplete } = await readResponse(remote);
    assert.deepEqual([text + body, isComplete], ["- p\n---RESPONSE---\nOne. Two. Three. Four. Five.", true]);
    assert.equal((await scrape(here.app.metricsUrl)).sum("foreword_bus_up"), 1);
  });

  test("their followers who come at once share one reader: all are woken, and told that their server stops", async () => {
    const [here, there] = [await startWoken(), await startWoken({ METRICS_PORT: "0" })];
    const turn = await beginTurn(here, model);
    const remotes = await Promise.all(Array.from({ length: 8 }, () => followTurn(there, turn)));
    await say(" Two.", turn, here);
    for (const remote of remotes) await readLater(remote, " Two.", here);
    assert.equal((await scrape(there.app.metricsUrl)).sum("foreword_followers", { remote: "true" }), 8);
    const ends = Promise.all(remotes.map(readResponse));
    await there.app.close();
    for (const { body } of await ends) assert.match(body, /^\n\[error\] server_stopping: /);
    turn.call.finish();
    await readResponse(turn.own);
  });

  test("one that is deleted ends for its follower, also when its user starts another with its id", async () => {
    const off = { DATABASE_WAKE_UPS: "false" };
    const [here, there] = [await start(off), await start(off)];
    const run = { runId: randomUUID(), userId: randomUUID() };
    const turn = await beginRun(here, model, run);
    here.clock.advance(500);
    const isSaved = `select from turn_pieces where turn_id = '${turn.turnId}'`;
    while ((await database.sql(isSaved)).length === 0);
    const remote = await followTurn(there, turn);
    await readUntil(remote, "One.");
    turn.call.finish();
    await readResponse(turn.own);
    await deleteChat(here, turn);
    const other = await beginRun(here, model, run);
    await say(" Two.", other, here);
    other.call.finish();
    await readResponse(other.own);
    there.clock.advance(2_000);
    const { body } = await readResponse(remote);
    assert.match(body, /^\n\[error\] not_found: /);
  });

  test("a stop reaches their server at once, and its result comes back", async () => {
    const [here, there] = [await startWoken(), await startWoken()];
    const { turnId, userId, call } = await beginTurn(here, model);
    const stopped = there.app.post(`/turns/${turnId}/stop?userId=${userId}`, {});
    await call.closed;
    await here.clock.timer(1, gapMs);
    here.clock.advance(gapMs);
    const { status, body } = await stopped;
    assert.deepEqual([status, JSON.parse(body).status], [200, "stopped"]);
  });

  test("a listening connection that is killed in mid-turn costs no text: it is opened again, and all is read", async () => {
    const [here, there] = [await startWoken(), await startWoken()];
    const turn = await beginTurn(here, model);
    const remote = await followTurn(there, turn);
    await readUntil(remote, "One.");
    const killed = await listListeners();
    await database.sql(`select pg_terminate_backend(pid) from pg_stat_activity where ${listening}`);
    await say(" Two.", turn, here);
    for (;;) {
      const now = await listListeners();
      if (now.length === 2 && !now.some((pid) => killed.includes(pid))) break;
    }
    for (const server of [here, there]) await untilWakeUpsAre("ok", server);
    // The poll reads what was saved while no connection listened.
    await untilStored("Two.", turn);
    there.clock.advance(2_000);
    await readUntil(remote, " Two.");
    await say(" Three.", turn, here);
    await readLater(remote, " Three.", here);
    turn.call.finish();
    await readResponse(turn.own);
  });

  test("a notification that is lost costs 2 s at most", async (context) => {
    const pooler = await startPooler(context);
    const url = pooler.toUrl(database.harness.server.url);
    const [here, there] = [await startWoken(), await startWoken({ DATABASE_URL: url })];
    const turn = await beginTurn(here, model);
    const remote = await followTurn(there, turn);
    await readUntil(remote, "One.");
    pooler.swallows = true;
    await say(" Two.", turn, here);
    while (pooler.swallowed === 0) await there.app.get("/healthz");
    await there.clock.timer(2_000);
    there.clock.advance(2_000);
    await readUntil(remote, " Two.");
    turn.call.finish();
    await readResponse(turn.own);
  });

  test("behind a pooler that swallows notifications they are polled, which the log says once, and doctor", async (context) => {
    const pooler = await startPooler(context);
    pooler.swallows = true;
    const url = pooler.toUrl(database.harness.server.url);
    const [here, there] = [await startWoken(), await start({ DATABASE_URL: url })];
    await there.clock.timer(3_000);
    while (pooler.swallowed === 0) await there.app.get("/healthz");
    there.clock.advance(3_000);
    await there.clock.timer(90_000);
    const doctor = runDoctor({ DATABASE_URL: url, DEMO_MODE: "true", DATA_DIR: folder() });
    assert.deepEqual(await readWakeUps(there.app), { carrier: "postgres", status: "degraded" });
    // A call that was in progress when the clock was moved counts as slow.
    const warnings = there.app.logs.filter(
      ({ level, msg }) => Number(level) >= 40 && msg !== "slow store call",
    );
    assert.equal(warnings.length, 1);
    assert.match(JSON.stringify(warnings), /notifications of the database do not arrive.*session mode/);
    await assertPolled(here, there);
    const { code, output } = await doctor;
    assert.equal(code, 0);
    assert.match(output, /^WARN +wake-ups +off: .*pooler in transaction mode\n +→ connect directly/m);
  });

  test("of a server that sends no wake-ups they are polled, as those of older servers", async () => {
    const [here, there] = [await start({ DATABASE_WAKE_UPS: "false" }), await startWoken()];
    assert.equal(await readWakeUps(here.app), undefined);
    await assertPolled(here, there);
  });

  async function assertPolled(owner: ClockedServer, follower: ClockedServer): Promise<void> {
    const turn = await beginTurn(owner, model);
    owner.clock.advance(500);
    await untilStored("One.", turn);
    const remote = await followTurn(follower, turn);
    await readUntil(remote, "One.");
    turn.call.text(" Two.");
    await readUntil(turn.own, " Two.");
    owner.clock.advance(500);
    await untilStored("Two.", turn);
    await follower.clock.timer(250);
    follower.clock.advance(2_000);
    await readUntil(remote, " Two.");
    turn.call.finish();
    await readResponse(turn.own);
  }

  /** Resolves once text of a running turn up to `end` is stored. */
  async function untilStored(end: string, { turnId }: BegunTurn): Promise<void> {
    const ends = `text like '%${end}' and turn_id = '${turnId}'`;
    while ((await database.sql(`select from turn_pieces where ${ends}`)).length === 0);
  }

  async function listListeners(): Promise<readonly unknown[]> {
    const rows = await database.sql(`select pid from pg_stat_activity where ${listening}`);
    return rows.map(({ pid }) => pid);
  }

  test("without a reader nothing is sent: a turn of one server sends no notification", async (context) => {
    const here = await startWoken();
    const observer = new Client({ connectionString: database.harness.server.url });
    await observer.connect();
    context.after(() => observer.end());
    const heard: (string | undefined)[] = [];
    const marked = Promise.withResolvers<void>();
    observer.on("notification", ({ payload }) => {
      heard.push(payload);
      if (payload === "marker") marked.resolve();
    });
    await observer.query("listen foreword");
    const turn = await beginTurn(here, model);
    for (let tick = 0; tick < 3; tick += 1) here.clock.advance(500);
    turn.call.finish();
    await readResponse(turn.own);
    await observer.query("notify foreword, 'marker'");
    await marked.promise;
    assert.deepEqual(heard, ["marker"]);
  });
});

async function readWakeUps(app: RunningApp): Promise<{ readonly status: string } | undefined> {
  const { body } = await app.get("/readyz");
  return JSON.parse(body).parts.bus;
}
