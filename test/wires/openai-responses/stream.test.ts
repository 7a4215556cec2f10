/** The stream of a response: its bytes, its numbers, and that it can be resumed anywhere. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ResponseEventSchema } from "../../../src/wires/openai-responses/output/output-event.ts";
import {
  anyTurn,
  joinDeltas,
  readEvents,
  toLateEvents,
  toStream,
  toTurnEvents,
  turnId,
  type Turn,
} from "./scripted-log.ts";

const whole = (text: string): readonly string[] => [text];
const letters = (text: string): readonly string[] => Array.from(text);
/** Legs that a turn may have, one more than it can. */
const legs = 12;

const hello: Turn = {
  steps: [
    { type: "plan", text: "- a" },
    { type: "boundary" },
    { type: "answer", text: "Hé三" },
    { type: "answer", text: "llo" },
  ],
  ending: "complete",
};

/** Returns the facts of a stream that its bytes show: types, numbers and pieces of text. */
function outline(stream: string): readonly unknown[] {
  return readEvents(stream).map(({ type, sequence_number: number, delta }) => [
    type.replace("response.", ""),
    number,
    ...(delta === undefined ? [] : [delta]),
  ]);
}

describe("the stream of a response", () => {
  test("has OpenAI's events in their order, each with its number, and [DONE]", () => {
    const stream = toStream(toTurnEvents(hello, whole));
    assert.deepEqual(outline(stream), [
      ["created", 0],
      ["in_progress", 1],
      ["output_item.added", 2],
      ["reasoning_summary_part.added", 3],
      ["reasoning_summary_text.delta", 6, "- a"],
      ["reasoning_summary_text.done", 7],
      ["reasoning_summary_part.done", 8],
      ["output_item.done", 9],
      ["output_item.added", 10],
      ["content_part.added", 11],
      ["output_text.delta", 17, "Hé三"],
      ["output_text.delta", 20, "llo"],
      ["output_text.done", 21],
      ["content_part.done", 22],
      ["output_item.done", 23],
      ["completed", 24],
    ]);
    assert.ok(stream.endsWith("\n\ndata: [DONE]\n\n"));
    assert.ok(
      stream.includes(
        `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":"msg_${turnId}","output_index":1,"content_index":0,"logprobs":[],"delta":"llo","sequence_number":20}\n\n`,
      ),
    );
  });

  test("names each event after its type, and has only documented ones", () => {
    fc.assert(
      fc.property(anyTurn, (turn) => {
        const stream = toStream(toTurnEvents(turn, whole));
        const names = Array.from(stream.matchAll(/^event: (.*)$/gm), ([, name]) => name);
        const events = readEvents(stream);
        assert.deepEqual(
          events.map(({ type }) => type),
          names,
        );
        for (const event of events) ResponseEventSchema().parse(event);
      }),
      { numRuns: 100 },
    );
  });

  test("has rising numbers that do not depend on how the reply was cut, nor on when it is read", () => {
    fc.assert(
      fc.property(anyTurn, fc.integer({ min: 0, max: legs - 1 }), (turn, leg) => {
        const expected = joinDeltas(readEvents(toStream(toTurnEvents(turn, whole), { leg })));
        for (const events of [toTurnEvents(turn, letters), toLateEvents(toTurnEvents(turn, letters))]) {
          const read = readEvents(toStream(events, { leg }));
          assert.deepEqual(joinDeltas(read), expected);
          const numbers = read.map(({ sequence_number: number }) => number);
          // A failure has the last number again.
          if (read.at(-1)?.type === "error") assert.equal(numbers.pop(), numbers.at(-1));
          assert.ok(numbers.every((number, index) => number > (numbers[index - 1] ?? -1)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("continues exactly after any number that a client has seen, 1,000 times", () => {
    fc.assert(
      fc.property(
        anyTurn,
        fc.integer({ min: 0, max: legs - 1 }),
        fc.nat(),
        fc.boolean(),
        (turn, leg, place, isLate) => {
          const seen = readEvents(toStream(toTurnEvents(turn, letters), { leg }));
          const at = place % (seen.length - (turn.ending === "failed" ? 1 : 0));
          const startingAfter = seen[at]?.sequence_number;
          const events = toTurnEvents(turn, isLate ? whole : letters);
          const rest = toStream(isLate ? toLateEvents(events) : events, { leg, startingAfter });
          assert.deepEqual(joinDeltas([...seen.slice(0, at + 1), ...readEvents(rest)]), joinDeltas(seen));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("starts with the whole character if a client names a number in the middle of it", () => {
    const events = toTurnEvents(hello, whole);
    for (const [after, delta] of [
      [11, "Hé三"],
      [12, "é三"],
      [13, "é三"],
      [14, "三"],
      [15, "三"],
      [16, "三"],
      [17, "llo"],
    ] as const)
      assert.equal(readEvents(toStream(events, { startingAfter: after }))[0]?.delta, delta, String(after));
    assert.deepEqual(readEvents(toStream(events, { startingAfter: 24 })), []);
  });

  test("shows a call of the client's when the turn is complete, and none of a stopped turn", () => {
    const steps: Turn["steps"] = [{ type: "boundary" }, { type: "client" }];
    const types = (ending: Turn["ending"]): readonly string[] =>
      readEvents(toStream(toTurnEvents({ steps, ending }, whole))).map(({ type }) =>
        type.replace("response.", ""),
      );
    assert.deepEqual(types("complete"), [
      "created",
      "in_progress",
      "output_item.added",
      "function_call_arguments.delta",
      "function_call_arguments.done",
      "output_item.done",
      "completed",
    ]);
    for (const ending of ["stopped", "failed", "waiting"] as const)
      assert.ok(types(ending).every((type) => !type.startsWith("function_call")));
  });

  test("ends a failure with one event that has the code in both places, and nothing after it", () => {
    const stream = toStream(toTurnEvents({ ...hello, ending: "failed" }, whole));
    const { sequence_number: number, ...error } = readEvents(stream).at(-1) ?? assert.fail();
    const fields = {
      code: "model_stalled",
      message: "The model stopped in the middle of its reply.",
      param: null,
    };
    assert.equal(number, 20);
    assert.deepEqual(error, { type: "error", ...fields, error: { type: "server_error", ...fields } });
    assert.ok(!stream.includes("[DONE]"));
  });

  test("tells a client of the failure even if that has more of the text than was saved", () => {
    const events = toTurnEvents({ ...hello, ending: "failed" }, whole);
    const [error, ...others] = readEvents(toStream(events, { startingAfter: 40 }));
    assert.deepEqual([error?.type, error?.sequence_number, others], ["error", 40, []]);
  });

  for (const steps of [[], [{ type: "boundary" }]] as const)
    test(`of a turn without ${steps.length === 0 ? "any" : "an"} answer that is stopped has an empty message: clients ask again otherwise`, () => {
      const events = readEvents(toStream(toTurnEvents({ steps, ending: "stopped" }, whole)));
      const response = events.at(-1)?.["response"];
      assert.partialDeepStrictEqual(response, {
        status: "cancelled",
        output: [{ type: "message", status: "incomplete", content: [{ text: "" }] }],
      });
    });
});
