/** The request of `POST /v1/responses`: the prompt and its parameters, and the field that an error names. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OpenAiError, useOpenAiWire } from "../../support/clients/openai-wire.ts";
import { makePng } from "../../support/clients/file-client.ts";

const call = { type: "function_call", call_id: "c1", name: "f", arguments: "{}" };
const output = { type: "function_call_output", call_id: "c1", output: "1" };
const user = { role: "user", content: "Hi" };
const unknown = "0199a3c4-0000-7000-8000-000000000009";
const long = "x".repeat(1024 * 1024 + 1);

/** Bodies, each with the field that its error names. */
const wrong: readonly [string, object, string][] = [
  ["no input", { input: undefined }, "input"],
  ["an input of another type", { input: 7 }, "input"],
  ["an empty text", { input: "" }, "input"],
  ["an empty list", { input: [] }, "input"],
  ["only items without meaning", { input: [{ type: "reasoning", summary: [] }] }, "input"],
  ["an answer at the end", { input: [user, { role: "assistant", content: "A" }] }, "input"],
  ["an item that is no object", { input: ["a"] }, "input[0]"],
  ["an unknown item", { input: [user, { type: "web_search_call" }] }, "input[1].type"],
  ["an item named like a property of all objects", { input: [{ type: "constructor" }] }, "input[0].type"],
  ["an unknown role", { input: [{ role: "tool", content: "a" }] }, "input[0].role"],
  ["a message without a role", { input: [{ content: "a" }] }, "input[0].role"],
  ["a message without content", { input: [{ role: "user" }] }, "input[0].content"],
  [
    "an unknown part",
    { input: [{ role: "user", content: [{ type: "input_audio" }] }] },
    "input[0].content[0].type",
  ],
  [
    "an image that is no image",
    { input: [{ role: "user", content: [{ type: "input_image", image_url: "https://a.example/b.png" }] }] },
    "input[0].content[0].image_url",
  ],
  [
    "a file without bytes",
    { input: [{ role: "user", content: [{ type: "input_file", filename: "a.pdf" }] }] },
    "input[0].content[0].file_data",
  ],
  [
    "an image of the assistant's",
    { input: [{ role: "assistant", content: [{ type: "input_image", image_url: makePng("a").url }] }, user] },
    "input[0].content",
  ],
  ["a message that is too long", { input: long }, "input[0].content"],
  ["instructions that are too long", { instructions: long }, "instructions"],
  ["a call without a result", { input: [user, call] }, "input[1]"],
  ["a call without a result before a question", { input: [user, call, user] }, "input[1]"],
  ["two calls with one id", { input: [user, call, call, output] }, "input[2].call_id"],
  ["two results of a call", { input: [user, call, output, output] }, "input[3].call_id"],
  ["a result without a call", { input: [user, output] }, "input[1].call_id"],
  ["a call without a name", { input: [user, { ...call, name: undefined }, output] }, "input[1].name"],
  ["arguments that are no text", { input: [user, { ...call, arguments: {} }, output] }, "input[1].arguments"],
  ["a result that is a number", { input: [user, call, { ...output, output: 7 }] }, "input[2].output"],
  ["an unknown response", { previous_response_id: `resp_${unknown}` }, "previous_response_id"],
  ["another id than a response's", { previous_response_id: unknown }, "previous_response_id"],
  ["another id than a conversation's", { conversation: { id: "conv_1" } }, "conversation"],
  [
    "a response beside a conversation",
    { previous_response_id: `resp_${unknown}`, conversation: `conv_${unknown}` },
    "previous_response_id",
  ],
  ["an unknown request for approval", { input: [toAnswer("mcpr_1")] }, "input[0].approval_request_id"],
  [
    "a message after an answer to a request for approval",
    { input: [toAnswer(`mcpr_${unknown}_0`), user] },
    "input[1]",
  ],
  ["a hosted tool", { tools: [{ type: "web_search" }] }, "tools[0].type"],
  ["a tool without a name", { tools: [{ type: "function" }] }, "tools[0].name"],
  [
    "a tool in the form of Chat Completions",
    { tools: [{ type: "function", function: { name: "f" } }] },
    "tools[0].name",
  ],
  ["two tools with one name", { tools: [toTool("f"), toTool("f")] }, "tools[1].name"],
  [
    "a tool server of the client's",
    { tools: [{ type: "mcp", server_label: "a", server_url: "https://a.example" }] },
    "tools[0].server_url",
  ],
  [
    "a demand for approval",
    { tools: [{ type: "mcp", server_label: "a", require_approval: "always" }] },
    "tools[0].require_approval",
  ],
  ["a choice that needs tools", { tool_choice: "required" }, "tool_choice"],
  ["a choice of an unknown tool", { tools: [toTool("f")], tool_choice: toTool("g") }, "tool_choice.name"],
  [
    "a choice of a hosted tool",
    { tools: [toTool("f")], tool_choice: { type: "web_search" } },
    "tool_choice.type",
  ],
  [
    "a choice among unknown tools",
    { tools: [toTool("f")], tool_choice: { type: "allowed_tools", mode: "auto", tools: [toTool("g")] } },
    "tool_choice.tools[0].name",
  ],
  ["an unknown format", { text: { format: { type: "grammar" } } }, "text.format.type"],
  [
    "a format without its schema",
    { text: { format: { type: "json_schema", name: "a" } } },
    "text.format.schema",
  ],
  ["no room for a reply", { max_output_tokens: 0 }, "max_output_tokens"],
  ["a temperature that is too high", { temperature: 3 }, "temperature"],
  ["metadata of another type", { metadata: { a: 1 } }, "metadata.a"],
  [
    "too much metadata",
    { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, key) => [key, ""])) },
    "metadata",
  ],
  ["a background turn that is not stored", { background: true, store: false }, "background"],
  ["a text for a switch", { stream: "yes" }, "stream"],
  ["log probabilities", { include: ["message.output_text.logprobs"] }, "include[0]"],
  ["a prompt of OpenAI's", { prompt: { id: "p" } }, "prompt"],
  ["messages", { messages: [user] }, "messages"],
  ["a limit of Chat Completions", { max_tokens: 5 }, "max_tokens"],
  ["another server", { api_base: "https://a.example" }, "api_base"],
  ["JSON that is nested too deep", { tools: [{ ...toTool("f"), parameters: nest(200) }] }, "tools"],
];

