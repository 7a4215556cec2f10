/** The body of `POST /v1/chat/completions`: the turn that it becomes, and the field that an error names. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CompletionBody } from "../../../src/wires/openai-chat/request.ts";
import { assertInvalid, parseCompletion as parseBody } from "../../support/clients/completion-request.ts";

const hello = { role: "user", content: "Hi" };
const png = "data:image/png;base64,iVBORw0K";

/** A body whose last message but one has `fields`. */
function withMessage(fields: object): object {
  return { messages: [{ role: "user", content: "Hi", ...fields }, hello] };
}

/** A body whose only message has `parts`. */
function withParts(...parts: unknown[]): object {
  return { messages: [{ role: "user", content: parts }] };
}

const wrong: readonly [string, object, string, RegExp?][] = [
  ["more than one reply", { n: 2 }, "n", /^n: is not supported \(only 1 is accepted\)$/],
  ["no reply at all", { n: 0 }, "n"],
  ["functions", { functions: [{ name: "f" }] }, "functions", /is not supported .*use tools/],
  ["a function by name", { function_call: { name: "f" } }, "function_call", /use tool_choice/],
  ["log probabilities", { logprobs: true }, "logprobs"],
  ["the likeliest tokens", { top_logprobs: 3 }, "top_logprobs"],
  ["sound", { modalities: ["text", "audio"] }, "modalities"],
  ["a voice", { audio: { voice: "alloy", format: "wav" } }, "audio"],
  ["other models to fall back on", { models: ["a", "b"] }, "models"],
  ["other models in LiteLLM's words", { fallbacks: ["a"] }, "fallbacks"],
  ["another server to ask", { api_base: "http://evil" }, "api_base"],
  ["another key to ask with", { api_key: "sk-mine" }, "api_key"],
  ["the prompt's probabilities", { prompt_logprobs: 1 }, "prompt_logprobs"],
  ["ours hidden in another body", { extra_body: { model: "big" } }, "extra_body.model"],
  ["a field named like one of every object", { constructor: 1 }, "constructor"],
  ["a field that reaches for the prototype", JSON.parse('{"__proto__":{"model":"big"}}'), "__proto__"],
  ["an unlisted field of over 1 MiB", { extra: "x".repeat(1024 * 1024) }, "extra", /at most 1048576/],
  ["a store that is a word", { store: "false" }, "store", /true or false/],
  ["a temperature below 0", { temperature: -0.1 }, "temperature", /at least 0/],
  ["a temperature over 2", { temperature: 2.1 }, "temperature", /at most 2/],
  ["a temperature in words", { temperature: "1" }, "temperature"],
  ["a top_p over 1", { top_p: 1.1 }, "top_p", /at most 1/],
  ["a presence penalty below -2", { presence_penalty: -2.1 }, "presence_penalty"],
  ["a frequency penalty over 2", { frequency_penalty: 2.1 }, "frequency_penalty"],
  ["no tokens", { max_tokens: 0 }, "max_tokens", /at least 1/],
  ["half a token", { max_completion_tokens: 1.5 }, "max_completion_tokens", /whole number/],
  ["five stops", { stop: ["a", "b", "c", "d", "e"] }, "stop", /1 to 4/],
  ["a stop that is no text", { stop: 7 }, "stop"],
  ["half a seed", { seed: 0.5 }, "seed"],
  ["a bias that is no number", { logit_bias: { "50256": "none" } }, "logit_bias"],
  ["a format without a type", { response_format: { a: 1 } }, "response_format.type"],
  ["a flag in words", { stream: "true" }, "stream"],
  ["a flag in words, further in", { stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
  ["a user that is a number", { user: 7 }, "user"],
  ["no model", { model: undefined }, "model", /^model: is required$/],
  ["no messages", { messages: undefined }, "messages"],
  ["an empty list of messages", { messages: [] }, "messages", /must not be empty/],
  ["messages that are a text", { messages: "Hi" }, "messages"],
  ["a message that is a text", { messages: ["Hi"] }, "messages[0]"],
  [
    "a function's message",
    { messages: [{ role: "function", name: "f", content: "7" }] },
    "messages[0].role",
    /use tools and the role tool/,
  ],
  ["a message without a role", { messages: [{ content: "Hi" }] }, "messages[0].role"],
  [
    "a message with a call",
    withMessage({ role: "assistant", content: null, function_call: { name: "f" } }),
    "messages[0].function_call",
    /use tool_calls/,
  ],
  ["a message in sound", withMessage({ role: "assistant", audio: { id: "a" } }), "messages[0].audio"],
  ["a content that is a number", { messages: [{ role: "user", content: 7 }] }, "messages[0].content"],
  [
    "the assistant's message last",
    { messages: [hello, { role: "assistant", content: "So" }] },
    "messages",
    /Last message must not be the assistant's/,
  ],
  ["white space last", { messages: [{ role: "user", content: " \n" }] }, "messages", /a text or an image/],
  ["nothing last", { messages: [{ role: "user", content: null }] }, "messages", /a text or an image/],
  [
    "a remote image",
    withParts({ type: "image_url", image_url: { url: "https://example.com/a.png" } }),
    "messages[0].content[0].image_url.url",
    /must be a base64 data URL/,
  ],
  [
    "an image of an odd type",
    withParts({ type: "image_url", image_url: { url: "data:image/svg+xml;base64,AAAA" } }),
    "messages[0].content[0].image_url.url",
  ],
  [
    "an image that is not base64",
    withParts(
      { type: "text", text: "x" },
      { type: "image_url", image_url: { url: "data:image/png;base64,%" } },
    ),
    "messages[0].content[1].image_url.url",
  ],
  ["sound in a message", withParts({ type: "input_audio" }), "messages[0].content[0].type"],
  ["a file in a message without its bytes", withParts({ type: "file" }), "messages[0].content[0].file"],
  [
    "a file of another type than its name says",
    withParts({ type: "file", file: { file_data: "data:application/pdf;base64,iVBORw0KGgo=" } }),
    "messages[0]",
  ],
  [
    "a part named like a field of every object",
    withParts({ type: "constructor" }),
    "messages[0].content[0].type",
  ],
  ["a part named like the prototype", withParts({ type: "__proto__" }), "messages[0].content[0].type"],
  ["a part without a type", withParts({ text: "Hi" }), "messages[0].content[0].type"],
  ["a part without its text", withParts({ type: "text" }), "messages[0].content[0].text"],
  [
    "an image of the assistant's",
    withMessage({ role: "assistant", content: [{ type: "image_url", image_url: { url: png } }] }),
    "messages[0].content",
    /only user messages may contain images/,
  ],
];

/** The parameters that the model gets for `body`. */
function toNamed(body: object): object {
  return parseBody(body).turn.parameters;
}

describe("toRequestedCompletion", () => {
  for (const [name, more, field, detail] of wrong)
    test(`refuses ${name}, and names ${field}`, () => assertInvalid(more, field, detail));

  test("refuses a body that is not an object, and names no field", () => {
    for (const body of [[], "Hi", 7]) {
      assert.throws(() => CompletionBody.parse(body), {
        code: "invalid_request",
        field: undefined,
      });
    }
  });

  test("lists all invalid fields, and names the first", () => {
    assert.throws(() => parseBody({ n: 2, temperature: 9 }), {
      field: "n",
      detail: "n: is not supported (only 1 is accepted); temperature: must be at most 2",
    });
  });

  test("accepts a field that is nested 100 levels deep, and refuses any deeper one", () => {
    const nest = (levels: number): object => {
      let nested = {};
      for (let level = 1; level < levels; level += 1) nested = { a: nested };
      return nested;
    };
    const format = { type: "json_schema", json_schema: nest(100) };
    assert.deepEqual(toNamed({ response_format: format }), { response_format: format });
    for (const [field, more] of [
      ["response_format", { response_format: { type: "json_schema", json_schema: nest(101) } }],
      ["metadata", { metadata: nest(20_000) }],
      ["messages", withMessage({ extra: [nest(20_000)] })],
    ] as const) {
      assert.throws(() => parseBody(more), {
        code: "invalid_request",
        field,
        detail: `${field}: must be nested at most 100 levels deep`,
      });
    }
  });

  test("refuses an unknown model, and names the available ones", () => {
    for (const model of ["gpt-4o", "SCRIPTED", "scripted+", "scripted+plan+plan", ""]) {
      assert.throws(() => parseBody({ model }), {
        code: "model_not_found",
        field: "model",
        detail: `model: ${JSON.stringify(model)} does not exist; use scripted or scripted+plan`,
      });
    }
  });

  test("refuses a message over 1 MiB, and names it", () => {
    const mebibyte = 1024 * 1024;
    assert.equal(parseBody(withMessage({ content: "x".repeat(mebibyte) })).turn.messages.length, 2);
    assert.throws(() => parseBody(withMessage({ content: "x".repeat(mebibyte + 1) })), {
      code: "message_too_large",
      field: "messages[0].content",
    });
  });

  test("refuses ids and keys that are malformed, and names the header", () => {
    for (const name of ["x-conversation-id", "x-turn-id", "idempotency-key"])
      assert.throws(() => parseBody({}, { [name]: " " }), { code: "invalid_request", field: name });
  });

  test("accepts default values of unsupported fields, and does not pass them on", () => {
    const more = {
      n: 1,
      logprobs: false,
      top_logprobs: 0,
      modalities: ["text"],
      tools: [],
      functions: [],
      tool_choice: "auto",
      function_call: "none",
      metadata: { a: "b" },
      store: true,
      service_tier: "auto",
      safety_identifier: "x",
      prompt_cache_key: "x",
      prompt_cache_retention: "24h",
      parallel_tool_calls: true,
      user: "bob",
      stream_options: { include_usage: true, include_obfuscation: false },
    };
    assert.deepEqual(toNamed(more), {});
  });

  test("treats null as absent in every field", () => {
    const names = [
      "n",
      "tools",
      "temperature",
      "stop",
      "stream",
      "stream_options",
      "user",
      "top_k",
      "response_format",
    ];
    const nulls = Object.fromEntries(names.map((name) => [name, null]));
    assert.deepEqual(parseBody(nulls), parseBody({}));
    const message = {
      role: "assistant",
      content: null,
      refusal: null,
      tool_calls: null,
      function_call: null,
      audio: null,
    };
    assert.deepEqual(parseBody(withMessage(message)).turn.messages[0], {
      role: "assistant",
      text: "",
      images: [],
      isAnswer: true,
    });
  });

  test("passes on the client's parameters unchanged, and no others", () => {
    const parameters = {
      temperature: 0,
      top_p: 1,
      max_tokens: 1,
      max_completion_tokens: 100_000,
      stop: ["\n", "END"],
      seed: -7,
      presence_penalty: -2,
      frequency_penalty: 2,
      logit_bias: { "50256": -100 },
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "a",
          strict: true,
          schema: { type: "object", properties: { b: { type: "null" } } },
        },
      },
      reasoning_effort: "minimal",
      verbosity: "low",
    };
    assert.deepEqual(toNamed(parameters), parameters);
    assert.deepEqual(toNamed({ stop: "END" }), { stop: "END" });
  });

  test("keeps texts byte by byte and images in order, and maps every role", () => {
    const { messages } = parseBody({
      messages: [
        { role: "system", content: "\n Be brief. " },
        { role: "developer", content: [{ type: "text", text: "Be kind." }] },
        { role: "assistant", content: null, refusal: "No." },
        {
          role: "user",
          content: [
            { type: "text", text: "  What" },
            { type: "image_url", image_url: { url: png, detail: "low" } },
            { type: "image_url", image_url: { url: "data:image/JPEG;base64,/9j/" } },
          ],
        },
      ],
    }).turn;
    const images = [
      { mimeType: "image/png", data: "iVBORw0K" },
      { mimeType: "image/jpeg", data: "/9j/" },
    ];
    assert.deepEqual(messages, [
      { role: "system", text: "\n Be brief. ", images: [] },
      { role: "system", text: "Be kind.", images: [] },
      { role: "assistant", text: "No.", images: [], isAnswer: true },
      { role: "user", text: "  What", images },
    ]);
  });

  test("passes on the messages verbatim, without the reasoning of replies, if no plan is requested", () => {
    const messages = [
      { role: "user", name: "bob", content: [{ type: "text", text: " Hi" }], extra: { a: [1] } },
      { role: "assistant", content: "", reasoning_content: "Hm.", reasoning: "Hm." },
      { role: "developer", content: "Go on" },
    ];
    const [first, , last] = messages;
    const sent = [first, { role: "assistant", content: "" }, last];
    assert.deepEqual(parseBody({ messages }).turn.verbatim, sent);
    assert.equal(parseBody({ messages, model: "scripted+plan" }).turn.verbatim, undefined);
  });

  test("requests a plan by the model's name alone", () => {
    assert.equal(parseBody({}).turn.wantsPlan, false);
    assert.equal(parseBody({ model: "scripted+plan" }).turn.wantsPlan, true);
  });

  test("streams, and reports usage, only on request", () => {
    const orders = [{}, { stream: true }, { stream: true, stream_options: { include_usage: true } }].map(
      toWishes,
    );
    assert.deepEqual(orders, [
      [false, false],
      [true, false],
      [true, true],
    ]);
  });

  test("identifies its user by a UUID, or by any other name, which always means the same user", () => {
    const id = "01890000-0000-7000-8000-0000000000AB";
    assert.equal(parseBody({ user: id }).turn.caller.userId, id.toLowerCase());
    for (const user of [undefined, ""]) assert.equal(parseBody({ user }).turn.caller.userId, undefined);
    const named = ["bob", "Bob", `${id}0`].map((user) => parseBody({ user }).turn.caller.userId);
    assert.deepEqual(
      ["bob", "Bob", `${id}0`].map((user) => parseBody({ user }).turn.caller.userId),
      named,
    );
    assert.equal(new Set([...named, id.toLowerCase(), undefined]).size, 5);
    assert.equal(parseBody({}, { authorization: "Bearer abc" }).turn.caller.accessToken, undefined);
  });

  test("reads conversation, turn and key from the headers", () => {
    const [conversationId, turnId] = [
      "01890000-0000-7000-8000-0000000000ab",
      "01890000-0000-7000-8000-0000000000ac",
    ];
    const { turn } = parseBody(
      {},
      { "x-conversation-id": conversationId, "x-turn-id": turnId, "idempotency-key": "a key" },
    );
    assert.deepEqual(
      [turn.conversationId, turn.turnId, turn.idempotencyKey],
      [conversationId, turnId, "a key"],
    );
  });
});

function toWishes(more: object): readonly [boolean, boolean] {
  const { streams, includesUsage } = parseBody(more);
  return [streams, includesUsage];
}
