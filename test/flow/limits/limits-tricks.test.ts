/** Tricks that could get users past their limits, and model responses that could break the count. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { systemClock, type Clock } from "../../../src/base/clock.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { askFor, authorization, chatFor, codeOf, keyedVariables } from "../../support/apps/keyed-server.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useModel, useDatabase, useStartApp } from "../../support/apps/use-app.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const dayMs = 24 * 60 * 60_000;
const Report = z.object({
  total: z.object({
    turns: z.number(),
    estimatedTurns: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
    cost: z.number().nullable(),
  }),
});

function answer(call: ScriptedCall, usage?: object, model = "scripted-1"): void {
  call.event({ ...toChunk({ content: "- p\n---RESPONSE---\nHello." }), model });
  call.event({ ...toChunk({}, "stop"), model });
  if (usage !== undefined) call.event({ ...toChunk({}), model, choices: [], usage });
  call.raw("data: [DONE]\n\n").end();
}

describe("a user's limits", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const start = useStartApp(model, keyedVariables, { database: harness });
  let userId: string;
  beforeEach(() => {
    userId = randomUUID();
    model.script = (call) => answer(call);
  });

  const ask = (app: RunningApp, method: string, path: string, body?: object): Promise<AppResponse> =>
    askFor(userId, app, method, path, body);
  const chat = (app: RunningApp, more?: object, headers?: Record<string, string>): Promise<AppResponse> =>
    chatFor(userId, app, more, headers);

  async function complete(app: RunningApp, more: object): Promise<AppResponse> {
    const body = { model: "scripted", messages: [{ role: "user", content: "Hi" }], user: userId, ...more };
    return await ask(app, "POST", "/v1/chat/completions", body);
  }

  async function total(app: RunningApp, query = ""): Promise<z.infer<typeof Report>["total"]> {
    const { status, body } = await ask(app, "GET", `/usage${query}`);
    assert.equal(status, 200, body);
    return Report.parse(JSON.parse(body)).total;
  }

  test("a reply is stored and counted whatever usage its model reports: half a token, a negative one, too many, none, an endless model name", async () => {
    // On a busy machine an end would be stored late, and its line say so.
    const still = new ManualClock();
    const app = await start(
      {},
      {
        now: () => systemClock.now(),
        monotonicMs: () => still.monotonicMs(),
        after: (delayMs, callback) => still.after(delayMs, callback),
      },
    );
    const odd = [
      { prompt_tokens: 1.5, completion_tokens: 2 },
      { prompt_tokens: -3, completion_tokens: 2 },
      { prompt_tokens: 1e300, completion_tokens: 2 },
      { prompt_tokens: 2 ** 53, completion_tokens: 2 },
      {},
    ];
    for (const usage of odd) {
      model.script = (call) => answer(call, usage);
      assert.equal((await chat(app)).status, 200);
    }
    const name = Array.from({ length: 200 }, () => randomUUID()).join("");
    model.script = (call) => answer(call, { prompt_tokens: 7, completion_tokens: 2 }, name);
    assert.equal((await chat(app)).status, 200);
    const lines = app.logs.filter(({ msg }) => msg === "turn");
    assert.deepEqual(
      lines.map(({ storage }) => storage),
      lines.map(() => "stored"),
    );
    const { turns, estimatedTurns, inputTokens, outputTokens } = await total(app);
    // If one count is invalid the other is used, and the invalid one estimated: only the empty usage is
    // ignored.
    assert.deepEqual([turns, estimatedTurns], [odd.length + 1, 1]);
    assert.ok(inputTokens > 7 + 2 + 3 * 10 && inputTokens < 2000, `${inputTokens}`);
    assert.ok(outputTokens > 2 * odd.length && outputTokens < 100, `${outputTokens}`);
  });

  test("hold if the server's clock and the database's disagree on the day, and after a restart", async () => {
    const variables = { LIMIT_TOKENS_PER_DAY: "2000" };
    for (const skewMs of [-dayMs, dayMs]) {
      userId = randomUUID();
      const skewed: Clock = {
        now: () => new Date(Date.now() + skewMs),
        monotonicMs: () => systemClock.monotonicMs(),
        after: (delayMs, callback) => systemClock.after(delayMs, callback),
      };
      model.script = (call) => answer(call, { prompt_tokens: 1000, completion_tokens: 800 });
      const app = await start(variables, skewed);
      assert.equal((await chat(app)).status, 200);
      await app.close();
      const refused = await chat(await start(variables, skewed));
      assert.deepEqual([refused.status, codeOf(refused)], [429, "quota_exhausted"]);
    }
  });

  test("count all of the prompt: a knowledge base, a schema, the instruction, many small messages", async () => {
    const app = await start({ LIMIT_TOKENS_PER_DAY: "20000" });
    const long = "x".repeat(100_000);
    const calls = model.calls.length;
    for (const refused of [
      await chat(app, { knowledge_base: long }),
      await complete(app, { response_format: { type: "json_schema", json_schema: { name: long } } }),
      await complete(app, { messages: [{ role: "user", content: "Hi", name: long }] }),
      await complete(app, { messages: Array.from({ length: 6000 }, () => ({ role: "user", content: "x" })) }),
      await complete(app, { max_tokens: 30_000, max_completion_tokens: 1 }),
    ])
      assert.equal(refused.status, 429, refused.body);
    assert.equal(model.calls.length, calls, "the model was not asked");
    assert.equal((await chat(app)).status, 200);
    assert.ok((await total(app)).inputTokens >= 100, "the instruction counts");
  });

  test("reserve at most the largest possible reply, whatever maximum its client sets", async () => {
    const app = await start({ LIMIT_TOKENS_PER_DAY: "1000000" });
    assert.equal((await complete(app, { max_tokens: Number.MAX_SAFE_INTEGER })).status, 200);
  });

  test("count the prompt of a model that sends nothing back, and nothing if the model is unreachable", async () => {
    const app = await start({});
    model.script = (call) => call.finish();
    assert.ok((await chat(app)).status >= 500);
    const { turns, inputTokens } = await total(app);
    assert.equal(turns, 1);
    assert.ok(inputTokens > 0);
  });

  test("count the reasoning in a turn that is stopped before its answer", async () => {
    const app = await start({ SHOW_REASONING: "true" });
    const next = model.nextCall();
    const headers = { authorization, accept: "text/event-stream" };
    const body = { messages: [{ sender: "user", text: "Hi" }], userId };
    const opening = app.open("POST", "/stream-chat", body, headers);
    (await next).event(toChunk({ reasoning_content: "x".repeat(4000) }));
    const response = await opening;
    await readUntil(response, "reasoning-delta");
    await ask(app, "POST", `/turns/${String(response.headers["x-turn-id"])}/stop`, {});
    await readResponse(response);
    assert.ok((await total(app)).outputTokens >= 1000);
  });

  test(
    "a turn whose conversation is deleted ends, wherever it runs: what it said beyond its reservation would not be counted",
    { timeout: 30_000 },
    async () => {
      const patient = { MODEL_IDLE_TIMEOUT_MS: "600000", LIMIT_CONCURRENT_TURNS: "3" };
      const [here, there] = [await start(patient), await start(patient)];
      await total(here); // the server waits for a database that has responded before
      const next = model.nextCall();
      const opening = here.open(
        "POST",
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }], userId },
        { authorization },
      );
      const call = (await next).text("- p\n---RESPONSE---\nHello");
      const response = await opening;
      assert.deepEqual(JSON.parse((await ask(there, "DELETE", "/conversations")).body), { deleted: 1 });
      await call.closed;
      await readResponse(response);
      assert.equal((await total(here)).turns, 1);
    },
  );

  test("a turn with a new idempotency key that they refuse gets a Retry-After, like any other", async () => {
    const app = await start({ LIMIT_REQUESTS_PER_MINUTE: "2" });
    for (let index = 0; index < 2; index += 1) await ask(app, "GET", "/conversations");
    const refused = await chat(app, {}, { "idempotency-key": randomUUID() });
    const plain = await chat(app);
    assert.deepEqual([refused.status, codeOf(refused)], [429, "rate_limited"]);
    assert.equal(refused.headers["ratelimit-policy"], '"requests";q=2;w=60');
    assert.ok(Number(refused.headers["retry-after"]) >= Number(plain.headers["retry-after"]));
  });

  test("a turn that is replayed under its key uses none of them", async () => {
    const app = await start({ LIMIT_CONCURRENT_TURNS: "1" });
    const keyed = { "idempotency-key": randomUUID() };
    assert.equal((await chat(app, {}, keyed)).status, 200);
    for (let time = 0; time < 2; time += 1)
      assert.equal((await chat(app, {}, keyed)).headers["idempotency-replayed"], "true");
    assert.equal((await chat(app)).status, 200);
  });

  test("usage of a year outside the database's calendar is a 400", async () => {
    const app = await start({});
    for (const query of ["?from=0000-01-01&to=0000-01-02", "?to=0000-01-15", "?to=0001-01-15"])
      assert.equal((await ask(app, "GET", `/usage${query}`)).status, 400, query);
    assert.equal((await total(app, "?to=9999-12-31")).turns, 0);
  });

  test("a turn whose model reports zeros has its estimated tokens", async () => {
    const app = await start({ MODEL_PRICES: JSON.stringify({ "scripted-1": { input: 1, output: 1 } }) });
    model.script = (call) => answer(call, { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
    await chat(app);
    const { estimatedTurns, inputTokens, outputTokens, cost } = await total(app);
    assert.equal(estimatedTurns, 1);
    assert.ok(inputTokens > 0 && outputTokens > 0 && (cost ?? 0) > 0);
  });

  test("a turn that may cost more than a whole day's budget is told that waiting does not help", async () => {
    const app = await start({
      MODEL_PRICES: JSON.stringify({ scripted: { input: 0, output: 30 } }),
      LIMIT_COST_PER_DAY: "0.02",
    });
    const { status, body } = await chat(app);
    assert.equal(status, 429);
    assert.match(
      body,
      /may cost about 0\.03, more than the whole budget of a day, 0\.02; ask for fewer tokens/,
    );
  });

  test("a turn without tokens costs nothing, even if its price is unknown", async () => {
    const app = await start({
      MODEL_PRICES: JSON.stringify({ "scripted-1": { input: 1_000_000, output: 0 } }),
    });
    model.script = (call) => answer(call, { prompt_tokens: 2, completion_tokens: 3 });
    await chat(app);
    model.script = (call) => call.head(500).end();
    await chat(app);
    assert.equal((await total(app)).cost, 2);
  });
});
