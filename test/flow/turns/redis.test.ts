/**
 * Turns of another server, through Redis: whatever happens to it, a follower gets each byte once. Rows are
 * read again and again only while Redis does not work, and by the follower's clock, which stands still until
 * the test moves it.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";
import {
  beginRun,
  beginTurn,
  deleteChat,
  followTurn,
  type BegunTurn,
  type ClockedServer,
} from "../../support/apps/followed-turn.ts";
import { makeFolder, readResponse } from "../../support/apps/start-app.ts";
import { scrape } from "../../support/clients/prometheus.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { useRedis, withoutRedis } from "../../support/databases/redis-server.ts";
import { startPostgresHarness, startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { toChunk } from "../../support/model/scripted-model.ts";
import { findFreePort } from "../../support/network/local-port.ts";
import { runDoctor } from "../../command/run-doctor.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** A turn that runs on one server and is followed on another. */
interface Followed extends BegunTurn {
  readonly remote: IncomingMessage;
  /** All that the other server has sent. */
  text: string;
}

/** The first entry of a range of a stream. */
const Entries = z.tuple([z.tuple([z.string(), z.array(z.string())])]);

const Keys = z.array(z.string());

/** How often the bus gets text, and how often running turns are saved. */
const [gapMs, saveMs] = [10, 500];
/** How long a server waits before it tries Redis again. */
const pauseMs = 4_500;

