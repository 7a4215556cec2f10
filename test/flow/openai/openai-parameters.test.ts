/**
 * A completion's parameters in a whole turn: those that reach the model, and the effect of `store: false`.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { runSql } from "../../support/databases/store-harness.ts";
import { useOpenAiWire, toChat } from "../../support/clients/openai-wire.ts";
import { startPostgres } from "../../support/databases/postgres-server.ts";
import { toChunk } from "../../support/model/scripted-model.ts";
import { useResource } from "../../support/apps/use-app.ts";

const url = "/v1/chat/completions";
const asked = { model: "scripted", messages: toChat("Hi") };
const user = randomUUID();

describe("a parameter that only the model server knows", () => {
  const wire = useOpenAiWire();
  beforeEach(() => {
    wire.model.calls.length = 0;
    wire.model.say("So.");
  });

  test("reaches it unchanged, with a plan and without", async () => {
    const extra = {
      top_k: 40,
      min_p: 0.1,
      repetition_penalty: 1.05,
      chat_template_kwargs: { enable_thinking: false },
      reasoning: { effort: "low" },
      web_search_options: {},
      prediction: { type: "content", content: "x" },
      ünknown: [{ a: null }],
    };
    wire.model.say("- a\n---RESPONSE---\nSo.");
    for (const model of ["scripted", "scripted+plan"]) {
      assert.equal((await wire.app.post(url, { ...asked, model, ...extra })).status, 200);
      const body = wire.model.calls.at(-1)?.body ?? assert.fail();
      for (const [name, value] of Object.entries(extra)) assert.deepEqual(body[name], value);
    }
  });

  test("overrides no parameter of Foreword's, however it is spelt", async () => {
    const more = { Model: "big", MESSAGES: [], Stream: false, "model ": "big", include_usage: false };
    assert.equal((await wire.app.post(url, { ...asked, ...more })).status, 200);
    const {
      model,
      stream,
      messages,
      stream_options: options,
    } = wire.model.calls.at(-1)?.body ?? assert.fail();
    assert.deepEqual(
      [model, stream, messages, options],
      ["scripted", true, asked.messages, { include_usage: true }],
    );
    for (const body of [
      '{"model":"scripted","messages":[{"role":"user","content":"Hi"}],"__proto__":{"model":"big"}}',
      '{"model":"scripted","messages":[{"role":"user","content":"Hi"}],"a":{"__proto__":{"model":"big"}}}',
      '{"model":"scripted","messages":[{"role":"user","content":"Hi"}],"constructor":{"prototype":{"x":1}}}',
    ])
      assert.equal((await wire.app.post(url, body)).status, 400);
    assert.equal(wire.model.calls.length, 1);
  });

  test("is refused by name if the reply could not carry the requested data", async () => {
    for (const [param, value] of Object.entries({
      n: 2,
      logprobs: true,
      audio: { voice: "alloy", format: "wav" },
      modalities: ["text", "audio"],
      models: ["big"],
    })) {
      const { status, body } = await wire.app.post(url, { ...asked, [param]: value });
      const { error } = z.object({ error: z.object({ param: z.string() }) }).parse(JSON.parse(body));
      assert.equal(status, 400);
      assert.match(error.param, new RegExp(`^${param}`));
    }
    assert.equal(wire.model.calls.length, 0);
  });
});

describe("store: false", () => {
  let databaseUrl: string;
  useResource(async (closing) => {
    const postgres = closing.adopt(await startPostgres(), (server) => server.stop());
    databaseUrl = await postgres.createDatabase("unkept");
    await runSql(databaseUrl, [
      readFileSync(new URL("../../../supabase_schema.sql", import.meta.url), "utf8"),
    ]);
  });
  const wire = useOpenAiWire(() => ({
    CHAT_STORE_ENABLED: "true",
    DATABASE_URL: databaseUrl,
    AUTH: "keys",
    API_KEYS: "k".repeat(24),
    LIMIT_CONCURRENT_TURNS: "1",
    LIMIT_TOKENS_PER_DAY: "3000",
    LOG_CONTENT: "true",
  }));

  /** Counts the rows of each table that a turn may write to. */
  const countRows = () =>
    runSql(databaseUrl, [
      `select ${["conversations", "messages", "turns", "turn_pieces", "turn_events", "attachments"]
        .map((table) => `(select count(*) from ${table}) as ${table}`)
        .join(", ")}`,
    ]);

  const ask = (more: object, headers: Record<string, string> = {}) =>
    wire.app.post(
      url,
      { ...asked, user, ...more },
      { authorization: `Bearer ${"k".repeat(24)}`, ...headers },
    );

  test("leaves no row behind, and no text in the log, whatever headers come with it", async () => {
    const earlier = await countRows();
    wire.model.say("So far.");
    for (const headers of [
      {},
      { "idempotency-key": "once" },
      { "x-turn-id": randomUUID(), "x-conversation-id": randomUUID() },
    ]) {
      const { status, body } = await ask({ store: false }, headers);
      assert.equal(status, 200);
      assert.match(body, /So far\./);
    }
    assert.deepEqual(await countRows(), earlier);
    for (const line of wire.app.logs) assert.equal(line["question"] ?? line["answer"], undefined);
    const again = await ask({ store: false }, { "idempotency-key": "once" });
    assert.equal(again.headers["idempotency-replayed"], "true");
    assert.equal((await ask({}, { "idempotency-key": "once" })).status, 409);
    assert.deepEqual(await countRows(), earlier);
  });

  test("counts its tokens for all replicas, once however often it is asked for, and nothing else", async () => {
    const someone = randomUUID();
    wire.model.script = (call) =>
      call
        .text("So.")
        .event({ ...toChunk({}, "stop"), usage: { prompt_tokens: 30, completion_tokens: 12 } })
        .end();
    for (let round = 0; round < 3; round += 1)
      await ask({ store: false, user: someone }, { "idempotency-key": `of ${someone}` });
    const sums = "select turns, estimated_turns, input_tokens::int, output_tokens::int from daily_usage";
    const [row] = await runSql(databaseUrl, [`${sums} where user_id = '${someone}'`]);
    assert.deepEqual(row, { turns: 1, estimated_turns: 0, input_tokens: 30, output_tokens: 12 });
  });

  test("counts against the user's limits all the same", async () => {
    const next = wire.model.nextCall();
    const first = ask({ store: false });
    const call = await next;
    assert.equal((await ask({ store: false })).status, 429);
    assert.equal((await ask({})).status, 429);
    call.text("So.").finish();
    assert.equal((await first).status, 200);
    const { status, body } = await ask({ store: false, max_tokens: 3_000 });
    assert.deepEqual([status, /quota_exhausted/.test(body)], [429, true]);
  });

  test("cannot use more than the rest of the quota", async () => {
    const usage = { prompt_tokens: 2_000, completion_tokens: 500 };
    wire.model.script = (call) =>
      call
        .text("So.")
        .event({ ...toChunk({}, "stop"), usage })
        .end();
    assert.equal((await ask({})).status, 200);
    assert.equal((await ask({ store: false })).status, 429);
  });
});
