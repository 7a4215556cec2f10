/** Tool calls of every recorded form are read the same in any pieces, and never look whole when cut off. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import type { ToolStream } from "../fixtures/model/tool-stream-builder.ts";
import { toolStreams } from "../fixtures/model/tool-streams.ts";
import { toEvent, toToolChunk } from "../support/model/scripted-model.ts";
import { ReplyReader } from "../support/model/reply-reader.ts";
import { cutBytes } from "../support/model/split-reply.ts";

const madeId = /^[A-Za-z0-9]{9}$/;

function read(bytes: Buffer, lengths: readonly number[], tools: readonly string[] = []): ReplyReader {
  const reader = new ReplyReader(tools);
  for (const chunk of cutBytes(bytes, lengths)) reader.push(chunk);
  return reader;
}

function check(reader: ReplyReader, expected: ToolStream): void {
  assert.ok(reader.stream.isWhole(false), "it is whole without the end of its body");
  reader.end();
  assert.deepEqual(
    reader.calls.map(({ name, input }) => [name, input]),
    expected.calls,
  );
  assert.deepEqual(reader.order, expected.order);
  assert.equal(reader.stream.toEnd().finishReason, expected.finishReason);
  assert.equal(reader.reasoning, expected.reasoning ?? "");
  assert.equal(new Set(reader.ids).size, reader.ids.length, "each call has an id of its own");
  for (const [index, id] of (expected.ids ?? []).entries()) {
    if (id === undefined) assert.match(reader.ids[index] ?? "", madeId);
    else assert.equal(reader.ids[index], id);
  }
}

describe("a reply with tool calls", () => {
  for (const expected of toolStreams) {
    const bytes = Buffer.from(expected.events.join(""));

    test(`is read whole, and a byte at a time: ${expected.name}`, () => {
      check(read(bytes, [bytes.length], expected.tools), expected);
      check(read(bytes, [1], expected.tools), expected);
    });

    test(`never looks whole when cut off in a call: ${expected.name}`, () => {
      for (let count = 0; count < expected.events.length; count += 1) {
        const part = expected.events.slice(0, count).join("");
        const reader = read(Buffer.from(part), [Math.max(1, part.length)], expected.tools);
        for (const isBodyWhole of [false, true]) {
          if (!reader.stream.isWhole(isBodyWhole)) continue;
          assert.match(part, /"finish_reason":"|\[DONE\]/);
          for (const { input } of reader.calls) {
            const isLimited = reader.stream.toEnd().finishReason === "length";
            if (!isLimited && input !== "") JSON.parse(input);
          }
        }
      }
    });
  }

  test("tells each piece in the tick in which it comes, and the name of an offered tool at once", () => {
    const reader = new ReplyReader(["get_weather"]);
    const push = (call: object): void => reader.push(Buffer.from(toEvent(toToolChunk(call))));
    push({ index: 0, id: "a", function: { name: "get_weather", arguments: "" } });
    assert.deepEqual(reader.calls, [{ name: "get_weather", input: "" }]);
    for (const [input, so] of [
      ['{"a', '{"a'],
      ['":', '{"a":'],
      ["1}", '{"a":1}'],
    ] as const) {
      push({ index: 0, function: { arguments: input } });
      assert.deepEqual(reader.calls, [{ name: "get_weather", input: so }]);
    }
  });

  test("gives no call an id that an earlier step of the same reply has used", () => {
    const reader = new ReplyReader(["f"], ["call_0"]);
    reader.push(
      Buffer.from(toEvent(toToolChunk({ index: 0, id: "call_0", function: { name: "f", arguments: "{}" } }))),
    );
    assert.match(reader.ids[0] ?? "", madeId);
  });

  test("fails with its 129th call, and with arguments that never get a name", () => {
    const toCall = (index: number): Buffer =>
      Buffer.from(toEvent(toToolChunk({ index, id: `c${index}`, function: { name: "f", arguments: "{}" } })));
    const reader = new ReplyReader(["f"]);
    for (let index = 0; index < 128; index += 1) reader.push(toCall(index));
    assert.throws(() => reader.push(toCall(128)), isInvalid);
    const nameless = new ReplyReader(["f"]);
    const piece = Buffer.from(
      toEvent(toToolChunk({ index: 0, id: "a", function: { arguments: "x".repeat(4_096) } })),
    );
    assert.throws(() => {
      for (let count = 0; count < 100; count += 1) nameless.push(piece);
    }, isInvalid);
    assert.deepEqual(nameless.calls, []);
  });

  test("takes time that grows with its size only, whatever its pieces", () => {
    const names = ["f"];
    const toPiece = (input: string): Buffer =>
      Buffer.from(toEvent(toToolChunk({ index: 0, id: "a", function: { name: "f", arguments: input } })));
    const reader = new ReplyReader(names);
    const piece = toPiece('{"a":"}"},');
    reader.push(toPiece('{"list":['));
    for (let count = 0; count < 50_000; count += 1) reader.push(piece);
    reader.push(toPiece("{}]}"));
    assert.equal(reader.calls.length, 1);
    JSON.parse(reader.calls[0]?.input ?? "");
  });

  test("reads the same however its pieces and bytes are cut", () => {
    const call = fc.record({
      name: fc.constantFrom("get_weather", "get_time", "other"),
      input: fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ unit: "binary", maxLength: 6 }), {
        maxKeys: 3,
      }),
      parts: fc.integer({ min: 1, max: 6 }),
      text: fc.string({ unit: "binary", maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
        (calls, lengths) => {
          const events = calls.flatMap(({ name, input, parts, text }, index) => {
            const json = JSON.stringify(input);
            const size = Math.ceil(json.length / parts);
            return [
              toEvent({ choices: [{ index: 0, delta: { content: text } }] }),
              toEvent(toToolChunk({ index, id: `id-${index}`, function: { name, arguments: "" } })),
              ...Array.from({ length: parts }, (_, part) =>
                toEvent(
                  toToolChunk({ index, function: { arguments: json.slice(part * size, (part + 1) * size) } }),
                ),
              ),
            ];
          });
          const bytes = Buffer.from(`${events.join("")}data: [DONE]\n\n`);
          const reader = read(bytes, lengths, ["get_weather", "get_time"]);
          reader.end();
          assert.deepEqual(
            reader.calls.map(({ name, input }) => [name, input]),
            calls.map(({ name, input }) => [name, JSON.stringify(input)]),
          );
          const text = calls.map((each) => each.text).join("");
          assert.equal(reader.text, text.toWellFormed().replaceAll("\0", "\uFFFD"));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

function isInvalid(error: unknown): boolean {
  return error instanceof AppError && error.code === "model_invalid_stream";
}
