/** Tools of the client on our own wires: the calls of a turn, and the results that come back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AppResponse } from "../../support/apps/start-app.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const weather = {
  name: "weather",
  description: "The weather in a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const question = { sender: "user", text: "How warm is it in Oslo?" };
const json = { accept: "application/json" };
const plan = "- Look\n---RESPONSE---\n";

function assertRefused(response: AppResponse, field: string, message: RegExp): void {
  assert.equal(response.status, 400, response.body);
  const { code, detail } = JSON.parse(response.body);
  assert.equal(code, "invalid_request");
  assert.ok(String(detail).startsWith(`${field}: `), detail);
  assert.match(String(detail), message);
}

describe("tools of the client", () => {
  const model = useModel();
  const app = useApp(model);

  test("are offered to the model as Chat Completions has them, from either form", async () => {
    const openAi = { type: "function", function: { name: "time", strict: true } };
    await app.chat("Hi", {
      tools: [weather, openAi],
      toolChoice: { name: "weather" },
      parallelToolCalls: false,
    });
    const { tools, tool_choice, parallel_tool_calls } = model.calls.at(-1)?.body ?? assert.fail();
    assert.deepEqual(tools, [{ type: "function", function: weather }, openAi]);
    assert.deepEqual(
      [tool_choice, parallel_tool_calls],
      [{ type: "function", function: { name: "weather" } }, false],
    );
  });

  test("end the turn with their calls, which its state and its events show", async () => {
    model.script = (call) => {
      call.text(`${plan}Let me look.`).toolCall("weather", { city: "Oslo" }, "c1").finish("tool_calls");
    };
    const whole = await app.post("/stream-chat", { messages: [question], tools: [weather] }, json);
    const state = JSON.parse(whole.body);
    assert.deepEqual(
      [state.status, state.finishReason, state.plan, state.answer],
      ["complete", "tool-calls", "- Look", "Let me look."],
    );
    assert.deepEqual(state.tools, [
      {
        callId: "c1",
        name: "weather",
        title: null,
        runsOn: "client",
        step: 0,
        input: '{"city":"Oslo"}',
        status: null,
        output: null,
        position: 34,
        at: 12,
      },
    ]);
    const streamed = await app.post(
      "/stream-chat",
      { messages: [question], tools: [weather] },
      { accept: "text/event-stream" },
    );
    const ids = Array.from(
      streamed.body.matchAll(/^event: (.*)\nid: (.*)$/gm),
      ([, type, id]) => `${type} ${id}`,
    );
    assert.deepEqual(ids.slice(-7), [
      "answer-delta 34",
      "tool-call-start 34.1",
      "tool-call-delta 34.6",
      "tool-call-delta 34.11",
      "tool-call-delta 34.16",
      "tool-call 34.17",
      "turn-end 34.end",
    ]);
  });

  test("go on in the same reply with the results that its message brings back", async () => {
    model.script = (call) =>
      call.text(`${plan}Let me look.`).toolCall("weather", { city: "Oslo" }, "c1").finish("tool_calls");
    const asked = await app.post("/stream-chat", { messages: [question], tools: [weather] }, json);
    const { answer, tools } = JSON.parse(asked.body);
    model.say("It is 3 degrees.");
    const reply = { sender: "assistant", text: answer, tools: [{ ...tools[0], output: { degrees: 3 } }] };
    const next = await app.post("/stream-chat", { messages: [question, reply], tools: [weather] }, json);
    const state = JSON.parse(next.body);
    assert.deepEqual([state.plan, state.answer, state.finishReason], ["", "It is 3 degrees.", "stop"]);
    const { messages } = model.calls.at(-1)?.body ?? assert.fail();
    assert.deepEqual(messages, [
      { role: "user", content: question.text },
      {
        role: "assistant",
        content: "Let me look.",
        tool_calls: [
          { id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: '{"degrees":3}' },
    ]);
  });

  const call = { callId: "c1", name: "weather", input: "{}" };
  const refused: readonly [string, object, string, RegExp][] = [
    ["a name with a space", { tools: [{ name: "the weather" }] }, "tools[0].name", /letters/],
    ["a tool without a name", { tools: [{ type: "function", function: {} }] }, "tools[0].function.name", /./],
    ["two tools with one name", { tools: [weather, weather] }, "tools[1].name", /different/],
    ["parameters that are a list", { tools: [{ name: "a", parameters: [] }] }, "tools[0].parameters", /./],
    ["tools of over 1 MiB", { tools: [{ name: "a", description: "x".repeat(2 ** 20) }] }, "tools", /1048576/],
    ["129 tools", { tools: Array.from({ length: 129 }, () => weather) }, "tools", /at most 128/],
    [
      "the choice of an unknown tool",
      { tools: [weather], toolChoice: { name: "x" } },
      "toolChoice",
      /must name/,
    ],
    ["a required call without tools", { toolChoice: "required" }, "toolChoice", /needs tools/],
    ["another choice", { tools: [weather], toolChoice: "any" }, "toolChoice", /must be auto/],
    [
      "a call without its result",
      { messages: [question, { sender: "assistant", text: "Hm", tools: [call] }] },
      "messages[1].tools[0].output",
      /is required/,
    ],
    [
      "a user's message with calls",
      { messages: [{ ...question, tools: [call] }] },
      "messages[0].tools",
      /only an assistant/,
    ],
    [
      "a reply whose calls are all the server's",
      {
        messages: [
          question,
          { sender: "assistant", text: "Hm", tools: [{ ...call, runsOn: "server", output: 1 }] },
        ],
      },
      "messages",
      /Last message must be from the user/,
    ],
    [
      "two calls with one id",
      {
        messages: [
          question,
          {
            sender: "assistant",
            tools: [
              { ...call, output: 1 },
              { ...call, output: 1 },
            ],
          },
        ],
      },
      "messages[1].tools[1]",
      /id of its own/,
    ],
    [
      "an output nested too deeply",
      {
        messages: [
          question,
          {
            sender: "assistant",
            tools: [{ ...call, output: JSON.parse("[".repeat(200) + "]".repeat(200)) }],
          },
        ],
      },
      "messages[1].tools[0].output",
      /nested at most/,
    ],
    [
      "parameters nested too deeply",
      { tools: [{ name: "a", parameters: { a: JSON.parse("[".repeat(200) + "]".repeat(200)) } }] },
      "tools[0].parameters",
      /nested at most/,
    ],
    [
      "results and no reply",
      { messages: [], toolResults: [{ callId: "c1", output: 1 }] },
      "parentId",
      /must name/,
    ],
    [
      "results beside messages",
      { parentId: "0199a3c4-0000-7000-8000-000000000000", toolResults: [{ callId: "c1", output: 1 }] },
      "messages",
      /must be empty/,
    ],
    [
      "a result with output and error",
      { messages: undefined, toolResults: [{ callId: "c1", output: 1, error: "x" }] },
      "toolResults[0]",
      /output or an error/,
    ],
    ["neither messages nor results", { messages: undefined, toolResults: [] }, "messages", /is required/],
  ];
  for (const [name, more, field, message] of refused) {
    test(`refuse ${name}: 400 ${field}`, async () => {
      const calls = model.calls.length;
      assertRefused(await app.post("/stream-chat", { messages: [question], ...more }), field, message);
      assert.equal(model.calls.length, calls);
    });
  }
});
