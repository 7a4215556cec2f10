/** Budgets in money on every database: reserved before the model is called, for all replicas together. */
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { askFor, authorization, chatFor, codeOf, keyedVariables } from "../../support/apps/keyed-server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { useModel, useDatabase, useStartApp } from "../../support/apps/use-app.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

/** Input is free, and a thousand tokens of output, which a turn without a maximum reserves, cost 1. */
const prices = JSON.stringify({ scripted: { input: 0, cachedInput: 0, output: 1000, reasoning: 2000 } });
const Report = z.object({
  total: z.object({ turns: z.number(), cost: z.number().nullable() }),
  costPerDay: z.number().nullable(),
  costLeft: z.number().nullable(),
  keyCostPerDay: z.number().nullable(),
  keyCostLeft: z.number().nullable(),
});

/** Answers, and reports so many tokens of output. */
function answer(call: ScriptedCall, outputTokens?: number, reasoningTokens = 0): void {
  call.text("- p\n---RESPONSE---\nHello.").event(toChunk({}, "stop"));
  const completion_tokens_details = { reasoning_tokens: reasoningTokens };
  const usage = { prompt_tokens: 5, completion_tokens: outputTokens, completion_tokens_details };
  if (outputTokens !== undefined) call.event({ ...toChunk({}), choices: [], usage });
  call.raw("data: [DONE]\n\n").end();
}

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runBudgetsSuite(name: string, start: () => Promise<StoreHarness>, replicaCount: 1 | 2): void {
  describe(`budgets on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const startApp = useStartApp(model, { ...keyedVariables, MODEL_PRICES: prices }, { database: harness });
    const apps: RunningApp[] = [];
    let userId: string;
    let usageKey: string;
    beforeEach(() => {
      apps.length = 0;
      userId = randomUUID();
      usageKey = authorization;
      model.script = (call) => answer(call);
    });

    const startApps = async (variables: Record<string, string>): Promise<void> => {
      while (apps.length < replicaCount) apps.push(await startApp(variables));
    };

    /** Returns the replicas in rotation. */
    const at = (index: number): RunningApp => apps[index % apps.length] ?? assert.fail();
    const chat = (index: number, more?: object, headers?: Record<string, string>): Promise<AppResponse> =>
      chatFor(userId, at(index), more, headers);

    /** Starts a turn whose model has been called, and waits. */
    const hold = async (index: number): Promise<{ call: ScriptedCall; reading: Promise<AppResponse> }> => {
      const [calling, reading] = [model.nextCall(), chat(index)];
      return { call: await calling, reading };
    };

    /** Resolves with the report once it counts so many turns: a slow database gets ends after responses. */
    async function reportOf(turns: number, user = userId): Promise<z.infer<typeof Report>> {
      for (;;) {
        const { status, body } = await askFor(user, at(0), "GET", "/usage", undefined, {
          authorization: usageKey,
        });
        assert.equal(status, 200, body);
        const report = Report.parse(JSON.parse(body));
        if (report.total.turns >= turns) return report;
      }
    }

    /** Returns the rest of the budget that a response tells, in millionths. */
    function leftOf({ headers }: AppResponse, limit = "cost-per-day"): number | undefined {
      const rest = new RegExp(`"${limit}";r=(\\d+);t=\\d+`).exec(String(headers["ratelimit"]))?.[1];
      return rest === undefined ? undefined : Number(rest);
    }

    test("running turns reserve the dearest reply, ended ones count what they cost, and headers tell the rest", async () => {
      await startApps({ LIMIT_COST_PER_DAY: "3.25", LIMIT_REQUESTS_PER_MINUTE: "100" });
      const keyed = { "idempotency-key": randomUUID() };
      model.script = (call) => answer(call, 200, 50);
      const first = await chat(0, { max_tokens: 1 }, keyed);
      assert.equal(leftOf(first), 1_250_000, "reasoning could cost 2 for a thousand tokens");
      assert.match(String(first.headers["ratelimit"]), /^"requests";r=\d+;t=\d+, "cost-per-day";/);
      const policies = '"requests";q=100;w=60, "cost-per-day";q=3250000;qu="foreword-micros";w=86400';
      assert.equal(first.headers["ratelimit-policy"], policies);
      assert.deepEqual(await reportOf(1), {
        total: { turns: 1, cost: 0.25 },
        costPerDay: 3.25,
        costLeft: 3,
        keyCostPerDay: null,
        keyCostLeft: null,
      });
      const held = await hold(1);
      const refused = await chat(0);
      assert.deepEqual([refused.status, codeOf(refused)], [429, "budget_exhausted"]);
      assert.match(
        refused.body,
        /The turn may cost about 2; (?:1|too little) of the budget, 3\.25, is left today \(UTC\)\./,
      );
      const seconds = Number(refused.headers["retry-after"]);
      assert.ok(seconds >= 1 && seconds <= 86_400);
      assert.equal(refused.headers["ratelimit"], `"cost-per-day";r=0;t=${seconds}`);
      const replayed = await chat(1, { max_tokens: 1 }, keyed);
      assert.equal(replayed.headers["idempotency-replayed"], "true");
      assert.equal(leftOf(replayed), undefined, "a replay takes nothing");
      answer(held.call, 0);
      assert.equal(leftOf(await held.reading), 1_000_000);
      model.script = (call) => call.head(400).end();
      assert.ok((await chat(1)).status >= 400);
      assert.equal((await reportOf(3)).costLeft, 3, "a turn that failed before its first text costs nothing");
    });

    test("each protocol refuses in its own form, and a smaller request still fits", async () => {
      await startApps({ LIMIT_COST_PER_DAY: "0.5" });
      const messages = [{ role: "user", content: "Hi" }];
      const complete = (more: object): Promise<AppResponse> =>
        askFor(userId, at(1), "POST", "/v1/chat/completions", {
          model: "scripted",
          messages,
          user: userId,
          ...more,
        });
      const calls = model.calls.length;
      const whole = await complete({});
      assert.equal(whole.status, 429);
      assert.match(whole.body, /"code":"budget_exhausted"/);
      const parts = [{ type: "text", text: "Hi" }];
      const ui = { id: randomUUID(), messages: [{ id: randomUUID(), role: "user", parts }] };
      const refused = await askFor(userId, at(0), "POST", "/api/chat", ui);
      assert.deepEqual([refused.status, refused.body.includes("budget")], [429, true]);
      assert.equal(model.calls.length, calls, "the model was not asked");
      model.script = (call) => answer(call, 20);
      const small = await complete({ max_tokens: 200 });
      assert.deepEqual([small.status, leftOf(small)], [200, 100_000]);
      assert.equal((await reportOf(1)).costLeft, 0.48);
    });

    test("of twenty turns started at once, no more reach the model than the budget has room for", async () => {
      await startApps({ LIMIT_COST_PER_DAY: "6.5", LIMIT_CONCURRENT_TURNS: "0" });
      const calls: ScriptedCall[] = [];
      const [all, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      model.script = (call) => void (calls.push(call) === 3 && all.resolve());
      let refusedCount = 0;
      const readings = Array.from({ length: 20 }, async (_, index) => {
        const read = await chat(index, { conversationId: randomUUID() });
        if (read.status === 429 && (refusedCount += 1) === 17) others.resolve();
        return read;
      });
      await Promise.all([all.promise, others.promise]);
      assert.equal(calls.length, 3);
      for (const call of calls) answer(call, 2_000);
      const read = await Promise.all(readings);
      assert.equal(read.filter(({ status }) => status === 200).length, 3);
      assert.equal((await reportOf(3)).costLeft, 0.5);
    });

    test("a turn that runs over midnight takes nothing of the next day", async () => {
      let dayMs = 0;
      const clock = { ...systemClock, now: () => new Date(Date.now() + dayMs) };
      for (let replica = 0; replica < replicaCount; replica += 1)
        apps.push(await startApp({ LIMIT_COST_PER_DAY: "2.5", LIMIT_TOKENS_PER_DAY: "2000" }, clock));
      const held = await hold(0);
      assert.equal((await chat(1)).status, 429);
      dayMs = 24 * 60 * 60 * 1_000;
      model.script = (call) => answer(call, 100);
      for (const index of [0, 1]) {
        assert.equal((await chat(index)).status, 200);
        await reportOf(index + 1);
      }
      answer(held.call, 3_000);
      await held.reading;
      await reportOf(3);
      const next = await chat(0);
      assert.deepEqual([next.status, leftOf(next)], [200, 300_000]);
    });

    test("a stopped turn costs about what it has said, by the prices of its time", async () => {
      await startApps({ LIMIT_COST_PER_DAY: "10" });
      const next = model.nextCall();
      const opening = at(0).open(
        "POST",
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }], userId },
        { authorization },
      );
      (await next).text(`- p\n---RESPONSE---\n${"x".repeat(4_000)}`);
      const response = await opening;
      await readUntil(response, "xxx");
      await askFor(userId, at(1), "POST", `/turns/${String(response.headers["x-turn-id"])}/stop`, {});
      await readResponse(response);
      const { cost } = (await reportOf(1)).total;
      assert.ok(cost !== null && cost > 0.2 && cost < 1.5, `${cost}`);
      const cheaper = JSON.stringify({ scripted: { input: 0, output: 1 } });
      for (const app of apps.splice(0)) await app.close();
      await startApps({ MODEL_PRICES: cheaper });
      assert.equal((await reportOf(1)).total.cost, cost, "a new price changes no earlier cost");
    });

    test("a key's budget holds for all its users together, and for no other key", async () => {
      const [web, batch] = [randomUUID(), randomUUID()];
      usageKey = `Bearer ${web}`;
      await startApps({
        API_KEYS: `web:${web},batch:${batch}`,
        LIMIT_KEY_COST_PER_DAY: "web:3.5",
        LIMIT_CONCURRENT_TURNS: "0",
      });
      model.script = (call) => answer(call, 1_000);
      const users = [randomUUID(), randomUUID(), randomUUID()];
      const chatWith = async (key: string, index: number): Promise<AppResponse> =>
        await chatFor(users[index] ?? "", at(index), {}, { authorization: `Bearer ${key}` });
      assert.equal(leftOf(await chatWith(web, 0), "key-cost-per-day"), 1_500_000);
      await reportOf(1, users[0]);
      assert.equal(leftOf(await chatWith(web, 1), "key-cost-per-day"), 500_000);
      await reportOf(1, users[1]);
      const refused = await chatWith(web, 2);
      assert.deepEqual([refused.status, codeOf(refused)], [429, "budget_exhausted"]);
      assert.match(refused.body, /(?:1\.5|too little) of the budget of the API key, 3\.5, is left/);
      assert.equal(
        refused.headers["ratelimit-policy"],
        '"key-cost-per-day";q=3500000;qu="foreword-micros";w=86400',
      );
      const other = await chatWith(batch, 2);
      assert.deepEqual([other.status, leftOf(other, "key-cost-per-day")], [200, undefined]);
      const readKeyBudget = async (key: string): Promise<readonly unknown[]> => {
        const headers = { authorization: `Bearer ${key}` };
        const { body } = await askFor(randomUUID(), at(1), "GET", "/usage", undefined, headers);
        const { keyCostPerDay, keyCostLeft } = Report.parse(JSON.parse(body));
        return [keyCostPerDay, keyCostLeft];
      };
      assert.deepEqual(await readKeyBudget(web), [3.5, 1.5]);
      assert.deepEqual(await readKeyBudget(batch), [null, null]);
    });

    test("a turn with store: false counts what it costs on all replicas, in both budgets", async () => {
      const nightly = randomUUID();
      usageKey = `Bearer ${nightly}`;
      await startApps({
        API_KEYS: `nightly:${nightly}`,
        LIMIT_COST_PER_DAY: "3.5",
        LIMIT_KEY_COST_PER_DAY: "10",
        LIMIT_CONCURRENT_TURNS: "0",
      });
      model.script = (call) => answer(call, 500);
      const messages = [{ role: "user", content: "Hi" }];
      const body = { model: "scripted", messages, user: userId, store: false };
      const headers = { authorization: usageKey };
      const unkept = await askFor(userId, at(0), "POST", "/v1/chat/completions", body, headers);
      assert.equal(unkept.status, 200);
      assert.deepEqual((await reportOf(1)).total, { turns: 1, cost: 0.5 });
      const kept = await chat(1, {}, headers);
      assert.deepEqual([leftOf(kept), leftOf(kept, "key-cost-per-day")], [1_000_000, 7_500_000]);
    });
  });
}
