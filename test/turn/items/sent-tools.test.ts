/** The tool calls that clients send back: their limits, and the text that is stored of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AppError } from "../../../src/base/errors.ts";
import { toToolParts, type SentTool } from "../../../src/turn/items/sent-tools.ts";

const sent = (more: Partial<SentTool> = {}): SentTool => ({
  callId: "call_1",
  name: "get_weather",
  runsOn: "client",
  step: 0,
  at: 0,
  input: '{"city":"Oslo"}',
  field: "messages[1].tool_calls[0]",
  ...more,
});
const withOutput = (output: unknown): SentTool =>
  sent({ outcome: { status: "complete", output, field: "messages[2].content" } });
const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));

/** Returns the code and the field of the refusal. */
function refusalOf(calls: readonly SentTool[]): string {
  try {
    toToolParts(calls, "messages[1].tool_calls");
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.ok(error.detail?.startsWith(`${error.field}: must `), error.detail);
    return `${error.code} ${error.field}`;
  }
  return "none";
}

describe("toToolParts", () => {
  test("keeps the text of arguments as the model wrote it, and broken JSON too", () => {
    assert.deepEqual(toToolParts([sent({ input: '{ "city": "Oslo" ' })], "tools"), [
      {
        callId: "call_1",
        name: "get_weather",
        runsOn: "client",
        step: 0,
        at: 0,
        input: '{ "city": "Oslo" ',
        outcome: undefined,
      },
    ]);
    assert.equal(toToolParts([], "tools"), undefined);
  });

  test("replaces the characters that a database refuses, in names and at any depth of values", () => {
    const [part] =
      toToolParts(
        [
          sent({
            callId: "a\0",
            input: { json: { "k\0": ["\uD800", { x: "\0" }] } },
            outcome: { status: "failed", output: { "\uDC00": "a\0b", ["__proto__"]: 1 }, field: "output" },
          }),
        ],
        "tools",
      ) ?? [];
    assert.equal(part?.callId, "a\uFFFD");
    assert.equal(part?.input, '{"k\uFFFD":["\uFFFD",{"x":"\uFFFD"}]}');
    assert.equal(JSON.stringify(part?.outcome?.output), '{"\uFFFD":"a\uFFFDb","__proto__":1}');
  });

  const refused: readonly [string, readonly SentTool[], string][] = [
    ["an empty id", [sent({ callId: "" })], "invalid_request messages[1].tool_calls[0]"],
    ["a long id", [sent({ callId: "x".repeat(257) })], "invalid_request messages[1].tool_calls[0]"],
    ["an empty name", [sent({ name: "" })], "invalid_request messages[1].tool_calls[0]"],
    ["a name of control characters", [sent({ name: "a\nb" })], "invalid_request messages[1].tool_calls[0]"],
    ["the same id twice in a step", [sent(), sent()], "invalid_request messages[1].tool_calls[0]"],
    ["the same id in two steps", [sent(), sent({ step: 1 })], "none"],
    [
      "257 calls",
      Array.from({ length: 257 }, (_, step) => sent({ step })),
      "invalid_request messages[1].tool_calls",
    ],
    ["1 MiB of arguments", [sent({ input: "x".repeat(1024 * 1024) })], "none"],
    [
      "more arguments",
      [sent({ input: "x".repeat(1024 * 1024 + 1) })],
      "message_too_large messages[1].tool_calls[0]",
    ],
    ["1 MiB of output", [withOutput("x".repeat(1024 * 1024 - 2))], "none"],
    ["more output", [withOutput("x".repeat(1024 * 1024 - 1))], "message_too_large messages[2].content"],
    [
      "over 4 MiB of outputs",
      Array.from({ length: 5 }, (_, step) => ({ ...withOutput("x".repeat(1024 * 1000)), step })),
      "message_too_large messages[1].tool_calls",
    ],
    ["output nested 100 levels", [withOutput(nested(100))], "none"],
    ["output nested deeper", [withOutput(nested(101))], "invalid_request messages[2].content"],
    ["output nested 100,000 levels", [withOutput(nested(100_000))], "invalid_request messages[2].content"],
    [
      "arguments nested deeper",
      [sent({ input: { json: nested(101) } })],
      "invalid_request messages[1].tool_calls[0]",
    ],
    [
      "the text of arguments nested deeper",
      [sent({ input: "[".repeat(100_000) + "]".repeat(100_000) })],
      "none",
    ],
  ];
  for (const [name, calls, refusal] of refused)
    test(`refuses ${name}: ${refusal}`, () => assert.equal(refusalOf(calls), refusal));
});
