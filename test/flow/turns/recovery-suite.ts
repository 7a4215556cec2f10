/** Orphaned turns on every database: they end once, and their owner's own end still wins. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { startApp, type RunningApp } from "../../support/apps/start-app.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import type { TurnBegin } from "../../../src/turn/ports.ts";

const interruptedLine = "\n[error] interrupted: The server stopped before the reply was complete.\n";
const graceMs = 30_000;
const lookMs = 4_000;

/** Runs the suite on the database that `start` starts. */
export function runRecoverySuite(name: string, start: () => Promise<StoreHarness>): void {
  describe(`orphaned turns on ${name}`, { timeout: 120_000 }, () => {
    const harness = useDatabase(start);

    let database: Database;
    let writes: TurnWrites;
    const dead = randomUUID();

    /**
     * Runs `work` with the database open and no replica on it: only one process can open the embedded one.
     */
    async function asOwner<Result>(work: () => Promise<Result>): Promise<Result> {
      database = await harness.harness.open(systemClock);
      writes = new TurnWrites(database, systemClock, dead);
      const result = await work();
      await database.close();
      return result;
    }

    /**
     * Lets a replica check until its database has been healthy for long enough to recover other processes'
     * turns.
     */
    async function recover(turnIds: readonly string[]): Promise<RunningApp> {
      const clock = new ManualClock();
      const app = await startApp({ CHAT_STORE_ENABLED: "true", ...harness.variables }, clock);
      for (let passedMs = 0; passedMs <= graceMs + lookMs; passedMs += lookMs) {
        await clock.timer(lookMs);
        await clock.pass(lookMs);
      }
      await clock.timer(lookMs);
      const told = app.logs.filter(({ msg }) => msg.startsWith("recovered an orphaned turn"));
      assert.deepEqual(new Set(told.map(({ turnId }) => turnId)), new Set(turnIds));
      assert.equal(told.length, turnIds.length);
      return app;
    }

    /** Makes a turn's process die after it saved `answer` of its reply, and another recover the turn. */
    async function loseTurn(
      answer: string,
    ): Promise<{ readonly turn: TurnBegin; readonly userId: string; readonly conversationId: string }> {
      const [userId, conversationId] = [randomUUID(), randomUUID()];
      const turn = makeTurn(["u: Hi"], { userId, conversationId });
      await asOwner(async () => {
        await beginTurn(writes, turn);
        const pieces = [{ turnId: turn.turnId, position: 0, text: `- plan\n---RESPONSE---\n${answer}` }];
        await new TurnReads(database).saveProgress([dead], [turn.turnId], pieces);
      });
      await harness.sql(
        `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
      );
      await (await recover([turn.turnId])).close();
      return { turn, userId, conversationId };
    }

    test("a turn ends as interrupted with its saved text, once; its owner's own end still wins", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const turn = makeTurn(["u: Hi"], { userId, conversationId });
      const silent = makeTurn(["u: Ho"], { userId });
      await asOwner(async () => {
        for (const each of [turn, silent]) await beginTurn(writes, each);
        await new TurnReads(database).saveProgress(
          [dead],
          [turn.turnId],
          [
            { turnId: turn.turnId, position: 0, text: "- plan\n---RESPONSE---\nHello," },
            { turnId: turn.turnId, position: 28, text: " wör" },
            { turnId: turn.turnId, position: 40, text: "after a gap" },
          ],
        );
      });
      await harness.sql(
        `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
      );
      const app = await recover([turn.turnId, silent.turnId]);
      const body = "- plan\n---RESPONSE---\nHello, wör";
      for (const from of [0, 30, 99]) {
        const answer = await app.get(`/turns/${turn.turnId}/stream?userId=${userId}&after=${from}`);
        assert.deepEqual(
          [answer.isComplete, answer.body],
          [false, Buffer.from(body).subarray(from).toString() + interruptedLine],
        );
      }
      assert.equal((await app.get(`/turns/${silent.turnId}/stream?userId=${userId}&after=0`)).status, 503);
      const rows = await readMessages(app.app.store.database, conversationId, userId);
      assert.deepEqual(
        rows.map(({ content, status, metadata }) => [content, status, metadata?.["plan"]]).slice(1),
        [["Hello, wör", "interrupted", "- plan"]],
      );
      await app.close();
      await asOwner(async () => {
        const late = makeResult("Hello, wörld!");
        for (const isChanged of [true, false])
          assert.deepEqual(await endTurn(writes, turn, late), { type: "ended", conversationId, isChanged });
        const shown = await readMessages(database, conversationId, userId);
        assert.deepEqual(shown.map(({ content, status }) => [content, status]).slice(1), [
          ["Hello, wörld!", "complete"],
        ]);
        assert.deepEqual(
          (await new TurnReads(database).read(turn.turnId, turn.caller, 0))?.text,
          "- plan\n---RESPONSE---\nHello, wörld!",
        );
      });
      const all = await harness.sql(
        `select content, metadata ? 'superseded_by' as superseded from messages where conversation_id = '${conversationId}' and role = 'assistant' order by created_at`,
      );
      assert.deepEqual(all, [
        { content: "Hello, wör", superseded: true },
        { content: "Hello, wörld!", superseded: false },
      ]);
      assert.deepEqual(await harness.sql("select * from turn_pieces"), []);
      const usage = `select turns, estimated_turns, input_tokens::int, output_tokens::int from daily_usage where user_id = '${userId}'`;
      assert.deepEqual(
        await harness.sql(usage),
        [{ turns: 2, estimated_turns: 1, input_tokens: 10 + 1, output_tokens: 2 }],
        "the silent one by its estimate, the other as its owner said, once",
      );
    });

    test("a turn of another process is left alone while its owner sends heartbeats", async () => {
      const turn = makeTurn(["u: Hi"], { userId: randomUUID() });
      await asOwner(() => beginTurn(writes, turn));
      await (await recover([])).close();
      await harness.sql(
        `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
      );
      await (await recover([turn.turnId])).close();
    });

    test("a complete reply with the same text as the saved part completes the interrupted message", async () => {
      const { turn, userId, conversationId } = await loseTurn("All.");
      await asOwner(async () => {
        await endTurn(writes, turn, makeResult("All."));
        const shown = await readMessages(database, conversationId, userId);
        assert.deepEqual(
          shown.map(({ content, status }) => [content, status]),
          [
            ["Hi", null],
            ["All.", "complete"],
          ],
        );
      });
    });

    test("a late end does not hide messages sent after the turn was recovered", async () => {
      const { turn, userId, conversationId } = await loseTurn("Hal");
      await asOwner(async () => {
        const next = makeTurn(["u: Hi", "a: Hal", "u: Go on"], { userId, conversationId });
        await beginTurn(writes, next);
        await endTurn(writes, next, makeResult("…lo."));
        await endTurn(writes, turn, makeResult("Hallo."));
        const shown = await readMessages(database, conversationId, userId);
        assert.deepEqual(
          shown.map(({ content }) => content),
          ["Hi", "Hal", "Go on", "…lo."],
        );
      });
    });
  });
}
