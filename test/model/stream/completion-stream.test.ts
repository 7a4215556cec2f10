/** Reading a model's bytes, in whatever pieces they come. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { CompletionStream } from "../../../src/model/stream/completion-stream.ts";
import { SseReader } from "../../../src/model/stream/sse-reader.ts";
import { toChunk, toEvent } from "../../support/model/scripted-model.ts";
import { ReplyReader } from "../../support/model/reply-reader.ts";
import { cutBytes } from "../../support/model/split-reply.ts";

type Event = readonly [name: string, data: string];

function readEvents(chunks: readonly Uint8Array[]): Event[] {
  const events: Event[] = [];
  const reader = new SseReader((data, name) => events.push([name, data]));
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  return events;
}

/** The format exactly as in the specification, with no regard for speed or streaming. */
function readBySpecification(text: string): Event[] {
  const events: Event[] = [];
  let [data, name]: [string[], string] = [[], ""];
  const dispatch = (): void => {
    if (data.length > 0) events.push([name === "" ? "message" : name, data.join("\n")]);
    [data, name] = [[], ""];
  };
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/)) {
    if (line === "") dispatch();
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (field === "data") data.push(value);
    if (field === "event") name = value;
  }
  dispatch();
  return events;
}

const piece = fc.constantFrom(
  "data",
  "data:",
  "data: ",
  "data:  two",
  ": comment",
  "event: error",
  "event:",
  "id: 7",
  "retry: 1",
  "x",
  ":",
  "\n",
  "\n\n",
  "\r",
  "\r\n",
  "\r\n\r\n",
  "ä漢😀",
  "\uFEFF",
  "{}",
);

describe("SseReader", () => {
  test("agrees with the specification on any stream, cut anywhere, even inside characters", () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (pieces, lengths) => {
          const text = pieces.join("");
          const expected = readBySpecification(text);
          assert.deepEqual(readEvents(cutBytes(Buffer.from(text), lengths)), expected);
          assert.deepEqual(readEvents([Buffer.from(text)]), expected);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test("refuses a line over 1 MiB before it has ended, and an event of that size", () => {
    const reader = new SseReader(() => {});
    assert.throws(
      () => {
        for (let sent = 0; sent < 20; sent += 1) reader.push(Buffer.alloc(64 * 1024, "x"));
      },
      { code: "model_invalid_stream" },
    );
    const lines = new SseReader(() => {});
    assert.throws(
      () => {
        for (let sent = 0; sent < 20; sent += 1) lines.push(Buffer.from(`data: ${"x".repeat(64 * 1024)}\n`));
      },
      { code: "model_invalid_stream" },
    );
  });
});

describe("CompletionStream", () => {
  function read(bytes: Buffer, lengths: readonly number[]): { text: string; stream: CompletionStream } {
    const reader = new ReplyReader();
    for (const chunk of cutBytes(bytes, lengths)) reader.push(chunk);
    reader.finish();
    return reader;
  }

  test("returns the text however deltas and bytes are cut, even inside characters", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary", maxLength: 12 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (strings, lengths) => {
          const text = strings.join("").replaceAll("\0", "");
          const deltas = text.split("").map((unit) => toEvent(toChunk({ content: unit })));
          const bytes = Buffer.from(`${deltas.join("")}${toEvent(toChunk({}, "stop"))}data: [DONE]\n\n`);
          const { text: seen, stream } = read(bytes, lengths);
          assert.equal(seen, text.toWellFormed());
          assert.ok(stream.isWhole(false) && stream.isDone);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("turns a NUL and half of a character into U+FFFD", () => {
    const { text } = read(
      Buffer.from(toEvent(toChunk({ content: "a\0b\ud800" })) + toEvent(toChunk({ content: "c" }, "stop"))),
      [7],
    );
    assert.equal(text, "a\uFFFDb\uFFFDc");
  });

  test("reads the variants of servers: parts, a refusal, other choices, null deltas, usage before the end", () => {
    const events = [
      { choices: [] },
      { choices: [{ index: 0, delta: { role: "assistant", content: null } }] },
      { choices: [{ delta: { content: [{ type: "thinking" }, { type: "text", text: "a" }] } }] },
      { choices: [{ index: 1, delta: { content: "other" } }] },
      { choices: [{ index: 0, delta: { refusal: "b" } }] },
      { choices: [{ index: 0, delta: { reasoning_content: "hidden", content: "" } }] },
      { model: "m-2", choices: [{ index: 0, delta: null, finish_reason: "content_filter" }] },
      {
        choices: [],
        usage: {
          prompt_tokens: 3,
          completion_tokens: 4,
          completion_tokens_details: { reasoning_tokens: 2 },
          prompt_tokens_details: null,
        },
      },
    ];
    const { text, stream } = read(Buffer.from(events.map(toEvent).join("")), [11]);
    assert.equal(text, "ab");
    assert.deepEqual(stream.toEnd(), {
      finishReason: "content-filter",
      model: "m-2",
      usage: { inputTokens: 3, outputTokens: 4, reasoningTokens: 2 },
    });
  });
});
