/** Limits and usage on every database: they hold for all replicas together, and nothing is counted twice. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import type { Clock } from "../../../src/base/clock.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { askFor, authorization, chatFor, codeOf, keyedVariables } from "../../support/apps/keyed-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useModel, useDatabase, useStartApp } from "../../support/apps/use-app.ts";

const Problem = z.object({ code: z.string(), detail: z.string() });
const Sum = z.object({
  turns: z.number(),
  estimatedTurns: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  reasoningTokens: z.number(),
  cachedInputTokens: z.number(),
  cost: z.number().nullable(),
  toolCalls: z.number(),
  toolCost: z.number(),
});
const Report = z.object({
  from: z.string(),
  to: z.string(),
  days: z.array(Sum.extend({ day: z.string(), models: z.array(Sum.extend({ model: z.string() })) })),
  total: Sum,
  tokensPerDay: z.number().nullable(),
  tokensLeft: z.number().nullable(),
});

/** The usage that a model reports. */
interface Told {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: object;
  readonly completion_tokens_details?: object;
}

function answer(call: ScriptedCall, usage?: Told): void {
  call.text("- p\n---RESPONSE---\nHello.").event(toChunk({}, "stop"));
  if (usage !== undefined) call.event({ ...toChunk({}), choices: [], usage });
  call.raw("data: [DONE]\n\n").end();
}

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runLimitsSuite(name: string, start: () => Promise<StoreHarness>, replicaCount: 1 | 2): void {
  describe(`limits on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const startApp = useStartApp(model, keyedVariables, { database: harness });
    const apps: RunningApp[] = [];
    let userId: string;
    beforeEach(() => {
      apps.length = 0;
      userId = randomUUID();
      model.script = (call) => answer(call);
    });

    async function closeApps(): Promise<void> {
      for (const app of apps.splice(0)) await app.close();
    }

    async function startApps(variables: Record<string, string>, clock?: Clock): Promise<void> {
      for (let index = 0; index < replicaCount; index += 1) apps.push(await startApp(variables, clock));
    }

    /** Returns the replicas in rotation. */
    function at(index: number): RunningApp {
      return apps[index % apps.length] ?? assert.fail();
    }

    const ask = (index: number, method: string, path: string, body?: object): Promise<AppResponse> =>
      askFor(userId, at(index), method, path, body);
    const chat = (index: number, more?: object, headers?: Record<string, string>): Promise<AppResponse> =>
      chatFor(userId, at(index), more, headers);

    async function report(query = ""): Promise<z.infer<typeof Report>> {
      const { status, body } = await ask(0, "GET", `/usage${query}`);
      assert.equal(status, 200, body);
      return Report.parse(JSON.parse(body));
    }

    /** Starts a turn whose model waits; resolves once the model has been called. */
    async function hold(index: number): Promise<{ call: ScriptedCall; reading: Promise<AppResponse> }> {
      const next = model.nextCall();
      const reading = chat(index);
      return { call: await next, reading };
    }

    test("a user's requests in a minute do not exceed the limit, on any replica and after a restart", async () => {
      const max = 20;
      const variables = { LIMIT_REQUESTS_PER_MINUTE: String(max) };
      // A process that waits too long for the counters counts alone: time stands still.
      const clock = new ManualClock();
      await startApps(variables, clock);
      const answers = await Promise.all(
        Array.from({ length: 3 * max }, (_, index) => ask(index, "GET", "/conversations")),
      );
      const passed = answers.filter(({ status }) => status === 200);
      // The share that another replica has reserved and not used yet, at most a tenth of the limit, is not
      // available here.
      assert.ok(
        passed.length <= max && passed.length >= max - (replicaCount - 1) * (max / 10),
        `${passed.length}`,
      );
      for (const { headers } of passed) {
        assert.equal(headers["ratelimit-policy"], `"requests";q=${max};w=60`);
        assert.match(String(headers["ratelimit"]), /^"requests";r=\d+;t=\d+$/);
      }
      for (const refused of answers.filter(({ status }) => status !== 200)) {
        assert.deepEqual([refused.status, codeOf(refused)], [429, "rate_limited"]);
        const seconds = Number(refused.headers["retry-after"]);
        assert.ok(seconds >= 1 && seconds <= 60);
        assert.equal(refused.headers["ratelimit"], `"requests";r=0;t=${seconds}`);
      }
      const spent = userId;
      userId = randomUUID();
      assert.equal(
        (await ask(0, "GET", "/conversations")).status,
        200,
        "another user has limits of their own",
      );
      userId = spent;
      await closeApps();
      await startApps(variables, clock);
      for (let index = 0; index < replicaCount * 4; index += 1) await ask(index, "GET", "/conversations");
      assert.equal((await ask(0, "GET", "/conversations")).status, 429);
      await closeApps();
      await harness.sql("update request_counts set started_at = started_at - interval '1 minute'");
      await startApps(variables, clock);
      assert.equal((await ask(0, "GET", "/conversations")).status, 200, "the next minute has begun");
    });

    test("over the request limit a turn is still replayed under its idempotency key, and no other starts", async () => {
      await startApps({ LIMIT_REQUESTS_PER_MINUTE: "3" });
      const keyed = { "idempotency-key": randomUUID() };
      const first = await chat(0, {}, keyed);
      assert.equal(first.status, 200);
      for (let index = 0; index < 6; index += 1) await ask(index, "GET", "/conversations");
      const calls = model.calls.length;
      for (let index = 0; index < replicaCount; index += 1) {
        assert.equal((await chat(index)).status, 429);
        const again = await chat(index, {}, keyed);
        assert.deepEqual([again.status, again.body], [200, first.body]);
        assert.equal(again.headers["idempotency-replayed"], "true");
        const other = await chat(index, {}, { "idempotency-key": randomUUID() });
        assert.deepEqual([other.status, codeOf(other)], [429, "rate_limited"]);
      }
      assert.equal(model.calls.length, calls);
    });

    test("a user can run as many turns concurrently as the limit, on all replicas together", async () => {
      await startApps({ LIMIT_CONCURRENT_TURNS: "2" });
      const held = [await hold(0), await hold(1)];
      const calls = model.calls.length;
      for (let index = 0; index < replicaCount; index += 1) {
        const refused = await chat(index, { conversationId: randomUUID() });
        assert.deepEqual([refused.status, codeOf(refused)], [429, "too_many_turns"]);
        assert.ok(Number(refused.headers["retry-after"]) >= 1);
        assert.equal(refused.headers["ratelimit-policy"], '"concurrent-turns";q=2;qu="concurrent-requests"');
      }
      assert.equal(model.calls.length, calls, "the model was not asked");
      const { body } = await ask(0, "GET", "/conversations");
      assert.equal(
        z.object({ conversations: z.array(z.unknown()) }).parse(JSON.parse(body)).conversations.length,
        2,
      );
      model.script = (call) => answer(call);
      const mine = userId;
      userId = randomUUID();
      assert.equal((await chat(0)).status, 200, "another user has limits of their own");
      userId = mine;
      for (const { call, reading } of held) {
        answer(call);
        assert.equal((await reading).status, 200);
      }
      assert.equal((await chat(1)).status, 200);
    });

    test("of many turns started at once, no more than the limit reach the model", async () => {
      await startApps({ LIMIT_CONCURRENT_TURNS: "2" });
      const calls: ScriptedCall[] = [];
      const [both, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      model.script = (call) => void (calls.push(call) === 2 && both.resolve());
      let refusedCount = 0;
      const readings = Array.from({ length: 12 }, async (_, index) => {
        const read = await chat(index);
        if (read.status === 429 && (refusedCount += 1) === 10) others.resolve();
        return read;
      });
      await both.promise;
      await others.promise;
      assert.equal(calls.length, 2);
      for (const call of calls) answer(call);
      const statuses = (await Promise.all(readings)).map(({ status }) => status);
      assert.deepEqual(
        statuses.toSorted((a, b) => a - b),
        [200, 200, ...Array.from({ length: 10 }, () => 429)],
      );
    });

    test("a user's tokens a day do not exceed the limit: running turns reserve, ended ones count what the model reported", async () => {
      const quota = 3300;
      await startApps({ LIMIT_TOKENS_PER_DAY: String(quota) });
      const keyed = { "idempotency-key": randomUUID() };
      model.script = (call) => answer(call, { prompt_tokens: 600, completion_tokens: 300 });
      const first = await chat(0, {}, keyed);
      assert.equal(first.status, 200);
      // Each reserves about 1,150: the instruction, and 1,000 for the reply.
      const held = [await hold(1), await hold(0)];
      const refused = await chat(1);
      assert.deepEqual([refused.status, codeOf(refused)], [429, "quota_exhausted"]);
      const seconds = Number(refused.headers["retry-after"]);
      assert.ok(seconds >= 1 && seconds <= 86_400);
      assert.equal(refused.headers["ratelimit-policy"], `"tokens-per-day";q=${quota};w=86400`);
      assert.equal((await chat(0, {}, keyed)).headers["idempotency-replayed"], "true");
      for (const { call, reading } of held) {
        answer(call, { prompt_tokens: 400, completion_tokens: 500 });
        await reading;
      }
      assert.equal((await report()).tokensLeft, 600);
      assert.equal((await chat(0)).status, 429);
      // Deleting messages gives no tokens back.
      assert.equal((await ask(0, "DELETE", "/conversations")).status, 200);
      assert.equal((await chat(1)).status, 429);
      // A smaller request still fits.
      model.script = (call) => answer(call, { prompt_tokens: 20, completion_tokens: 30 });
      const small = {
        model: "scripted",
        messages: [{ role: "user", content: "Hi" }],
        max_tokens: 100,
        user: userId,
      };
      assert.equal((await ask(0, "POST", "/v1/chat/completions", small)).status, 200);
      assert.deepEqual([(await report()).tokensLeft, (await report()).tokensPerDay], [550, quota]);
    });

    test("usage is summed by day and model as reported, with its cost if the price is known", async () => {
      await startApps({
        MODEL_PRICES: JSON.stringify({ "scripted-1": { input: 2, cachedInput: 0.5, output: 10 } }),
      });
      model.script = (call) =>
        answer(call, {
          prompt_tokens: 1000,
          completion_tokens: 200,
          prompt_tokens_details: { cached_tokens: 400 },
          completion_tokens_details: { reasoning_tokens: 50 },
        });
      await chat(0);
      await chat(1);
      const { days, total, tokensPerDay } = await report();
      const sum = {
        turns: 2,
        estimatedTurns: 0,
        inputTokens: 2000,
        outputTokens: 400,
        reasoningTokens: 100,
        cachedInputTokens: 800,
        cost: (1200 * 2 + 800 * 0.5 + 400 * 10) / 1e6,
        toolCalls: 0,
        toolCost: 0,
      };
      assert.deepEqual(total, sum);
      const day = new Date().toISOString().slice(0, 10);
      assert.deepEqual(days, [{ day, ...sum, models: [{ model: "scripted-1", ...sum }] }]);
      assert.equal(tokensPerDay, null);
      assert.deepEqual((await report("?to=2026-01-31")).days, []);
      userId = randomUUID();
      assert.equal((await report()).total.turns, 0, "another user's is another's");
    });

    test("a turn without reported usage counts by an estimate, marked as such: stopped, cut off or deleted", async () => {
      await startApps({});
      const text = "x".repeat(400);
      const open = async (): Promise<{
        call: ScriptedCall;
        reading: Promise<AppResponse>;
        id: string;
        conversationId: string;
      }> => {
        const next = model.nextCall();
        const opening = at(0).open(
          "POST",
          "/stream-chat",
          { messages: [{ sender: "user", text }], userId },
          { authorization },
        );
        const call = (await next).text(`- p\n---RESPONSE---\n${text}`);
        const response = await opening;
        const id = String(response.headers["x-turn-id"]);
        return {
          call,
          reading: readResponse(response),
          id,
          conversationId: String(response.headers["x-conversation-id"]),
        };
      };
      const stopped = await open();
      await ask(1, "POST", `/turns/${stopped.id}/stop`, {});
      await stopped.reading;
      const broken = await open();
      broken.call.destroy();
      await broken.reading;
      const silent = await open();
      answer(silent.call);
      await silent.reading;
      model.script = (call) => call.head(500).end();
      assert.ok((await chat(0)).status >= 500, "a model that makes no text takes nothing");
      let { total } = await report();
      assert.deepEqual([total.turns, total.estimatedTurns], [4, 4]);
      const input = total.inputTokens / 3; // the text, and the instruction before it: of each turn
      assert.ok(input >= 200 && input <= 300, `${input}`);
      assert.ok(total.outputTokens >= 300 && total.outputTokens <= 340, `${total.outputTokens}`);
      const deleted = await open();
      assert.equal((await ask(0, "DELETE", `/conversations/${deleted.conversationId}`)).status, 204);
      await deleted.reading;
      ({ total } = await report());
      assert.deepEqual([total.turns, total.estimatedTurns, total.inputTokens], [5, 5, 4 * input]);
    });

    test("an invalid day, or too long a range, is a 400 that names the field", async () => {
      await startApps({});
      for (const [query, field] of [
        ["?from=2026-02-30", "from"],
        ["?to=yesterday", "to"],
        ["?from=2026-02-02&to=2026-02-01", "from"],
        ["?from=2020-01-01&to=2026-02-01", "from"],
      ] as const) {
        const refused = await ask(0, "GET", `/usage${query}`);
        assert.equal(refused.status, 400);
        assert.match(Problem.parse(JSON.parse(refused.body)).detail, new RegExp(`^${field}: must be`));
      }
    });
  });
}