for (const startHarness of [startPostgresHarness, startSupabaseHarness])
  describe(
    `turns of another server, by Redis and ${startHarness.name}`,
    {
      timeout: 120_000,
      skip: withoutRedis,
    },
    () => {
      const model = useModel();
      const database = useDatabase<Awaited<ReturnType<typeof startHarness>>>(startHarness);
      const startApp = useStartApp(model, {}, { database });
      const redis = useRedis();

      async function start(variables: Readonly<Record<string, string>> = {}): Promise<ClockedServer> {
        const clock = new ManualClock();
        const app = await startApp({ REDIS_URL: redis.url, ...variables }, clock);
        const server = { app, clock };
        await untilBusIs("ok", server);
        return server;
      }

      async function startPair(): Promise<readonly [here: ClockedServer, there: ClockedServer]> {
        return [await start(), await start()];
      }

      /** Starts a turn on one server that is followed on the other. */
      async function startTurn(
        here: ClockedServer,
        there: ClockedServer,
        accept = "text/plain",
      ): Promise<Followed> {
        const turn = await beginTurn(here, model);
        const remote = await followTurn(there, turn, accept);
        const followed = { ...turn, remote, text: await readUntil(remote, "One.") };
        await save("One.", followed, undefined); // the save that following it asks for
        return followed;
      }

      /** Has the model say `word`; resolves once its own server has it, and has sent it if the bus is up. */
      async function say(word: string, { call, own }: Followed, here: ClockedServer): Promise<void> {
        call.text(word);
        await readUntil(own, word);
        here.clock.advance(gapMs);
      }

      /** Has the model say words that arrive through the bus: only the owner's clock moves, by 10 ms each. */
      async function sayAtOnce(words: readonly string[], turn: Followed, here: ClockedServer): Promise<void> {
        for (const word of words) {
          await say(word, turn, here);
          turn.text += await readUntil(turn.remote, word);
        }
      }

      /** Has its server save a turn's text up to `word`. */
      async function save(
        word: string,
        { turnId }: Followed,
        here: ClockedServer | undefined,
      ): Promise<void> {
        here?.clock.advance(saveMs);
        const isSaved = `select from turn_pieces where text like '%${word}' and turn_id = '${turnId}'`;
        await until(async () => (await database.sql(isSaved)).length > 0);
      }

      /** Has the rows, and nothing else, bring the text up to `word`. */
      async function readRows(
        word: string,
        turn: Followed,
        [here, there]: readonly ClockedServer[],
      ): Promise<void> {
        await save(word, turn, here);
        await there?.clock.timer(250, 2_000);
        there?.clock.advance(2_000);
        turn.text += await readUntil(turn.remote, word);
      }

      /** Ends the turn, and compares the bytes that both clients have had. */
      async function finish(turn: Followed, words: string, here: ClockedServer): Promise<void> {
        turn.call.finish();
        assert.equal((await readResponse(turn.own)).isComplete, true);
        here.clock.advance(gapMs);
        const { body, isComplete } = await readResponse(turn.remote);
        assert.deepEqual([turn.text + body, isComplete], [`- p\n---RESPONSE---\n${words}`, true]);
      }

      /** Returns the key of a turn's stream. */
      async function findLog({ turnId }: Followed): Promise<string> {
        const [key = "", ...others] = Keys.parse(await redis.command("KEYS", `fw:{${turnId}}:*`));
        assert.deepEqual(others, []);
        return key;
      }

      test("their text arrives before it is saved, and their end with it", async () => {
        const here = await start({ METRICS_PORT: "0" });
        const there = await start();
        const turn = await startTurn(here, there);
        await sayAtOnce([" Two.", " Three.", " Four."], turn, here);
        const saved = await database.sql(`select from turn_pieces where text like '%Four.%'`);
        assert.equal(saved.length, 0);
        const log = await findLog(turn);
        const readLifeMs = async () => Number(await redis.command("PTTL", log));
        const lifeMs = await readLifeMs();
        assert.ok(lifeMs > 500_000 && lifeMs <= 600_000, String(lifeMs));
        await finish(turn, "One. Two. Three. Four.", here);
        assert.equal((await scrape(here.app.metricsUrl)).sum("foreword_bus_up", { carrier: "redis" }), 1);
        await until(async () => (await readLifeMs()) <= 10_000);
      });

      /** Adds the last entry of a turn's stream once more. */
      async function repeatEntry(turn: Followed): Promise<void> {
        const log = await findLog(turn);
        const [[id, fields]] = Entries.parse(await redis.command("XREVRANGE", log, "+", "-", "COUNT", "1"));
        await redis.command(
          "XADD",
          log,
          id.replace(/\d+$/, (ordinal) => `${Number(ordinal) + 1}`),
          ...fields,
        );
      }

      test("their reasoning arrives like their text, each piece once and in its place", async () => {
        const variables = { SHOW_REASONING: "true" };
        const [here, there] = [await start(variables), await start(variables)];
        const turn = await startTurn(here, there, "text/event-stream");
        for (const word of ["Hm", "Ha", "Ho"]) {
          turn.call.event(toChunk({ reasoning_content: `${word}?` }));
          await say(` ${word}.`, turn, here);
          turn.text += await readUntil(turn.remote, `${word}.`);
          await repeatEntry(turn);
        }
        turn.call.finish();
        await readResponse(turn.own);
        const { body } = await readResponse(turn.remote);
        const texts = toStreamEvents(turn.text + body).map((event) =>
          "text" in event ? event.text : event.type,
        );
        const said = ["- p", "plan-end", "One.", "Hm?", " Hm.", "Ha?", " Ha.", "Ho?", " Ho."];
        assert.deepEqual(texts, ["turn-start", ...said, "turn-end"]);
      });

      test("one with the id of a deleted turn shows nothing of that one, whose text is still in Redis", async () => {
        const [here, there] = await startPair();
        const runId = randomUUID();
        for (const words of [[" Two.", " Three."], [" Six."]]) {
          const begun = await beginRun(here, model, { runId, userId: randomUUID() });
          const remote = await followTurn(there, begun);
          const turn = { ...begun, remote, text: await readUntil(remote, "One.") };
          for (const word of words) await say(word, turn, here);
          await finish(turn, ["One.", ...words].join(""), here);
          await deleteChat(here, turn);
        }
      });

      test("doctor tells whether Redis can be used, and warns of one that removes live replies", async () => {
        const folder = await makeFolder();
        const check = async (url: string) => {
          const own = { DEMO_MODE: "true", DATA_DIR: folder.path, ...database.variables, REDIS_URL: url };
          const { code, output } = await runDoctor(own);
          return `${code} ${/^\w+ +Redis[^]*?(?=\n\w)/m.exec(output)?.[0]}`;
        };
        await redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
        assert.match(
          await check(redis.url),
          /^0 WARN +Redis +Redis \d[^]*allkeys-lru\n +→ set maxmemory-policy to noeviction/,
        );
        await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
        assert.match(
          await check(redis.url),
          /^0 ok +Redis +Redis \d\S+ takes streams; maxmemory-policy noeviction$/,
        );
        assert.match(await check(`${redis.url}/4711`), /^1 WRONG +Redis +ERR DB index is out of range\n/);
        const wrong = redis.url.replace("//", "//nobody:secret@");
        assert.match(await check(wrong), /^1 WRONG +Redis +WRONGPASS[^]*→ REDIS_URL: correct it$/);
        const nothing = `redis://127.0.0.1:${await findFreePort()}`;
        assert.match(
          await check(nothing),
          /^1 WRONG +Redis +nothing is listening there[^]*→ REDIS_URL: start Redis/,
        );
        await folder.remove();
      });

      test("a stop reaches their server at once, and its result comes back", async () => {
        const [here, there] = await startPair();
        const { turnId, userId, call, own } = await startTurn(here, there);
        const stopped = there.app.post(`/turns/${turnId}/stop?userId=${userId}`, {});
        await call.closed;
        const { status, body } = await stopped;
        assert.deepEqual([status, JSON.parse(body).status], [200, "stopped"]);
        await readResponse(own);
      });

      test("Redis that is killed costs no text, and carries on when it starts again, empty", async () => {
        const servers = await startPair();
        const [here] = servers;
        const turn = await startTurn(...servers);
        await sayAtOnce([" Two."], turn, here);
        await redis.kill();
        for (const server of servers) await untilBusIs("degraded", server);
        await say(" Three.", turn, here);
        await readRows("Three.", turn, servers);
        await redis.restart();
        await revive(servers);
        await sayAtOnce([" Four.", " Five."], turn, here);
        await finish(turn, "One. Two. Three. Four. Five.", here);
        for (const { app } of servers)
          assert.deepEqual(
            app.logs.filter(({ msg }) => msg.startsWith("Redis")).map(({ level }) => level),
            [40, 30],
          );
      });

      test("Redis that freezes is given one batch, is then left alone, and doubles nothing when it goes on", async () => {
        const servers = await startPair();
        const [here] = servers;
        const turn = await startTurn(...servers);
        await sayAtOnce([" Two."], turn, here);
        redis.freeze();
        const words = Array.from({ length: 20 }, (_, index) => ` ${index}!`);
        for (const word of words) await say(word, turn, here);
        for (const server of servers) await untilBusIs("degraded", server);
        await readRows("19!", turn, servers);
        redis.thaw();
        await revive(servers);
        const entries = Number(await redis.command("XLEN", await findLog(turn)));
        assert.ok(entries <= 4, String(entries));
        await sayAtOnce([" Three."], turn, here);
        await finish(turn, `One. Two.${words.join("")} Three.`, here);
      });

      test("Redis that is full is left alone, and carries on when it has memory again", async () => {
        const servers = await startPair();
        const [here] = servers;
        const turn = await startTurn(...servers);
        await sayAtOnce([" Two."], turn, here);
        await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
        await redis.command("CONFIG", "SET", "maxmemory", "1");
        await say(" Three.", turn, here);
        await untilBusIs("degraded", here);
        await readRows("Three.", turn, servers);
        await redis.command("CONFIG", "SET", "maxmemory", "0");
        await revive(servers);
        await sayAtOnce([" Four."], turn, here);
        await finish(turn, "One. Two. Three. Four.", here);
      });

      test("a piece of text after a gap has the rows read at once, and is not shown", async () => {
        const [here, there] = await startPair();
        const turn = await startTurn(here, there);
        await sayAtOnce([" Two."], turn, here);
        await redis.command("ACL", "SETUSER", "default", "-xadd");
        await say(" Three.", turn, here);
        await untilBusIs("degraded", here);
        await save("Three.", turn, here);
        await redis.command("ACL", "SETUSER", "default", "+xadd");
        await redis.command("XADD", await findLog(turn), "1000-0", "position", "990", "text", "Forged.");
        turn.text += await readUntil(turn.remote, " Three.");
        await revive([here]);
        await say(" Four.", turn, here);
        await finish(turn, "One. Two. Three. Four.", here);
      });

      test("what Redis evicts before a follower has read it is read from the rows", async () => {
        const servers = await startPair();
        const [here, there] = servers;
        const turn = await startTurn(...servers);
        await sayAtOnce([" Two."], turn, here);
        const log = await findLog(turn);
        // The follower's server may not read for a while.
        await redis.command("ACL", "SETUSER", "default", "-xread");
        await say(" Three.", turn, here);
        await untilBusIs("degraded", there);
        await say(" Four.", turn, here);
        const used = /used_memory:(\d+)/.exec(String(await redis.command("INFO", "memory")))?.[1];
        await redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
        await redis.command("CONFIG", "SET", "maxmemory", String(Number(used) + 200_000));
        for (let index = 0; Number(await redis.command("EXISTS", log)) === 1; index += 1)
          await redis.command("SET", `junk:${index}`, "x".repeat(10_000));
        await say(" Five.", turn, here);
        await redis.command("ACL", "SETUSER", "default", "+xread");
        await revive(servers);
        await readRows("Five.", turn, servers);
        await redis.command("CONFIG", "SET", "maxmemory", "0");
        await sayAtOnce([" Six."], turn, here);
        await finish(turn, "One. Two. Three. Four. Five. Six.", here);
      });
    },
  );

/** Lets time pass until all servers have found that Redis works. */
async function revive(servers: readonly ClockedServer[]): Promise<void> {
  for (const server of servers) {
    server.clock.advance(pauseMs);
    await untilBusIs("ok", server);
  }
}

async function untilBusIs(status: string, { app }: ClockedServer): Promise<void> {
  await until(async () => {
    const { status: code, body } = await app.get("/readyz");
    const { status: whole, parts } = JSON.parse(body);
    if (parts.bus.status !== status) return false;
    const expected = parts.store.status === "ok" ? status : "degraded";
    assert.deepEqual([code, parts.bus.carrier, whole], [200, "redis", expected]);
    return true;
  });
}

/** Resolves once `isIt` does with true. */
async function until(isIt: () => Promise<boolean>): Promise<void> {
  while (!(await isIt())) await wait(10);
}
