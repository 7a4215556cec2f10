/** Refusals whose words mislead: they quote their client, speak of other limits, or lie. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { error, reply } from "../../fixtures/model/quirk-builder.ts";
import { json } from "../../fixtures/model/response-builder.ts";
import { useModels } from "../../support/apps/use-models.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import type { Script } from "../../support/model/scripted-model.ts";
import { WindowServer } from "../../support/model/window-server.ts";

const words = "the lighthouse keeper counted ships and wrote their names in a notebook ".repeat(4);
const turns = 40;

/** A chat of about 5,000 tokens. */
const longChat = [
  ...Array.from({ length: turns }, (_, index) => [
    { sender: "user", text: `Question ${index}: ${words}` },
    { sender: "assistant", text: `Answer ${index}: ${words}` },
  ]).flat(),
  { sender: "user", text: "And now?" },
];

/** Refuses each request. */
const refuse =
  (body: object, status = 400): Script =>
  (call) =>
    call.head(status, json).end(JSON.stringify(body));

async function ask(app: RunningApp, more: object = {}): Promise<{ status: number; body: string }> {
  const messages = [{ role: "user", content: "Hi" }];
  return await app.post("/v1/chat/completions", { model: "primary", messages, ...more });
}

describe("a refusal that misleads", { timeout: 120_000 }, () => {
  const { models, start } = useModels();
  const { primary, backup } = models;

  /** Whether the model is sent a long chat whole. */
  async function isSentWhole(app: RunningApp): Promise<boolean> {
    primary.script = reply;
    await app.post("/stream-chat", { messages: longChat });
    return primary.calls.at(-1)?.body.messages.length === longChat.length + 1;
  }

  const tooLongString = (param: string, most: number, length: number): object =>
    error(
      `Invalid '${param}': string too long. Expected a string with maximum length ${most}, but got a string with length ${length} instead.`,
      { param, code: "string_above_max_length" },
    );
  const tool = {
    type: "function",
    function: { name: "look", description: "x".repeat(2080), parameters: {} },
  };
  const schema = { name: "context_length_exceeded, the limit is 2000 tokens", schema: {} };
  const effort = "maximum context length is 2000 tokens";
  const texts = Array.from({ length: 5_000 }, (_, index) => `some${index}`);
  const quoting = error(`Invalid value: '${effort}'. Supported values are: 'low' and 'high'.`);
  for (const [name, asked, refusal] of [
    ["quotes one of very many texts", { filler: texts, reasoning_effort: effort }, quoting],
    [
      "quotes a parameter after a very long one",
      { filler: "x".repeat(300_000), reasoning_effort: effort },
      quoting,
    ],
    ["names the limit of another string", { user: "x".repeat(100) }, tooLongString("user", 64, 100)],
    [
      "names the limit of a tool's description",
      { tools: [tool] },
      tooLongString("tools[0].function.description", 1024, 2080),
    ],
    [
      "quotes a parameter",
      { reasoning_effort: effort },
      error(`Invalid value: '${effort}'. Supported values are: 'low' and 'high'.`, {
        param: "reasoning_effort",
        code: "invalid_value",
      }),
    ],
    [
      "quotes a part of a parameter",
      { reasoning_effort: effort },
      error("Invalid value: 'maximum context length is 2000 tok…'."),
    ],
    ["quotes a parameter with escapes", { stop: `"${effort}"` }, error(`Invalid stop: "\\"${effort}\\""`)],
    [
      "quotes a schema",
      { response_format: { type: "json_schema", json_schema: schema } },
      error(`Invalid schema for response_format '${schema.name}'`),
    ],
    [
      "names a tiny window",
      {},
      error("This model's maximum context length is 5 tokens.", { code: "context_length_exceeded" }),
    ],
    [
      "names a tiny window as a number",
      {},
      { error: { code: 400, message: "too long", type: "exceed_context_size_error", n_ctx: 5 } },
    ],
  ] as const)
    test(`since it ${name} shortens no other chat`, async () => {
      const app = await start({ primary: { fallback: [] } });
      primary.script = refuse(refusal);
      const refused = await ask(app, asked);
      assert.equal(refused.status, 400, refused.body);
      assert.ok(await isSentWhole(app));
    });

  for (const quoted of [
    "invalid api key",
    "insufficient_quota: credit balance is too low",
    "no credits",
    "欠费",
    "Too Many Requests",
  ])
    test(`since it quotes "${quoted}" leaves no model alone`, async () => {
      const app = await start();
      const message = `Invalid value: '${quoted}'. Supported values are: 'low', 'medium', and 'high'.`;
      primary.script = refuse(error(message, { param: "reasoning_effort", code: "invalid_value" }));
      await ask(app, { reasoning_effort: quoted });
      primary.script = reply;
      primary.calls.length = 0;
      await ask(app);
      assert.equal(primary.calls.length, 1);
      assert.equal(backup.calls.length, 0);
    });

  test("is about the number of messages is answered with fewer, and shortens no other chat", async () => {
    const app = await start({ primary: { fallback: [] } });
    primary.script = (call) => {
      const { length } = call.body.messages;
      if (length <= 2048) return reply(call);
      const message = `Invalid 'messages': array too long. Expected an array with maximum length 2048, but got an array with length ${length} instead.`;
      return refuse(error(message, { param: "messages", code: "array_above_max_length" }))(call);
    };
    const many = Array.from({ length: 10_001 }, (_, index) => ({
      sender: index % 2 === 0 ? "user" : "assistant",
      text: `Word ${index}`,
    }));
    const reduced = await app.post("/stream-chat", { messages: many });
    assert.equal(reduced.status, 200, reduced.body);
    assert.ok((primary.calls.at(-1)?.body.messages.length ?? 0) > 500);
    assert.ok(await isSentWhole(app));
  });

  test("quotes the name of a parameter leaves that to others", async () => {
    const app = await start({ primary: { fallback: [] } });
    const quoted = 'temperature: not supported. Unknown name "top_p"';
    const message = `invalid reasoning value: '${quoted}' (must be "high", "medium", "low", or "none")`;
    primary.script = (call) =>
      call.body["reasoning_effort"] === quoted ? refuse(error(message))(call) : reply(call);
    await ask(app, { reasoning_effort: quoted, temperature: 0.5, top_p: 0.5 });
    await ask(app, { temperature: 0.5, top_p: 0.5 });
    assert.deepEqual(
      [primary.calls.at(-1)?.body["temperature"], primary.calls.at(-1)?.body["top_p"]],
      [0.5, 0.5],
    );
  });

  const isNumber = (value: unknown): boolean => value === undefined || typeof value === "number";
  for (const [parameter, wrong, right, isTaken, sentence] of [
    [
      "top_k",
      "abc",
      40,
      isNumber,
      "Invalid type for 'top_k': expected an integer, but got a string instead.",
    ],
    ["top_k", "abc", 40, isNumber, "body.top_k: value is not a valid integer"],
    [
      "top_k",
      "abc",
      40,
      isNumber,
      "body.top_k: Input should be a valid integer, unable to parse string as an integer",
    ],
    [
      "top_k",
      "abc",
      40,
      isNumber,
      "json: cannot unmarshal string into Go struct field ChatCompletionRequest.top_k of type int",
    ],
    [
      "top_k",
      "abc",
      40,
      isNumber,
      'Failed to deserialize the JSON body into the target type: top_k: invalid type: string "abc", expected i32 at line 1 column 70',
    ],
    [
      "reasoning_effort",
      "x".repeat(300),
      "low",
      (value: unknown) => value === undefined || value === "low",
      "Invalid value: 'xxx'. reasoning_effort: Supported values are: 'low', 'medium', and 'high'.",
    ],
  ] as const)
    test(`for the type or length of a value of ${parameter} ("${sentence.slice(0, 40)}") leaves it to others`, async () => {
      const app = await start({ primary: { fallback: [] } });
      primary.script = (call) =>
        isTaken(call.body[parameter]) ? reply(call) : refuse(error(sentence))(call);
      for (const value of [wrong, `${wrong}2`, `${wrong}3`, `${wrong}4`])
        await ask(app, { [parameter]: value });
      await ask(app, { [parameter]: right });
      assert.equal(primary.calls.at(-1)?.body[parameter], right);
    });

  test("names a window that the model has shown to exceed: only the refused chat is shortened", async () => {
    const app = await start({ primary: { fallback: [] } });
    const server = new WindowServer(primary, { windowTokens: 100_000 });
    const { script } = primary;
    await app.post("/stream-chat", { messages: longChat });
    const whole = server.accepted.at(-1) ?? assert.fail();
    let refusals = 0;
    primary.script = (call) => {
      primary.script = script;
      refusals += 1;
      return refuse(error("This model's maximum context length is 2000 tokens."))(call);
    };
    const shortened = await app.post("/stream-chat", { messages: longChat });
    assert.equal(shortened.status, 200);
    assert.ok((server.accepted.at(-1)?.inputTokens ?? 0) < 2_000);
    await app.post("/stream-chat", { messages: longChat });
    assert.deepEqual([refusals, server.accepted.at(-1)?.inputTokens], [1, whole.inputTokens]);
  });

  test("again and again names a smaller window: the server has another one now", async () => {
    const app = await start({ primary: { fallback: [] } });
    const earlier = new WindowServer(primary, { windowTokens: 100_000 });
    await app.post("/stream-chat", { messages: longChat });
    assert.equal(earlier.accepted.length, 1);
    const server = new WindowServer(primary, { windowTokens: 2_000 });
    for (let turn = 0; turn < 6; turn += 1)
      assert.equal((await app.post("/stream-chat", { messages: longChat })).status, 200);
    assert.equal(server.accepted.length, 6);
    assert.ok(server.refusals < 6, `${server.refusals} refusals`);
  });
});
