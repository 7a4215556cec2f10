/** Items and waiting turns while the database is unavailable: the journal keeps them, as it does ends. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { parseConfig } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openStore, type OpenStore } from "../../../src/store/open-store.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import type { PausedTurn, TurnBegin } from "../../../src/turn/ports.ts";
import type { TurnRecords } from "../../../src/turn/records.ts";
import type { SavedItem } from "../../../src/turn/turn-event.ts";
import { toInterruptedResult } from "../../../src/turn/turn-result.ts";
import { makeFolder } from "../../support/apps/start-app.ts";
import { useDatabase, useResource } from "../../support/apps/use-app.ts";
import { findMissingHistory, unpackPreviousBuild } from "../../support/apps/previous-build.ts";
import { endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { runSql, startPostgresHarness } from "../../support/databases/store-harness.ts";
import { startTcpProxy, type TcpProxy } from "../../support/network/tcp-proxy.ts";

/** A store of a process, and its records. */
interface Process {
  readonly turns: OpenStore["turns"];
  readonly records: TurnRecords;
  /** Resolves once nothing is queued. */
  untilStored(): Promise<void>;
  close(): Promise<void>;
}

const call: SavedItem = {
  type: "tool-call",
  position: 4,
  ordinal: 1,
  callId: "1",
  name: "files__write",
  title: "Write",
  runsOn: "server",
  step: 0,
  input: "{}",
};
const request: SavedItem = {
  type: "approval-request",
  position: 4,
  ordinal: 2,
  approvalId: "a",
  callId: "1",
  expiresAt: "2100-01-01T00:00:00.000Z",
};
const thought: SavedItem = { type: "reasoning-delta", position: 0, ordinal: 2, text: "hm" };
const answers = [{ approvalId: "a", isApproved: true, reason: "go" }];

const paused: PausedTurn = {
  toBody: () => ({ plan: "Plan", answer: undefined }),
  items: [thought, call, request],
  state: { step: 1, note: "\0" },
  expiresAt: new Date(Date.now() + 3_600_000),
  usage: undefined,
};

const missing = await findMissingHistory();

