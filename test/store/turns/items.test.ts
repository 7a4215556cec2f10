/** Items beside the text, and turns that wait for their user, on every database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { service } from "../../../src/store/database/database.ts";
import { DatabaseHealth } from "../../../src/store/database/database-health.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import { toPauseArgument, TurnWrites, type PausedRow } from "../../../src/store/turns/turn-writes.ts";
import { StoredWaitingTurns } from "../../../src/store/turns/waiting-turns.ts";
import type { Caller } from "../../../src/base/caller.ts";
import type { PausedTurn, TurnBegin } from "../../../src/turn/ports.ts";
import type { AnswerResult } from "../../../src/turn/records.ts";
import type { SavedItem } from "../../../src/turn/turn-event.ts";
import { useDatabase, useResource } from "../../support/apps/use-app.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";

const hour = 3_600_000;

function makeCall(callId: string, place: { position: number; ordinal: number }): SavedItem {
  const call = { callId, name: "files__read", title: "Read", runsOn: "server", step: 0 } as const;
  return { type: "tool-call", ...place, ...call, input: '{"path":"a"}' };
}

function makeRequest(approvalId: string, place: { position: number; ordinal: number }): SavedItem {
  const expiresAt = new Date(Date.now() + hour).toISOString();
  return { type: "approval-request", ...place, approvalId, callId: `call of ${approvalId}`, expiresAt };
}

/** A piece of reasoning that ends at `ordinal`. */
function think(text: string, ordinal: number, position = 0): SavedItem {
  return { type: "reasoning-delta", position, ordinal, text };
}

