/** The client reads event streams by the standard, however their bytes are cut. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import {
  EventSourceReader,
  type EventSourceMessage,
} from "../../packages/foreword-client/src/event-source-reader.ts";

/** Reads `bytes` in pieces of `lengths`, over and over. */
function read(bytes: Uint8Array, lengths: readonly number[]): EventSourceMessage[] {
  const reader = new EventSourceReader();
  const messages: EventSourceMessage[] = [];
  for (let start = 0, next = 0; start < bytes.length; next += 1) {
    const length = lengths[next % lengths.length] ?? 1;
    messages.push(...reader.push(bytes.subarray(start, start + length)));
    start += length;
  }
  return messages;
}

/** Reads with another implementation of the standard. */
function readElsewhere(text: string): EventSourceMessage[] {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => messages.push({ event: event ?? "message", data }),
  });
  parser.feed(text);
  return messages;
}

const parts = `data|data:|data: |event: |id: 7|retry: 10|other: z|: comment|:| |ä|漢|😀|\uFEFF|\0`.split("|");
const piece = fc.oneof(
  fc.constantFrom("\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "data: x\ndata: y\n\n"),
  fc.constantFrom(...parts),
  fc.string({ unit: "grapheme", maxLength: 6 }),
);
const arbitraryStream = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
const arbitraryLengths = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });

describe("an event-source reader", () => {
  test("reads the same as another implementation, whatever the stream and wherever it is cut", () => {
    fc.assert(
      fc.property(arbitraryStream, arbitraryLengths, (stream, lengths) => {
        // A CR at the very end may be half a line end: complete it.
        const text = `${stream.toWellFormed()}:`;
        assert.deepEqual(read(new TextEncoder().encode(text), lengths), readElsewhere(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test("joins the lines of a message, and names one that has no name", () => {
    const bytes = new TextEncoder().encode("event: a\r\ndata: 1\r\ndata:2\rdata\n\ndata: x\n\n");
    for (let length = 1; length <= bytes.length; length += 1)
      assert.deepEqual(read(bytes, [length]), [
        { event: "a", data: "1\n2\n" },
        { event: "message", data: "x" },
      ]);
  });

  test("delivers a message only with its blank line, even if that is a CR alone", () => {
    const reader = new EventSourceReader();
    const push = (text: string): readonly EventSourceMessage[] => reader.push(new TextEncoder().encode(text));
    assert.deepEqual(push("data: x\r"), []);
    assert.deepEqual(push("\r"), [{ event: "message", data: "x" }]);
    assert.deepEqual(push("\ndata: y\n"), []);
    assert.deepEqual(push("\n"), [{ event: "message", data: "y" }]);
  });

  test("reads a message of 16 MiB, and throws at a longer one, in one line or many", () => {
    const mebibyte = 1024 * 1024;
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    const whole = `data:${"x".repeat(16 * mebibyte - 5)}`;
    const reader = new EventSourceReader();
    for (let time = 0; time < 2; time += 1)
      assert.equal(reader.push(encode(`${whole}\n\n`))[0]?.data.length, 16 * mebibyte - 5);
    assert.deepEqual(reader.push(encode(whole)), []);
    assert.throws(() => reader.push(encode("x")), RangeError);
    const other = new EventSourceReader();
    const lines = encode(`data:${"x".repeat(59)}\n`.repeat(mebibyte / 64));
    for (let pushed = 0; pushed < 16; pushed += 1) assert.deepEqual(other.push(lines), []);
    assert.throws(() => other.push(encode("data:x")), RangeError);
  });

  test("reads heartbeats and messages without end", () => {
    const reader = new EventSourceReader();
    const beats = new TextEncoder().encode(`: ${"x".repeat(1_020)}\n\ndata: x\n\n`.repeat(1_024));
    for (let mebibytes = 0; mebibytes < 20; mebibytes += 1) assert.equal(reader.push(beats).length, 1_024);
  });
});
