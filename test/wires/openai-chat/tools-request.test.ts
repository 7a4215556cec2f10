/** The tools of a completion's request: definitions, calls and results, and the turn that they become. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TurnRequest } from "../../../src/turn/turn-request.ts";
import { assertInvalid, parseCompletion } from "../../support/clients/completion-request.ts";

const hello = { role: "user", content: "Hi" };

function parseTurn(more: object): TurnRequest {
  return parseCompletion(more).turn;
}

function toTool(name: string, more: object = {}): object {
  return { type: "function", function: { name, ...more } };
}

function toCall(id: string, name = "look", text = "{}"): object {
  return { id, type: "function", function: { name, arguments: text } };
}

/** A message of the assistant's that asks for a call of each of `ids`. */
function asks(...ids: string[]): object {
  return { role: "assistant", content: null, tool_calls: ids.map((id) => toCall(id)) };
}

function answers(id: string, content: unknown = "7"): object {
  return { role: "tool", tool_call_id: id, content };
}

function chat(...messages: object[]): object {
  return { messages: [hello, ...messages] };
}

const look = { tools: [toTool("look")] };
const many = Array.from({ length: 129 }, (_, index) => toTool(`t${index}`));

const wrong: readonly [string, object, string, RegExp?][] = [
  ["a tool that is a text", { tools: ["look"] }, "tools[0]"],
  ["tools that are an object", { tools: { look: {} } }, "tools"],
  ["more than 128 tools", { tools: many }, "tools", /at most 128/],
  ["a tool without a type", { tools: [{ function: { name: "f" } }] }, "tools[0].type"],
  ["a custom tool", { tools: [{ type: "custom", custom: { name: "f" } }] }, "tools[0].type", /only function/],
  ["a hosted tool", { tools: [toTool("f"), { type: "web_search" }] }, "tools[1].type", /is not supported/],
  ["a tool in the form of Responses", { tools: [{ type: "function", name: "f" }] }, "tools[0].function"],
  ["a tool without a name", { tools: [{ type: "function", function: {} }] }, "tools[0].function.name"],
  ["a name of 65 characters", { tools: [toTool("x".repeat(65))] }, "tools[0].function.name", /1 to 64/],
  ["an empty name", { tools: [toTool("")] }, "tools[0].function.name"],
  ["a name with a dot", { tools: [toTool("a.b")] }, "tools[0].function.name"],
  ["a name with a line break", { tools: [toTool("a\n")] }, "tools[0].function.name"],
  [
    "two tools of one name",
    { tools: [toTool("f"), toTool("g"), toTool("f")] },
    "tools[2].function.name",
    /must be different from the other tools' names/,
  ],
  ["parameters in words", { tools: [toTool("f", { parameters: "none" })] }, "tools[0].function.parameters"],
  ["parameters in a list", { tools: [toTool("f", { parameters: [] })] }, "tools[0].function.parameters"],
  [
    "a number for a description",
    { tools: [toTool("f", { description: 7 })] },
    "tools[0].function.description",
  ],
  [
    "over 1 MiB of tools",
    { tools: [toTool("f", { description: "x".repeat(1024 * 1024) })] },
    "tools",
    /at most 1048576 characters/,
  ],
  ["a choice of any tool without tools", { tool_choice: "required" }, "tool_choice", /together with tools/],
  ["a choice by name without tools", { tool_choice: toTool("look") }, "tool_choice", /together with tools/],
  ["a choice of an unknown tool", { ...look, tool_choice: toTool("find") }, "tool_choice.function.name"],
  ["a choice in other words", { ...look, tool_choice: "any" }, "tool_choice", /none, auto, required/],
  ["a choice that is a number", { ...look, tool_choice: 1 }, "tool_choice"],
  ["a choice of a custom tool", { ...look, tool_choice: { type: "custom" } }, "tool_choice.type"],
  [
    "a choice in the form of Responses",
    { ...look, tool_choice: { type: "function", name: "look" } },
    "tool_choice.function",
  ],
  [
    "a choice among unknown tools",
    {
      ...look,
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: { mode: "auto", tools: [toTool("look"), toTool("find")] },
      },
    },
    "tool_choice.allowed_tools.tools[1].function.name",
  ],
  [
    "a choice among tools in an unknown mode",
    { ...look, tool_choice: { type: "allowed_tools", allowed_tools: { mode: "none", tools: [] } } },
    "tool_choice.allowed_tools.mode",
  ],
  ["parallel calls in words", { ...look, parallel_tool_calls: "yes" }, "parallel_tool_calls"],
  ["calls in a list that is none", chat({ ...asks(), tool_calls: {} }), "messages[1].tool_calls"],
  [
    "a call without an id",
    chat({ role: "assistant", tool_calls: [{ type: "function", function: { name: "f", arguments: "" } }] }),
    "messages[1].tool_calls[0].id",
  ],
  ["a call with an empty id", chat(asks(""), answers("")), "messages[1].tool_calls[0]"],
  [
    "a custom call",
    chat({ role: "assistant", tool_calls: [{ id: "c", type: "custom", custom: { name: "f", input: "" } }] }),
    "messages[1].tool_calls[0].type",
  ],
  [
    "arguments that are an object",
    chat({ role: "assistant", tool_calls: [{ id: "c", function: { name: "f", arguments: {} } }] }),
    "messages[1].tool_calls[0].function.arguments",
    /must be a string/,
  ],
  ["two calls with one id", chat(asks("a", "a"), answers("a")), "messages[1].tool_calls[1].id"],
  ["calls of a user's", { messages: [{ ...hello, tool_calls: [toCall("a")] }] }, "messages[0].tool_calls"],
  ["a result at the start", { messages: [answers("a")] }, "messages[0].tool_call_id", /"a" is not among/],
  ["a result of no call", chat(answers("a")), "messages[1].tool_call_id", /previous assistant message/],
  ["a result of another call", chat(asks("a"), answers("b")), "messages[2].tool_call_id", /"b" is not among/],
  ["a result without an id", chat(asks("a"), { role: "tool", content: "7" }), "messages[2].tool_call_id"],
  ["a second result", chat(asks("a"), answers("a"), answers("a")), "messages[3].tool_call_id", /before/],
  [
    "a result of an earlier step",
    chat(asks("a"), answers("a"), asks("b"), answers("a")),
    "messages[4].tool_call_id",
  ],
  ["a result after a user's message", chat(asks("a"), hello, answers("a")), "messages[1].tool_calls"],
  ["a missing result", chat(asks("a", "b"), answers("a"), hello), "messages[1].tool_calls", /missing: "b"$/],
  ["no result at all", chat(asks("a")), "messages[1].tool_calls", /missing: "a"$/],
  [
    "a missing result before the next step",
    chat(asks("a"), asks("b"), answers("b")),
    "messages[1].tool_calls",
  ],
  [
    "many missing results",
    chat(asks("a", "b", "c", "d", "e", "f", "g")),
    "messages[1].tool_calls",
    /"e" and 2 more$/,
  ],
  ["a result without content", chat(asks("a"), answers("a", null)), "messages[2].content", /is required/],
  ["a result that is an object", chat(asks("a"), answers("a", { b: 1 })), "messages[2].content"],
  [
    "an image as a result",
    chat(
      asks("a"),
      answers("a", [{ type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0K" } }]),
    ),
    "messages[2].content",
  ],
  [
    "the assistant's message after results",
    chat(asks("a"), answers("a"), { role: "assistant", content: "So" }),
    "messages",
    /Last message/,
  ],
];

describe("a completion's request", () => {
  for (const [name, more, field, detail] of wrong)
    test(`with ${name} is refused, and names ${field}`, () => assertInvalid(more, field, detail));

  test("with an argument, a result or all of them beyond their limit is too large, and names it", () => {
    const mebibyte = 1024 * 1024;
    const call = { ...asks(), tool_calls: [toCall("a", "look", "x".repeat(mebibyte + 1))] };
    for (const [messages, field] of [
      [chat(call, answers("a")), "messages[1].tool_calls[0]"],
      [chat(asks("a"), answers("a", "x".repeat(mebibyte + 1))), "messages[2].content"],
      [
        chat(
          asks("a", "b", "c", "d", "e"),
          ...["a", "b", "c", "d", "e"].map((id) => answers(id, "x".repeat(900_000))),
        ),
        "messages[1].tool_calls",
      ],
    ] as const)
      assert.throws(() => parseTurn(messages), { code: "message_too_large", field });
  });

  test("passes on tools and their choice unchanged, with fields that only the model server knows", () => {
    const parameters = { type: "object", properties: { z: { const: null }, "1": {}, a: { type: "string" } } };
    const more = {
      tools: [
        {
          cache_control: { type: "ephemeral" },
          ...toTool("look", { parameters, strict: true, examples: [] }),
        },
        toTool("x".repeat(64), { description: "", parameters: null }),
      ],
      parallel_tool_calls: false,
    };
    const choices = [
      "none",
      "auto",
      "required",
      { ...toTool("look"), extra: 1 },
      {
        type: "allowed_tools",
        allowed_tools: { mode: "required", tools: [toTool("look")] },
      },
    ];
    for (const tool_choice of choices) {
      const sent = parseTurn({ ...more, tool_choice }).parameters;
      assert.equal(JSON.stringify(sent.tools), JSON.stringify(more.tools));
      assert.deepEqual(sent, { ...more, tool_choice });
    }
  });

  test("without tools passes on nothing about them", () => {
    for (const more of [
      { tools: [], tool_choice: "auto", parallel_tool_calls: true },
      { tools: null, tool_choice: "none", parallel_tool_calls: null },
      { functions: [], function_call: "auto", tool_choice: null },
    ])
      assert.deepEqual(parseTurn(more).parameters, {});
  });

  test("passes on the messages of tools verbatim, with the reasoning before a call", () => {
    const messages = [
      hello,
      { ...asks("a"), reasoning_content: "Hm.", extra: 1 },
      { ...answers("a"), name: "look" },
      { role: "assistant", content: "So.", reasoning_content: "Hm.", tool_calls: [] },
      hello,
      { role: "assistant", tool_calls: [{ id: "b", function: { name: "look", arguments: "no JSON" } }] },
      answers("b", [{ type: "text", text: "7" }]),
    ];
    assert.deepEqual(parseTurn({ messages }).verbatim, [
      ...messages.slice(0, 3),
      { role: "assistant", content: "So." },
      ...messages.slice(4),
    ]);
    assert.equal(parseTurn({ messages, model: "scripted+plan" }).verbatim, undefined);
  });

  test("makes one message of a reply whose tools have run: its texts, calls and results", () => {
    const { messages, extendsReply } = parseTurn(
      chat(
        {
          role: "assistant",
          content: "Let me look.\n",
          tool_calls: [toCall("a"), toCall("b", "find", "{no")],
        },
        answers("b", ""),
        answers("a", [
          { type: "text", text: "6" },
          { type: "text", text: "7" },
        ]),
        { role: "assistant", content: "\n", tool_calls: [toCall("a")] },
        answers("a", "8\0"),
        { role: "assistant", content: " It is 8. " },
        hello,
      ),
    );
    const call = { callId: "a", name: "look", runsOn: "client", step: 0, at: 12, input: "{}" };
    const toOutcome = (output: string): object => ({ status: "complete", output });
    assert.deepEqual(messages, [
      { role: "user", text: "Hi", images: [] },
      {
        role: "assistant",
        text: "Let me look.\n\nIt is 8.",
        images: [],
        tools: [
          { ...call, outcome: toOutcome("6\n7") },
          { ...call, callId: "b", name: "find", input: "{no", outcome: toOutcome("") },
          { ...call, step: 1, outcome: toOutcome("8\uFFFD") },
        ],
        isAnswer: true,
      },
      { role: "user", text: "Hi", images: [] },
    ]);
    assert.equal(extendsReply, undefined);
  });

  test("keeps consecutive replies without tools apart, as they were sent", () => {
    const { messages } = parseTurn(
      chat({ role: "assistant", content: " a " }, { role: "assistant", content: "b", tool_calls: [] }, hello),
    );
    assert.deepEqual(
      messages.map(({ text }) => text),
      ["Hi", " a ", "b", "Hi"],
    );
  });

  test("that ends in results continues the reply that asked for them, without another plan", () => {
    for (const model of ["scripted", "scripted+plan"]) {
      const turn = parseTurn({ model, ...chat(asks("a", "b"), answers("b"), answers("a")) });
      assert.deepEqual(
        turn.messages.map(({ text }) => text),
        ["Hi"],
      );
      assert.deepEqual(
        turn.extendsReply?.tools?.map(({ callId, outcome }) => [callId, outcome?.output]),
        [
          ["a", "7"],
          ["b", "7"],
        ],
      );
      assert.equal(turn.wantsPlan, false);
    }
  });

  test("offers the server's own tools only with a plan, and only those that need no approval", () => {
    assert.equal(parseTurn({}).serverTools, "none");
    assert.equal(parseTurn({ model: "scripted+plan" }).serverTools, "read");
  });

  test("accepts a call whose name no tool could have, since a model may have written it", () => {
    const name = "look it up!";
    const messages = [hello, { role: "assistant", tool_calls: [toCall("a", name)] }, answers("a")];
    assert.equal(parseTurn({ messages }).extendsReply?.tools?.[0]?.name, name);
  });
});
