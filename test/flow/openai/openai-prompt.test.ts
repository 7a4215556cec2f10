/** The prompt of a chat completion: the client's own messages, and no word of Foreword's. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { APIError } from "openai";
import { useOpenAiWire, toChat } from "../../support/clients/openai-wire.ts";

const json = { "content-type": "application/json" };
const png = "data:image/png;base64,iVBORw0KGgo=";
const base = { model: "scripted", stream: true, stream_options: { include_usage: true } };

describe("the prompt of a completion", () => {
  const wire = useOpenAiWire();

  /** Returns the model's request for one with `more`; it is the same, streamed or not. */
  async function send(more: object): Promise<object> {
    wire.model.say("So.");
    await wire.complete("Hi", more);
    await wire.stream("Hi", more);
    const [whole, streamed] = wire.model.calls.slice(-2).map(({ body }) => body);
    assert.deepEqual(whole, streamed);
    return whole ?? assert.fail();
  }

  test("has the client's message and the operator's temperature, and nothing else", async () => {
    assert.deepEqual(await send({}), { ...base, messages: toChat("Hi"), temperature: 0.3 });
  });

  test("has every message of the client, to the byte and by its role", async () => {
    const messages = [
      { role: "system", content: "\n  Be brief.\t" },
      { role: "user", content: "  Hi ö三🙂e\u0301\r\n" },
      { role: "assistant", content: "- a\n---RESPONSE---\n Hello. \n[error] model_failed: no\n" },
      { role: "user", content: "Go on" },
      { role: "assistant", content: "\n\nSo." },
      { role: "system", content: "Now in Dutch" },
      { role: "user", content: "And? " },
    ];
    assert.deepEqual(await send({ messages }), { ...base, messages, temperature: 0.3 });
  });

  test("may end in a system message, unchanged", async () => {
    const messages = [...toChat("Hi"), { role: "system", content: "Answer." }];
    assert.deepEqual(await send({ messages }), { ...base, messages, temperature: 0.3 });
  });

  test("has an image as the client's own data URL", async () => {
    const content = [
      { type: "text", text: " What is this?" },
      { type: "image_url", image_url: { url: png } },
      { type: "image_url", image_url: { url: "data:image/webp;base64,UklGRg==" } },
    ];
    const messages = [{ role: "user", content }];
    assert.deepEqual(await send({ messages }), { ...base, messages, temperature: 0.3 });
    const alone = [{ role: "user", content: content.slice(1, 2) }];
    assert.deepEqual(await send({ messages: alone }), { ...base, messages: alone, temperature: 0.3 });
  });

  test("has every part of a message, in the client's order", async () => {
    const content = [
      { type: "image_url", image_url: { url: png, detail: "low" } },
      { type: "text", text: "What is this?" },
      { type: "text", text: "And why?" },
    ];
    const messages = [{ role: "user", content }];
    assert.deepEqual(await send({ messages }), { ...base, messages, temperature: 0.3 });
  });

  test("includes empty messages", async () => {
    const messages = [...toChat("Hi"), { role: "assistant", content: "" }, ...toChat("Go on")];
    assert.deepEqual(await send({ messages }), { ...base, messages, temperature: 0.3 });
  });

  test("has the speakers' names", async () => {
    const messages = [{ role: "user", name: "bob", content: "Hi" }];
    assert.deepEqual(await send({ messages }), { ...base, messages, temperature: 0.3 });
  });

  test("has every parameter that the client sets, unchanged", async () => {
    const parameters = {
      temperature: 1.7,
      top_p: 0.5,
      max_tokens: 17,
      max_completion_tokens: 18,
      stop: ["\n\n", "END"],
      seed: 42,
      presence_penalty: -1.5,
      frequency_penalty: 0,
      logit_bias: { "50256": -100, "11": 3.5 },
      response_format: {
        type: "json_schema",
        json_schema: { name: "a", schema: { type: "object", properties: { z: {}, a: { const: null } } } },
      },
      reasoning_effort: "high",
      verbosity: "low",
    };
    assert.deepEqual(await send(parameters), { ...base, ...parameters, messages: toChat("Hi") });
  });

  test("has none of the parameters without a meaning here", async () => {
    const ignored = {
      metadata: { a: "b" },
      store: true,
      service_tier: "flex",
      safety_identifier: "x",
      prompt_cache_key: "k",
      parallel_tool_calls: false,
      user: "bob",
      n: 1,
      tools: [],
      logprobs: false,
      modalities: ["text"],
      stream_options: { include_obfuscation: false },
    };
    assert.deepEqual(await send(ignored), { ...base, messages: toChat("Hi"), temperature: 0.3 });
  });

  test("has the client's temperature if it sets one, even 0, and otherwise the operator's", async () => {
    for (const [asked, sent] of [
      [0, 0],
      [2, 2],
      [null, 0.3],
    ])
      assert.deepEqual(await send({ temperature: asked }), {
        ...base,
        messages: toChat("Hi"),
        temperature: sent,
      });
  });
});

describe("a parameter that the model refuses", () => {
  const wire = useOpenAiWire();

  /** Makes the model refuse requests with one of `names`. */
  function refuse(...names: readonly string[]): void {
    wire.model.calls.length = 0;
    wire.model.script = (call) => {
      const param = names.find((name) => call.body[name] !== undefined);
      if (param === undefined) return call.text("So.").finish();
      const error = { message: `Unsupported parameter: '${param}'`, type: "invalid_request_error", param };
      return call.head(400, json).end(JSON.stringify({ error }));
    };
  }

  test("is left out if it is Foreword's: the operator's temperature, then stream_options, and both from then on", async () => {
    refuse("temperature", "stream_options");
    assert.equal((await wire.stream("Hi", { stream_options: { include_usage: true } })).text, "So.");
    assert.equal((await wire.complete("Hi")).choices[0]?.message.content, "So.");
    assert.equal(wire.model.calls.length, 4);
    assert.deepEqual(wire.model.calls.at(-1)?.body, {
      model: "scripted",
      stream: true,
      messages: toChat("Hi"),
    });
  });

  for (const [name, value] of [
    ["max_tokens", 5],
    ["response_format", { type: "json_object" }],
    ["stop", "END"],
    ["logit_bias", { "5": -100 }],
    ["provider", { data_collection: "deny" }],
  ] as const) {
    test(`is never left out if the reply would be another one without ${name}: the request fails`, async () => {
      refuse(name, "max_completion_tokens");
      const requests = wire.requests;
      const asking = { [name]: value };
      await assert.rejects(wire.stream("Hi", asking), (error) => {
        assert.ok(error instanceof APIError);
        assert.deepEqual([error.status, error.code], [400, "request_refused"]);
        return true;
      });
      await assert.rejects(wire.complete("Hi", asking), { status: 400, code: "request_refused" });
      assert.equal(wire.requests, requests + 2);
      for (const { body } of wire.model.calls)
        assert.deepEqual(body[name] ?? body["max_completion_tokens"], value);
    });
  }

  for (const [name, value] of [
    ["top_p", 0.5],
    ["seed", 1],
    ["top_k", 1],
    ["reasoning_effort", "low"],
    ["verbosity", "low"],
  ] as const)
    test(`is left out if it is ${name}: the model is asked again once, and never sent it again`, async () => {
      refuse(name);
      assert.equal((await wire.stream("Hi", { [name]: value })).text, "So.");
      assert.equal((await wire.complete("Hi", { [name]: value })).choices[0]?.message.content, "So.");
      assert.deepEqual(
        wire.model.calls.map(({ body }) => body[name]),
        [value, undefined, undefined],
      );
    });
});
