/** Tool calls on the AI SDK's wire, in any order and with hostile JSON: its own reader takes every stream. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isToolUIPart, parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema } from "ai";
import fc from "fast-check";
import type { Json } from "../../../src/base/json.ts";
import type { TurnEvent } from "../../../src/turn/turn-event.ts";
import { toUiMessageStream } from "../../../src/wires/ui-message/stream.ts";

const turnId = "01a22379-68d7-7427-9df8-afdf49240900";
const start: TurnEvent = {
  type: "turn-start",
  turnId,
  conversationId: turnId,
  model: "m",
  startedAt: new Date(0),
};
const end: TurnEvent = {
  type: "turn-end",
  outcome: "complete",
  position: 0,
  finishReason: "stop",
  usage: undefined,
  error: undefined,
  model: undefined,
  durationMs: 1,
  firstTextMs: 1,
  storage: "stored",
};
const place = { position: 0, ordinal: 1 };
const call = (callId: string, input: string, runsOn: "client" | "server" = "server"): TurnEvent => {
  return { type: "tool-call", callId, name: "t", title: undefined, runsOn, step: 0, input, ...place };
};
const result = (callId: string, output: Json, status: "complete" | "denied" = "complete"): TurnEvent => {
  return { type: "tool-result", callId, status, output, ...place };
};

/** Returns the tool parts of the message that the client reads, without an error. */
async function read(events: readonly TurnEvent[]) {
  const projection = toUiMessageStream().project(0);
  const body = [start, ...events, end].map((event) => projection.toChunk(event, 0)).join("");
  const stream = ReadableStream.from([Buffer.from(body)]);
  const parsed = await Array.fromAsync(parseJsonEventStream({ stream, schema: uiMessageChunkSchema }));
  const chunks = parsed.map((each) => {
    if (each.success) return each.value;
    throw each.error;
  });
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const messages = await Array.fromAsync(
    readUIMessageStream({ stream: ReadableStream.from(chunks), onError }),
  );
  assert.deepEqual(errors, []);
  return (messages.at(-1)?.parts ?? []).filter((part) => isToolUIPart(part));
}

describe("tool calls on the AI SDK's wire", () => {
  test("whose arguments or output hold keys that the client refuses are shown without them", async () => {
    const hostile = '{"a":{"__proto__":{"x":1}},"constructor":{"prototype":{}},"b":1}';
    const output: Json = JSON.parse(hostile);
    const [part] = await read([call("c", hostile), result("c", output)]);
    assert.equal(JSON.stringify([part?.input, part?.output]), '[{"a":{},"b":1},{"a":{},"b":1}]');
  });

  test("whose output is nested too deeply to be sent have failed", async () => {
    const output: Json = JSON.parse("[".repeat(20_000) + "]".repeat(20_000));
    const [part] = await read([call("c", "{}"), result("c", output)]);
    assert.deepEqual(
      [part?.state, part?.errorText],
      ["output-error", "The output of this call cannot be shown."],
    );
  });

  test("that were denied without a request for approval have failed, as the client expects", async () => {
    const [part] = await read([call("c", "{}"), result("c", "Not allowed.", "denied")]);
    assert.deepEqual([part?.state, part?.errorText], ["output-error", "Not allowed."]);
  });

  test("may come in any order, begin anywhere and repeat, and never break the client's stream", async () => {
    const ids = fc.constantFrom("a", "b", "c");
    const event = ids.chain((callId) =>
      fc.constantFrom<TurnEvent>(
        {
          type: "tool-call-start",
          callId,
          name: "t",
          title: "T",
          runsOn: "server",
          ...place,
        },
        { type: "tool-call-delta", callId, text: '{"', ...place },
        call(callId, '{"x":1}'),
        call(callId, "{", "client"),
        result(callId, null),
        result(callId, "No.", "denied"),
        { type: "approval-request", approvalId: `of ${callId}`, callId, expiresAt: "", ...place },
        {
          type: "approval-response",
          approvalId: `of ${callId}`,
          callId,
          decision: "expired",
          reason: undefined,
          ...place,
        },
        { type: "answer-delta", text: "\n\nHi", position: 4 },
        { type: "plan-delta", text: "- p", position: 3 },
        { type: "reasoning-delta", text: "Hm", ...place },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 20 }), async (events) => void (await read(events))),
      { numRuns: 300 },
    );
  });
});
