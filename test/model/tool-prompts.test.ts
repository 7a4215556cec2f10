/** Tools in requests to a model server: offers, earlier calls and results, and servers that refuse them. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { OpenAiModel } from "../../src/model/openai-model.ts";
import type { ModelParameters } from "../../src/turn/instructions.ts";
import type { ServerTool, ToolOutcome, ToolPart } from "../../src/turn/items/tool.ts";
import type { Message } from "../../src/turn/message.ts";
import { complete } from "../support/model/complete.ts";
import { ScriptedModel, type ScriptedCall } from "../support/model/scripted-model.ts";

const json = { "content-type": "application/json" };
const user: Message = { role: "user", text: "Hi", images: [] };
const clientTool = { type: "function", function: { name: "get_time", parameters: {} } };
const serverTools = [toServerTool("files__read"), toServerTool("get_time")];
const sentTool = {
  type: "function",
  function: { name: "files__read", description: "d", parameters: { type: "object" } },
};

function toServerTool(name: string): ServerTool {
  return {
    name,
    title: undefined,
    description: "d",
    inputSchema: { type: "object" },
    needsApproval: false,
    onlyReads: true,
    isRepeatable: false,
    price: undefined,
  };
}

function toPart(fields: Partial<ToolPart>): ToolPart {
  return {
    callId: "c",
    name: "f",
    runsOn: "server",
    step: 0,
    at: 0,
    input: "{}",
    outcome: undefined,
    ...fields,
  };
}

const called: Message = {
  role: "assistant",
  text: "",
  images: [],
  tools: [toPart({ outcome: { status: "complete", output: "x" } })],
};

/** Refuses a request with `body` unless `isTaken`. */
function refuse(call: ScriptedCall, isTaken: boolean, body: object, status = 400): void {
  if (isTaken) call.text("Sunny.").finish();
  else call.head(status, json).end(JSON.stringify(body));
}

const done = (output: ToolOutcome["output"], status: ToolOutcome["status"] = "complete"): ToolOutcome => ({
  status,
  output,
});
const toolCall = (id: string, name: string, input: string): object => ({
  id,
  type: "function",
  function: { name, arguments: input },
});