describe("while the database is unavailable", { timeout: 120_000 }, () => {
  const server = useDatabase(startPostgresHarness);
  let proxy: TcpProxy;
  useResource(async (closing) => {
    proxy = closing.adopt(await startTcpProxy(server.harness.server.port), (started) => started.close());
  });
  let dataDir: string;
  useResource(async (closing) => {
    dataDir = closing.adopt(await makeFolder(), (folder) => folder.remove()).path;
  }, "test");

  async function open(url?: string): Promise<Process> {
    const own = `postgres://postgres:postgres@127.0.0.1:${proxy.port}/postgres`;
    const { store: options } = parseConfig({ DATABASE_URL: url ?? own, DATA_DIR: dataDir }).app;
    let stored = Promise.withResolvers<void>();
    const store = await openStore(options, systemClock, (event) => {
      if (event.type !== "write-stored") return;
      stored.resolve();
      stored = Promise.withResolvers();
    });
    return {
      turns: store.turns,
      records: store.records ?? assert.fail(),
      untilStored: async () => {
        while ((store.journal?.queued ?? 0) > 0) await stored.promise;
      },
      close: () => store.close(),
    };
  }

  async function start(context: TestContext): Promise<Process> {
    const started = await open();
    context.after(() => started.close());
    return started;
  }

  async function begin({ turns }: Process, more: Partial<TurnBegin> = {}): Promise<TurnBegin> {
    const turn = makeTurn(["u: Hi"], { userId: randomUUID(), conversationId: randomUUID(), ...more });
    const result = await turns.begin(turn);
    assert.equal(result.type, "begun");
    return turn;
  }

  /** Cuts the database off while `work` runs. */
  async function cutOff<Result>(work: () => Promise<Result>): Promise<Result> {
    proxy.refuse();
    try {
      return await work();
    } finally {
      proxy.pass();
    }
  }

  test("a turn begins and waits in the journal, and is answered once both are stored", async (context) => {
    const process = await start(context);
    const turn = await cutOff(async () => {
      const begun = await begin(process);
      assert.equal((await process.turns.pause(begun, paused)).storage, "queued");
      await assert.rejects(process.records.waiting.answer(begun.turnId, begun.caller, answers), {
        code: "store_unavailable",
      });
      return begun;
    });
    await process.untilStored();
    const listed = await process.records.recovery.listAbandoned({ except: [], isStaleToo: true });
    assert.deepEqual(listed, [], "a waiting turn is not abandoned");
    const answered = await process.records.waiting.answer(turn.turnId, turn.caller, answers);
    assert.ok(answered.type === "claimed");
    const { text, items, state } = answered.turn;
    assert.deepEqual(
      [text, items.slice(0, 3), state],
      ["Plan", paused.items, { ...paused.state, note: "\ufffd" }],
    );
    assert.deepEqual((await process.turns.end(turn, makeResult("Done.", { items }))).storage, "stored");
  });

  test("a stop that comes before a queued pause is stored ends the wait at once", async (context) => {
    const process = await start(context);
    const turn = await begin(process);
    await cutOff(async () => {
      assert.equal((await process.turns.pause(turn, paused)).storage, "queued");
      await runSql(server.harness.server.url, [
        `update turns set stop_requested = true where id = '${turn.turnId}'`,
      ]);
    });
    await process.untilStored();
    const [listed] = await process.records.recovery.listAbandoned({ except: [], isStaleToo: false });
    assert.deepEqual([listed?.turnId, listed?.reason], [turn.turnId, "stop"]);
    const claimed = await process.records.waiting.claim(turn.turnId, "stop");
    assert.deepEqual(claimed?.items, paused.items);
    await process.turns.end(turn, makeResult("", { outcome: "stopped" }));
  });

  test("items of a turn wait with its end, and outlive the process", async (context) => {
    const first = await open();
    const turn = await begin(first);
    await cutOff(async () => {
      const ended = await first.turns.end(turn, makeResult("Done.", { items: [call] }));
      assert.equal(ended.storage, "queued");
      await first.close();
    });
    const second = await open();
    context.after(() => second.close());
    await second.untilStored();
    const stored = await second.records.progress.read(turn.turnId, turn.caller, 0);
    assert.deepEqual([stored?.status, stored?.items], ["complete", [call]]);
  });

  for (const isEnded of [false, true])
    test(`items that a dead process had only in its journal join its turn${isEnded ? ", which another process has ended meanwhile" : ""}`, async (context) => {
      const first = await open();
      const turn = await begin(first);
      const { turnId, caller } = turn;
      await first.records.progress.save([turnId], [{ turnId, position: 0, text: "Plan", items: [thought] }]);
      await first.records.recovery.keepPieces([{ turnId, position: 4, text: "", items: [call, request] }]);
      await cutOff(() => first.close());
      const database = await server.harness.open(systemClock);
      context.after(() => database.close());
      const writes = new TurnWrites(database, systemClock);
      if (isEnded) await endTurn(writes, turn, toInterruptedResult("Plan", new Date(), [thought]));
      const second = await open();
      context.after(() => second.close());
      while (!(await second.records.recovery.isSettled()))
        await second.records.progress.read(turnId, caller, 0);
      const saved = isEnded ? [call, request] : [thought, call, request];
      const stored = await second.records.progress.read(turnId, caller, 0);
      assert.deepEqual([stored?.text, stored?.items], ["Plan", saved]);
      const [listed] = await second.records.recovery.listAbandoned({ except: [], isStaleToo: false });
      assert.deepEqual(
        listed,
        isEnded ? undefined : { turnId, text: "Plan", items: saved, reason: undefined },
      );
      if (isEnded) return;
      const filter = { except: [], isStaleToo: false };
      const result = toInterruptedResult("Plan", new Date(), saved);
      assert.equal(await second.records.recovery.endAbandoned(turnId, result, filter), true);
      assert.deepEqual((await second.records.progress.read(turnId, caller, 0))?.items, [call, request]);
    });

  test(
    "on the previous schema, turns wait and are answered as on this one",
    { skip: missing },
    async (context) => {
      const previous = await unpackPreviousBuild();
      context.after(() => previous.remove());
      const url = await server.harness.server.createDatabase("previous");
      await runSql(url, [previous.schema]);
      const process = await open(url);
      context.after(() => process.close());
      const kept = { metadata: { topic: "demo" } };
      const turn = await begin(process, { request: kept });
      const { turnId, caller } = turn;
      const pieces = [{ turnId, position: 0, text: "Plan", items: [thought] }];
      const { known } = await process.records.progress.save([turnId], pieces);
      assert.deepEqual(Array.from(known), [turnId]);
      const read = async (): Promise<unknown> => {
        const stored = await process.records.progress.read(turnId, caller, 0);
        return [stored?.status, stored?.text, stored?.items, stored?.request];
      };
      assert.deepEqual(await read(), ["running", "Plan", [thought], kept]);
      assert.equal((await process.turns.pause(turn, paused)).storage, "stored");
      assert.deepEqual(await read(), ["waiting", "Plan", paused.items, kept]);
      const answered = await process.records.waiting.answer(turnId, caller, answers);
      assert.equal(answered.type, "claimed");
      await process.turns.end(turn, makeResult("Done.", { items: [call] }));
      assert.deepEqual(await read(), ["complete", "- plan\n---RESPONSE---\nDone.", [call], kept]);
    },
  );
});