function toTool(name: string): object {
  return { type: "function", name };
}

function toAnswer(id: string): object {
  return { type: "mcp_approval_response", approval_request_id: id, approve: true };
}

function nest(depth: number): object {
  return depth === 0 ? {} : { a: nest(depth - 1) };
}

describe("a response's request", { timeout: 120_000 }, () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true" });

  async function send(more: object): Promise<Record<string, unknown>> {
    wire.model.say("So.");
    const { status, body } = await wire.app.post("/v1/responses", {
      model: "scripted",
      input: "Hi",
      ...more,
    });
    assert.equal(status, 200, body);
    return { ...wire.model.calls.at(-1)?.body };
  }

  for (const [name, more, field] of wrong)
    test(`with ${name} is refused, and its error names ${field}`, async () => {
      const calls = wire.model.calls.length;
      const { status, body } = await wire.app.post("/v1/responses", {
        model: "scripted",
        input: "Hi",
        ...more,
      });
      const { error } = OpenAiError.parse(JSON.parse(body));
      assert.ok(status >= 400 && status < 500, body);
      assert.equal(error.param, field, body);
      assert.equal(wire.model.calls.length, calls);
    });

  test("without meaning in optional fields is like one without them", async () => {
    const { messages, ...parameters } = await send({});
    const empty = {
      tools: [],
      include: [],
      text: {},
      tool_choice: "auto",
      previous_response_id: null,
      conversation: null,
      instructions: "",
      metadata: {},
      reasoning: null,
      max_output_tokens: null,
      stream: false,
    };
    assert.deepEqual(await send(empty), { messages, ...parameters });
    assert.deepEqual(messages, [{ role: "user", content: "Hi" }]);
  });

  test("has its instructions before the chat, and its parameters as Chat Completions has them", async () => {
    const parameters = { type: "object", properties: {} };
    const schema = { type: "object" };
    const sent = await send({
      instructions: "Be brief.",
      tools: [{ type: "function", name: "f", description: "d", parameters, strict: true }],
      tool_choice: { type: "function", name: "f" },
      parallel_tool_calls: false,
      text: { format: { type: "json_schema", name: "n", schema, strict: true }, verbosity: "low" },
      reasoning: { effort: "low", summary: "auto" },
      max_output_tokens: 50,
      top_p: 0.5,
      top_k: 3,
    });
    assert.partialDeepStrictEqual(sent, {
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
      ],
      tools: [{ type: "function", function: { name: "f", description: "d", parameters, strict: true } }],
      tool_choice: { type: "function", function: { name: "f" } },
      parallel_tool_calls: false,
      response_format: { type: "json_schema", json_schema: { name: "n", schema, strict: true } },
      verbosity: "low",
      reasoning_effort: "low",
      max_completion_tokens: 50,
      top_p: 0.5,
      top_k: 3,
    });
  });

  test("has items as messages, and calls of a reply as one", async () => {
    const { messages } = await send({
      input: [
        { role: "developer", content: "Rules." },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] },
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "- p" }] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "Wait." }] },
        { ...call, call_id: "c1" },
        { ...call, call_id: "c2" },
        { ...output, call_id: "c2", output: [{ type: "input_text", text: "2" }] },
        { ...output, call_id: "c1" },
        { ...call, call_id: "c3" },
        { ...output, call_id: "c3", output: "3" },
      ],
    });
    const toCall = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
    assert.deepEqual(messages, [
      { role: "system", content: "Rules." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Wait.", tool_calls: [toCall("c1"), toCall("c2")] },
      { role: "tool", tool_call_id: "c1", content: "1" },
      { role: "tool", tool_call_id: "c2", content: "2" },
      { role: "assistant", content: null, tool_calls: [toCall("c3")] },
      { role: "tool", tool_call_id: "c3", content: "3" },
    ]);
  });

  test("may have an image and a file", async () => {
    const { url } = makePng("a");
    const pdf = `data:application/pdf;base64,${Buffer.from("%PDF-1.7\n").toString("base64")}`;
    const content = [
      { type: "input_text", text: "Look" },
      { type: "input_image", image_url: url, detail: "auto" },
      { type: "input_file", filename: "b.pdf", file_data: pdf },
    ];
    const { messages } = await send({ input: [{ role: "user", content }] });
    assert.deepEqual(messages, [
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "image_url", image_url: { url } },
          { type: "file", file: { filename: "b.pdf", file_data: pdf } },
        ],
      },
    ]);
  });

  test("is repeated by the response as far as there is room: first without schemas, then without instructions", async () => {
    const tools = Array.from({ length: 100 }, (_, index) => ({
      ...toTool(`f${index}`),
      parameters: { type: "object", description: "d".repeat(1_000) },
    }));
    const repeat = async (more: object): Promise<Record<string, unknown>> =>
      JSON.parse(
        (await wire.app.post("/v1/responses", { model: "scripted", input: "Hi", tools, ...more })).body,
      );
    wire.model.say("So.");
    const without = await repeat({ instructions: "Be brief." });
    assert.deepEqual(
      [without["instructions"], without["tools"]],
      ["Be brief.", tools.map((_, index) => toTool(`f${index}`))],
    );
    const short = await repeat({ instructions: "x".repeat(70_000), metadata: { a: "b" } });
    assert.deepEqual([short["instructions"], short["metadata"]], [null, { a: "b" }]);
  });
});