describe("the tools of a prompt", () => {
  const server = new ScriptedModel();
  let model: OpenAiModel;
  before(() => server.start());
  after(() => server.close());
  beforeEach(async () => {
    server.calls.length = 0;
    server.say("Hello.");
    const openai = {
      model: "m",
      apiKey: "k",
      baseUrl: server.url,
      organization: undefined,
      project: undefined,
      azure: undefined,
      temperature: 0.3,
      firstByteTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
    };
    const settings = { name: "m", keepsName: false, openai, opensReasoning: "auto", fallback: [] } as const;
    model = new OpenAiModel({ ...settings, failoverAfterMs: 10_000 }, systemClock, () => {});
  });

  async function send(
    messages: readonly Message[],
    parameters: ModelParameters = {},
    own: readonly ServerTool[] = [],
  ): Promise<ScriptedCall["body"]> {
    const { error } = await complete(model, { messages, parameters, serverTools: own });
    assert.equal(error, undefined);
    const [call] = server.calls.splice(0);
    assert.ok(call !== undefined);
    return call.body;
  }

  test("are sent as they came, then the server's, of which one with a client's name is left out", async (context) => {
    context.after(() => model.close());
    const plain = await send([user]);
    const { messages, ...parameters } = plain;
    assert.deepEqual(parameters, {
      model: "m",
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.3,
    });
    assert.deepEqual(messages, [{ role: "user", content: "Hi" }]);
    const own = await send([user], {}, serverTools.slice(0, 1));
    assert.deepEqual(own["tools"], [sentTool]);
    const asked = { tools: [clientTool], tool_choice: "auto", parallel_tool_calls: false };
    const both = await send([user], asked, serverTools);
    assert.deepEqual(both["tools"], [clientTool, sentTool]);
    assert.deepEqual([both["tool_choice"], both["parallel_tool_calls"]], ["auto", false]);
  });

  test("make a reply with calls step by step: text and calls, a result of each, the rest of the text", async (context) => {
    context.after(() => model.close());
    const reply: Message = {
      role: "assistant",
      text: "I look.\n\nAnd again.\n\nSunny.",
      images: [],
      tools: [
        toPart({ callId: "a", at: 7, input: '{"q":1}', outcome: done("one") }),
        toPart({ callId: "b", at: 7, name: "g", outcome: done({ n: 2 }) }),
        toPart({ callId: "c", at: 19, step: 1, outcome: undefined }),
      ],
    };
    const { messages } = await send([user, reply, user]);
    assert.deepEqual(messages, [
      { role: "user", content: "Hi" },
      {
        role: "assistant",
        content: "I look.",
        tool_calls: [toolCall("a", "f", '{"q":1}'), toolCall("b", "g", "{}")],
      },
      { role: "tool", tool_call_id: "a", content: "one" },
      { role: "tool", tool_call_id: "b", content: '{"n":2}' },
      { role: "assistant", content: "And again.", tool_calls: [toolCall("c", "f", "{}")] },
      { role: "tool", tool_call_id: "c", content: "The call has no result." },
      { role: "assistant", content: "Sunny." },
      { role: "user", content: "Hi" },
    ]);
  });

  test("are made acceptable to servers: no text, places outside the text, invented names, broken arguments", async (context) => {
    context.after(() => model.close());
    const { messages } = await send([
      {
        role: "assistant",
        text: "Hi",
        images: [],
        tools: [
          toPart({ callId: "a", name: "no such tool: é".repeat(9), input: "{broken", at: 0 }),
          toPart({ callId: "b", name: "", input: " ", at: -5, step: 1 }),
          toPart({ callId: "c", input: "[1]", at: 99, step: 2 }),
        ],
      },
    ]);
    const calls = messages.flatMap(({ tool_calls: sent }) => (Array.isArray(sent) ? sent : []));
    assert.deepEqual(calls, [
      toolCall(
        "a",
        "no_such_tool___no_such_tool___no_such_tool___no_such_tool___no_s",
        '{"invalid_arguments":"{broken"}',
      ),
      toolCall("b", "unknown", "{}"),
      toolCall("c", "f", '{"invalid_arguments":"[1]"}'),
    ]);
    assert.deepEqual(
      messages.map(({ content }) => content),
      [null, "The call has no result.", null, "The call has no result.", "Hi", "The call has no result."],
    );
  });

  const outcomes: readonly [ToolOutcome, string][] = [
    [done(""), "The tool returned nothing."],
    [done(null), "The tool returned nothing."],
    [done(0), "0"],
    [done([{ content: [] }]), '[{"content":[]}]'],
    [done("no", "failed"), "The tool failed. no"],
    [done("The user said no.", "denied"), "The call was not allowed. The user said no."],
    [done(null, "unknown"), "It is unknown whether the call had an effect."],
    [
      done({
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
        structuredContent: { a: 1 },
      }),
      "a\nb",
    ],
    [done({ content: [], structuredContent: { a: 1 } }), '{"a":1}'],
    [done({ structuredContent: { a: 1 } }), '{"a":1}'],
    [done({ content: [{ type: "text", text: "" }], structuredContent: { a: 1 } }), '{"a":1}'],
    [done({ content: [] }), "The tool returned nothing."],
    [
      done({
        content: [
          { type: "image", mimeType: "image/png", data: "AAAA" },
          { type: "audio", mimeType: "audio/wav", data: "AAAA" },
          { type: "resource_link", name: "n", uri: "file:///x", mimeType: "text/plain" },
          { type: "resource", resource: { uri: "file:///y", mimeType: "text/plain", text: "body" } },
          { type: "resource", resource: { uri: "file:///z", blob: "AAAA" } },
        ],
      }),
      "[image image/png]\n[audio audio/wav]\n[resource_link n file:///x text/plain]\n[resource file:///y text/plain]\nbody\n[resource file:///z]",
    ],
    // A client's own JSON is kept.
    [done({ content: "x" }), '{"content":"x"}'],
    [done({ content: [{ text: "x" }] }), '{"content":[{"text":"x"}]}'],
    [
      done({ content: [{ type: "text", text: "x" }], total: 1 }),
      '{"content":[{"type":"text","text":"x"}],"total":1}',
    ],
  ];
  for (const [outcome, text] of outcomes) {
    test(`give a result as ${JSON.stringify(text)}: ${JSON.stringify(outcome.output)}`, async (context) => {
      context.after(() => model.close());
      const reply: Message = { role: "assistant", text: "", images: [], tools: [toPart({ outcome })] };
      const { messages } = await send([user, reply]);
      assert.deepEqual(messages.at(-1), { role: "tool", tool_call_id: "c", content: text });
    });
  }

  const refusals: readonly [name: string, status: number, body: unknown][] = [
    [
      "OpenAI",
      400,
      { error: { message: "Unsupported parameter: 'tools'", param: "tools", code: "unsupported_parameter" } },
    ],
    [
      "Ollama",
      400,
      {
        error: { message: "registry.ollama.ai/library/gemma2:2b does not support tools", type: "api_error" },
      },
    ],
    [
      "vLLM",
      400,
      {
        object: "error",
        message: '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        type: "BadRequestError",
        code: 400,
      },
    ],
    [
      "llama.cpp",
      500,
      { error: { code: 500, message: "tools param requires --jinja flag", type: "server_error" } },
    ],
    [
      "OpenRouter",
      404,
      { error: { message: 'No endpoints found that support tool use. Try disabling "x".', code: 404 } },
    ],
    ["DeepSeek", 400, { error: { message: "deepseek-reasoner does not support Function Calling" } }],
    ["Bedrock", 400, { error: { message: "This model doesn't support tool use in streaming mode." } }],
    ["FastAPI", 422, { detail: [{ loc: ["body", "tools"], msg: "Extra inputs are not permitted" }] }],
  ];
  for (const [name, status, body] of refusals) {
    test(`are left out once ${name} has refused them, if they are all the server's, and that is remembered`, async (context) => {
      context.after(() => model.close());
      server.script = (call) =>
        "tools" in call.body
          ? call.head(status, json).end(JSON.stringify(body))
          : call.text("Hello.").finish();
      const earlier: Message = {
        role: "assistant",
        text: "Yes.",
        images: [],
        tools: [toPart({ outcome: done("x") })],
      };
      const prompt = { messages: [user, earlier, user], serverTools, parameters: { tool_choice: "auto" } };
      for (let turn = 0; turn < 2; turn += 1) {
        const { pieces, end } = await complete(model, prompt);
        assert.deepEqual([pieces, end?.finishReason], [["Hello."], "stop"]);
      }
      assert.deepEqual(
        server.calls.map((call) => "tools" in call.body),
        [true, false, false],
      );
      const { messages, ...sent } = server.calls[2]?.body ?? { messages: [] };
      assert.ok(!("tool_choice" in sent));
      assert.deepEqual(
        messages.map(({ role }) => role),
        ["user", "assistant", "user"],
      );
    });

    test(`are never left out if one is the client's: ${name}'s refusal is the request's fault`, async (context) => {
      context.after(() => model.close());
      server.script = (call) => call.head(status, json).end(JSON.stringify(body));
      for (const instruction of [undefined, "Plan."]) {
        const { error } = await complete(model, {
          instruction,
          messages: [user],
          serverTools,
          parameters: { tools: [clientTool] },
        });
        assert.equal(error?.code, "request_refused");
      }
      assert.equal(server.calls.length, 2);
    });
  }

  test("are left out for one reply only if the schema of one was refused", async (context) => {
    context.after(() => model.close());
    const body = {
      error: { message: "Invalid schema for function 'files__read'", param: "tools[0].function.parameters" },
    };
    server.script = (call) =>
      "tools" in call.body ? call.head(400, json).end(JSON.stringify(body)) : call.text("Hello.").finish();
    for (let turn = 0; turn < 2; turn += 1)
      assert.deepEqual((await complete(model, { messages: [user], serverTools })).pieces, ["Hello."]);
    assert.deepEqual(
      server.calls.map((call) => "tools" in call.body),
      [true, false, true, false],
    );
  });

  test("stay when only parallel_tool_calls or tool_choice is refused", async (context) => {
    context.after(() => model.close());
    for (const name of ["parallel_tool_calls", "tool_choice"]) {
      server.calls.length = 0;
      const body = { error: { message: `Unsupported parameter: '${name}'`, param: name } };
      server.script = (call) =>
        name in call.body
          ? call.head(400, json).end(JSON.stringify(body))
          : call.toolCall("files__read").finish("tool_calls");
      const parameters = { [name]: name === "tool_choice" ? "none" : false };
      for (let turn = 0; turn < 2; turn += 1) {
        const { end } = await complete(model, { messages: [user], serverTools, parameters });
        assert.equal(end?.finishReason, "tool-calls");
      }
      assert.deepEqual(
        server.calls.map((call) => name in call.body),
        [true, false, false],
      );
      assert.ok(server.calls.every((call) => "tools" in call.body));
    }
  });

  test("sign earlier calls once Gemini has refused unsigned ones, and that is remembered", async (context) => {
    context.after(() => model.close());
    const message =
      "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly.";
    const isSigned = (call: ScriptedCall): boolean =>
      JSON.stringify(call.body).includes("skip_thought_signature");
    const body = [{ error: { code: 400, message, status: "INVALID_ARGUMENT" } }];
    server.script = (call) => refuse(call, isSigned(call), body);
    for (const parameters of [{}, { tools: [clientTool] }]) {
      const { pieces } = await complete(model, { messages: [user, called], serverTools, parameters });
      assert.deepEqual(pieces, ["Sunny."]);
    }
    assert.deepEqual(server.calls.map(isSigned), [false, true, true]);
    assert.ok(server.calls.every((call) => "tools" in call.body));
    assert.deepEqual(server.calls[1]?.body.messages[1]?.["tool_calls"], [
      {
        extra_content: { google: { thought_signature: "skip_thought_signature_validator" } },
        ...toolCall("c", "f", "{}"),
      },
    ]);
  });

  test("are named for earlier calls, and none is to be called, once Anthropic has refused calls without tools", async (context) => {
    context.after(() => model.close());
    const message =
      "litellm.UnsupportedParamsError: Anthropic doesn't support tool calling without `tools=` param specified.";
    const error = { message, type: "None", param: null, code: "400" };
    server.script = (call) => refuse(call, "tools" in call.body, { error });
    for (let turn = 0; turn < 2; turn += 1)
      assert.deepEqual((await complete(model, { messages: [user, called] })).pieces, ["Sunny."]);
    assert.deepEqual(
      server.calls.map((call) => "tools" in call.body),
      [false, true, true],
    );
    const body = server.calls[1]?.body;
    assert.deepEqual(body?.["tools"], [
      { type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } },
    ]);
    assert.equal(body?.["tool_choice"], "none");
  });

  test("lets no second attempt be made once a piece of a call was told, and one before", async (context) => {
    context.after(() => model.close());
    server.script = (call) => {
      if (server.calls.length === 1) return call.head().destroy();
      call.toolCall("files__read", { path: "x" });
      return call.end();
    };
    const { pieces, error } = await complete(model, { messages: [user], serverTools });
    assert.equal(error?.code, "model_truncated");
    assert.equal(server.calls.length, 2);
    assert.equal(
      pieces.map((piece) => (typeof piece === "string" ? "" : piece.input)).join(""),
      '{"path":"x"}',
    );
  });
});