const result: SavedItem = {
  type: "tool-result",
  position: 4,
  ordinal: 2,
  callId: "1",
  status: "complete",
  output: { content: [{ type: "text", text: "ä" }] },
};

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness])
  describe(`items on ${start.name}`, { timeout: 180_000 }, () => {
    const server = useDatabase(start);
    let database: Database;
    let writes: TurnWrites;
    let reads: TurnReads;
    let waiting: StoredWaitingTurns;
    const owner = randomUUID();
    useResource(async (closing) => {
      database = await server.harness.open(systemClock);
      closing.defer(() => database.close());
      writes = new TurnWrites(database, systemClock, owner);
      reads = new TurnReads(database);
      waiting = new StoredWaitingTurns({
        database: new DatabaseHealth(database, systemClock),
        journal: undefined,
      });
    });

    async function begin(more: Parameters<typeof makeTurn>[1] = {}): Promise<TurnBegin> {
      const turn = makeTurn(["u: Hi"], { userId: randomUUID(), ...more });
      return { ...turn, conversationId: await beginTurn(writes, turn) };
    }

    async function save(
      turn: TurnBegin,
      position: number,
      text: string,
      ...items: SavedItem[]
    ): Promise<void> {
      const piece = { turnId: turn.turnId, position, text, items };
      const { known } = await reads.saveProgress([owner], [turn.turnId], [piece]);
      assert.ok(known.has(turn.turnId));
    }

    async function read(
      { turnId, caller }: TurnBegin,
      afterItem?: { position: number; ordinal: number },
      after = 0,
    ): Promise<{ status: string; text: string; items: readonly SavedItem[] }> {
      const { status, text, items } = (await reads.read(turnId, caller, after, afterItem)) ?? assert.fail();
      return { status, text, items };
    }

    async function pause(turn: TurnBegin, more: Partial<PausedTurn> = {}): Promise<PausedRow> {
      const paused: PausedTurn = {
        toBody: () => ({ plan: "Plän", answer: undefined }),
        items: [
          makeCall("call of a", { position: 5, ordinal: 1 }),
          makeRequest("a", { position: 5, ordinal: 2 }),
        ],
        state: { step: 1 },
        expiresAt: new Date(Date.now() + hour),
        usage: { inputTokens: 7, outputTokens: 3, toolCalls: 1, toolCost: 0.25 },
        ...more,
      };
      return await writes.pause(toPauseArgument(turn.turnId, paused, [owner], new Date()));
    }

    function answer(turn: TurnBegin, approvalId: string, isApproved: boolean): Promise<AnswerResult> {
      return waiting.answer(turn.turnId, turn.caller, [{ approvalId, isApproved, reason: undefined }]);
    }

    test("are saved with the text, or without any, and again without a second row", async () => {
      const turn = await begin();
      await save(turn, 0, "", think("hm", 2));
      const call = makeCall("1", { position: 4, ordinal: 1 });
      for (let time = 0; time < 2; time += 1) await save(turn, 0, "Plan", think("hm", 2), call);
      await save(turn, 4, "", result);
      assert.deepEqual(await read(turn), {
        status: "running",
        text: "Plan",
        items: [think("hm", 2), call, result],
      });
      assert.deepEqual((await read(turn, { position: 0, ordinal: 2 })).items, [call, result]);
      assert.deepEqual((await read(turn, result)).items, []);
    });

    test("of reasoning are read once each, however their pieces overlap, from any byte", async () => {
      const turn = await begin();
      await save(turn, 0, "", think("a€", 4));
      await save(turn, 0, "", think("a€b", 5));
      await save(turn, 0, "", think("bcd", 7));
      await save(turn, 0, "", think("a€bcd", 7));
      await save(turn, 0, "x", think("z", 1, 1));
      const text = async (place?: { position: number; ordinal: number }): Promise<string> =>
        (await read(turn, place)).items.map((item) => ("text" in item ? item.text : "")).join("");
      assert.equal(await text(), "a€bcdz");
      assert.equal(await text({ position: 0, ordinal: 1 }), "€bcdz");
      assert.equal(await text({ position: 0, ordinal: 3 }), "€bcdz", "from a whole character");
      assert.equal(await text({ position: 0, ordinal: 6 }), "dz");
      assert.equal(await text({ position: 0, ordinal: 7 }), "z");
    });

    test("outlive the end of their turn, but for reasoning, and stand in its message", async () => {
      const turn = await begin();
      const call = makeCall("1", { position: 4, ordinal: 1 });
      await save(turn, 0, "Plan", think("hm", 2), call);
      const tool = {
        callId: "1",
        name: "files__read",
        runsOn: "server",
        step: 0,
        at: 0,
        input: "{}",
      } as const;
      const { reply = assert.fail(), ...end } = makeResult("Done.");
      const tools = [{ ...tool, outcome: { status: "complete", output: "\0\ud800" } } as const];
      const withTools = { text: "Before.\n\nDone.", tools };
      for (let time = 0; time < 2; time += 1)
        await endTurn(writes, turn, { ...end, reply: { ...reply, withTools }, items: [call, result] });
      const { items, status } = await read(turn);
      assert.deepEqual([items, status], [[call, result], "complete"]);
      const [, message] = await readMessages(database, turn.conversationId, turn.caller.userId ?? "");
      assert.equal(message?.content, "Before.\n\nDone.");
      assert.deepEqual(message.metadata?.["tools"], [
        { ...tool, outcome: { status: "complete", output: "\ufffd\ufffd" } },
      ]);
    });

    test("replace those of recovery when the own end of an interrupted turn comes late", async () => {
      const turn = await begin();
      const call = makeCall("1", { position: 4, ordinal: 1 });
      await save(turn, 0, "Plan", call);
      const unknown: SavedItem = { ...result, status: "unknown", output: "cut off" };
      await endTurn(writes, turn, makeResult("", { outcome: "interrupted", items: [call, unknown] }));
      assert.deepEqual((await read(turn)).items, [call, unknown]);
      await endTurn(writes, turn, makeResult("Done.", { items: [call, result] }));
      assert.deepEqual((await read(turn)).items, [call, result]);
      await endTurn(writes, turn, makeResult("", { outcome: "interrupted", items: [call, unknown] }));
      assert.deepEqual((await read(turn)).items, [call, result]);
    });

    test("take at most 1 MiB of a turn, reasoning half of it, and the text goes on", async () => {
      const turn = await begin();
      const half = "x".repeat(500_000);
      await save(turn, 0, "", think(half, 500_000), think(half, 1_000_000));
      const calls = Array.from({ length: 3 }, (_, index) => ({
        ...makeCall(`${index}`, { position: 0, ordinal: 1_000_001 + index }),
        input: "y".repeat(200_000),
      }));
      await save(turn, 0, "Plan", ...calls);
      const { items, text } = await read(turn);
      assert.deepEqual(
        items.map(({ ordinal }) => ordinal),
        [500_000, 1_000_001, 1_000_002],
      );
      assert.equal(text, "Plan");
    });

    test("of types that only a newer server knows are skipped", async () => {
      const turn = await begin();
      await save(turn, 0, "", result);
      const pieces = [
        {
          turn_id: turn.turnId,
          position: 0,
          text: "",
          items: [{ type: "source", position: 4, ordinal: 1, data: {} }],
        },
      ];
      await database.call("chat_save_progress", { owners: [owner], running: [], pieces }, service);
      assert.deepEqual((await read(turn)).items, [result]);
    });

    test("are other users' no more than their turn is", async () => {
      const turn = await begin();
      await save(turn, 0, "", result);
      const other: Caller = { ...service, userId: randomUUID() };
      assert.equal(await reads.read(turn.turnId, other, 0), undefined);
      assert.deepEqual(await database.call("chat_list_visible_tables", {}, other), []);
      const visible = await database.call("chat_list_visible_tables", {}, turn.caller);
      assert.ok(Array.isArray(visible) && visible.includes("turn_events") && !visible.includes("turn_waits"));
    });

    test("let a turn wait, and go on with all it had once every request is answered", async () => {
      const turn = await begin();
      await save(turn, 0, "Pl", think("hm", 2));
      const items = [
        makeRequest("a", { position: 5, ordinal: 1 }),
        makeRequest("b", { position: 5, ordinal: 2 }),
      ];
      for (let time = 0; time < 2; time += 1)
        assert.equal((await pause(turn, { items: [think("hm", 2), ...items] })).type, "ended");
      assert.deepEqual(await read(turn), {
        status: "waiting",
        text: "Plän",
        items: [think("hm", 2), ...items],
      });
      assert.deepEqual(await answer(turn, "c", true), { type: "unknown", approvalId: "c" });
      assert.deepEqual(await answer({ ...turn, caller: service }, "a", true), { type: "missing" });
      for (let time = 0; time < 2; time += 1)
        assert.deepEqual(await answer(turn, "a", true), { type: "stored", pending: ["b"] });
      assert.deepEqual(await answer(turn, "a", false), { type: "settled", approvalId: "a" });
      const claimed = await answer(turn, "b", false);
      assert.ok(claimed.type === "claimed");
      const responses = (["approved", "denied"] as const).map((decision, index) => {
        const approvalId = index === 0 ? "a" : "b";
        const place = { position: 5, ordinal: 3 + index };
        return {
          type: "approval-response",
          ...place,
          approvalId,
          callId: `call of ${approvalId}`,
          decision,
        };
      });
      assert.deepEqual(claimed.turn, {
        turnId: turn.turnId,
        conversationId: turn.conversationId,
        userId: turn.caller.userId,
        parentId: claimed.turn.parentId,
        model: "test",
        startedAt: turn.startedAt,
        text: "Plän",
        items: [think("hm", 2), ...items, ...responses],
        state: { step: 1 },
      });
      assert.equal((await read(turn)).status, "running");
      assert.deepEqual(await answer(turn, "b", false), { type: "stored", pending: [] });
      assert.deepEqual(await answer(turn, "b", true), { type: "settled", approvalId: "b" });
      assert.equal(await waiting.claim(turn.turnId, "expired"), undefined);
    });

    test("are answered by two processes at once, and one of them gets the turn", async () => {
      const turn = await begin();
      const items = ["a", "b", "c", "d"].map((id, index) =>
        makeRequest(id, { position: 5, ordinal: 1 + index }),
      );
      await pause(turn, { items });
      const answers = await Promise.all(["a", "b", "c", "d"].map((id) => answer(turn, id, true)));
      assert.equal(answers.filter(({ type }) => type === "claimed").length, 1);
      assert.equal(answers.filter(({ type }) => type === "stored").length, 3);
    });

    test("claim a turn for a repeated call with the same result", async () => {
      const turn = await begin();
      await pause(turn);
      const argument = {
        turn_id: turn.turnId,
        user_id: turn.caller.userId,
        answers: [{ approval_id: "a", is_approved: true }],
        owner,
        claim: randomUUID(),
      };
      const first = await database.call("chat_answer_approvals", argument, service);
      assert.deepEqual(await database.call("chat_answer_approvals", argument, service), first);
      const other = { ...argument, claim: randomUUID() };
      assert.deepEqual(await database.call("chat_answer_approvals", other, service), { pending: [] });
    });

    test("expire with their turn, which one process claims then", async () => {
      const turn = await begin();
      await pause(turn, { expiresAt: new Date(Date.now() - 1_000) });
      const late = await begin();
      await pause(late);
      assert.deepEqual(await answer(turn, "a", true), { type: "expired", approvalId: "a" });
      const listed = await reads.listAbandoned({ except: [], isStaleToo: true }, []);
      assert.deepEqual(
        listed.filter(({ turnId }) => [turn.turnId, late.turnId].includes(turnId)),
        [{ turnId: turn.turnId, text: "", items: [], reason: "expired" }],
      );
      assert.equal(await waiting.claim(late.turnId, "expired"), undefined, "its time is not up");
      const claims = await Promise.all([1, 2, 3].map(() => waiting.claim(turn.turnId, "expired")));
      const [claimed, ...more] = claims.filter((claim) => claim !== undefined);
      assert.deepEqual(more, []);
      const last = claimed?.items.at(-1);
      assert.ok(last?.type === "approval-response" && last.decision === "expired");
      assert.deepEqual(await answer(turn, "a", true), { type: "expired", approvalId: "a" });
    });

    test("of a waiting turn that is stopped are answered no more, and the turn is claimed to be ended", async () => {
      const place = { conversationId: randomUUID(), chatId: undefined };
      const turn = await begin({ conversationId: place.conversationId });
      await pause(turn);
      assert.equal(await waiting.claim(turn.turnId, "stop"), undefined);
      assert.equal((await reads.findNewest(place, turn.caller))?.isRunning, true);
      assert.deepEqual(await reads.requestStops(place, turn.caller), [turn.turnId]);
      assert.deepEqual(await answer(turn, "a", true), { type: "not-waiting", status: "stopped" });
      const listed = await reads.listAbandoned({ except: [], isStaleToo: false }, []);
      assert.deepEqual(listed.find(({ turnId }) => turnId === turn.turnId)?.reason, "stop");
      assert.equal(await waiting.claim(turn.turnId, "expired"), undefined);
      const claimed = await waiting.claim(turn.turnId, "stop");
      assert.equal(claimed?.items.at(-1)?.type, "approval-request");
      await endTurn(
        writes,
        turn,
        makeResult("", { outcome: "stopped", usage: undefined, items: claimed?.items }),
      );
      const ended = await reads.read(turn.turnId, turn.caller, 0);
      assert.deepEqual(
        [ended?.status, ended?.usage?.toolCalls],
        ["stopped", 1],
        "the usage is what was known",
      );
    });

    test("let no turn wait that has been asked to stop", async () => {
      const turn = await begin();
      await reads.requestStop(turn.turnId, turn.caller);
      assert.deepEqual(await pause(turn), { type: "stop" });
      assert.equal((await read(turn)).status, "running");
    });

    test("of a pause that comes again after its turn went on change nothing", async () => {
      const turn = await begin();
      await pause(turn);
      await answer(turn, "a", true);
      assert.deepEqual(await pause(turn), {
        type: "ended",
        conversationId: turn.conversationId,
        isChanged: false,
      });
      assert.equal((await read(turn)).status, "running");
    });

    test("go with their conversation, and the tokens of its waiting turn count", async () => {
      const turn = await begin();
      await pause(turn);
      const { conversationId: id, caller } = turn;
      await database.call(
        "chat_delete_conversations",
        { user_id: caller.userId, conversation_id: id, limit: 1 },
        caller,
      );
      assert.equal(await reads.read(turn.turnId, caller, 0), undefined);
      assert.equal((await pause(turn)).type, "gone");
      assert.deepEqual(await answer(turn, "a", true), { type: "missing" });
      const day = turn.startedAt.toISOString().slice(0, 10);
      const usage = await database.call("chat_list_usage", { from: day, to: day }, caller);
      assert.match(JSON.stringify(usage), /"turns":1/);
    });

    test("go with a conversation that is idle for too long, though its turn waits", async () => {
      const turn = await begin();
      await pause(turn);
      await database.call("chat_delete_expired", { days: -1, limit: 1_000 }, service);
      assert.equal(await reads.read(turn.turnId, turn.caller, 0), undefined);
    });

    test("of a waiting turn keep its tokens reserved, but not its place among concurrent turns", async () => {
      const subject = `user ${randomUUID()}`;
      const userId = randomUUID();
      const limits = { subject, over: undefined, concurrentTurns: 1, tokensPerDay: 2_000 };
      const turn = await begin({ userId, allowance: limits });
      const next = makeTurn(["u: Next"], { userId, allowance: limits });
      assert.deepEqual(await writes.begin(next), {
        type: "limited",
        limit: "concurrent-turns",
        tokensLeft: undefined,
      });
      await pause(turn);
      assert.deepEqual(await writes.begin(next), {
        type: "limited",
        limit: "tokens-per-day",
        tokensLeft: 990,
      });
      const more = { ...limits, tokensPerDay: 2_020 };
      assert.equal((await writes.begin({ ...next, allowance: more })).type, "saved");
    });
  });
