/**
 * Every recorded response reads the same in any pieces, and counts as whole only by the rules, wherever it is
 * cut off.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AppError, type ErrorCode } from "../../src/base/errors.ts";
import { upstreams } from "../fixtures/model/upstreams.ts";
import { ReplyReader } from "../support/model/reply-reader.ts";
import { toChunk, toEvent } from "../support/model/scripted-model.ts";
import { cutBytes } from "../support/model/split-reply.ts";

/** The content read from a stream. */
interface Read {
  text: string;
  isFinished: boolean;
  isDone: boolean;
  /** Whether it is whole if the connection breaks here, and if the body ends here. */
  isWholeCut: boolean;
  isWholeEnded: boolean;
  code: ErrorCode | undefined;
}

function read(chunks: readonly Buffer[], isEnded = true): Read {
  const reader = new ReplyReader();
  let code: ErrorCode | undefined;
  try {
    for (const chunk of chunks) reader.push(chunk);
    if (isEnded) reader.finish();
  } catch (error) {
    assert.ok(error instanceof AppError);
    reader.flush();
    ({ code } = error);
  }
  const { text, stream } = reader;
  const { isFinished, isDone } = stream;
  return {
    text,
    isFinished,
    isDone,
    isWholeCut: stream.isWhole(false),
    isWholeEnded: stream.isWhole(true),
    code: isFinished ? undefined : code,
  };
}

const toBytes = (body: Buffer): Buffer[] => Array.from(body, (byte) => Buffer.from([byte]));

/** An event of a random stream: its meaning, and its bytes. */
interface Step {
  readonly bytes: string;
  readonly text?: string;
  readonly finish?: true;
  readonly done?: true;
  readonly fails?: true;
}

const steps: readonly Step[] = [
  { bytes: toEvent(toChunk({ content: "a" })), text: "a" },
  { bytes: toEvent(toChunk({ content: "b" })), text: "b" },
  { bytes: toEvent(toChunk({ content: "c" }, "stop")), text: "c", finish: true },
  { bytes: toEvent(toChunk({}, "STOP")), finish: true },
  { bytes: toEvent(toChunk({ reasoning: "hm" }, "stop")), finish: true },
  { bytes: toEvent(toChunk({ content: "" }, "")) },
  { bytes: toEvent(toChunk({}, "error")), fails: true },
  { bytes: toEvent({ error: { message: "no" } }), fails: true },
  { bytes: "event: error\ndata: no\n\n", fails: true },
  { bytes: "data: nonsense\n\n", fails: true },
  { bytes: "event: ping\ndata: nonsense\n\n" },
  { bytes: ": comment\n\n" },
  { bytes: "data: null\n\n" },
  { bytes: toEvent({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }) },
  { bytes: "data: [DONE]\n\n", done: true },
  { bytes: 'data: "[done]" \r\n\r\n', done: true },
];

/** The rules for the end of a reply as they are written, one event after another. */
function readByRules(all: readonly Step[]): Omit<Read, "code"> & { failed: boolean } {
  let [text, isFinished, isDoubtful, isDone, failed] = ["", false, false, false, false];
  for (const step of all) {
    if (failed || isDone) break;
    if (step.done) isDone = true;
    if (step.text !== undefined) {
      isDoubtful ||= isFinished;
      isFinished = false;
      text += step.text;
    }
    if (step.finish && !isDoubtful) isFinished = true;
    if (step.fails && !isFinished) failed = true;
  }
  const isWholeCut = isFinished || (isDone && text !== "");
  return { text, isFinished, isDone, isWholeCut, isWholeEnded: isWholeCut || isDoubtful, failed };
}

describe("a recorded response", () => {
  for (const { name, body, headers } of upstreams.filter(
    (each) => each.headers["content-encoding"] === undefined,
  )) {
    const bytes = Buffer.from(body);
    test(
      `is read the same byte by byte: ${name}`,
      { skip: headers["content-type"] === "application/json" },
      () => {
        const short = bytes.length > 100_000 ? bytes.subarray(0, 2_000) : bytes;
        assert.deepEqual(read(toBytes(short)), read([short]));
      },
    );
  }

  test("that is cut off at any event never looks whole before its finish reason or [DONE]", () => {
    for (const { body } of upstreams.filter(({ code }) => code === undefined)) {
      const events = typeof body === "string" ? body.split("\n\n") : [];
      for (let count = 1; count < events.length; count += 1) {
        const part = events.slice(0, count).join("\n\n");
        const { isWholeCut, isWholeEnded } = read([Buffer.from(`${part}\n\n`)]);
        if (/finish_?reason": ?(?:"\w|\{)|\[done\]/i.test(part)) continue;
        assert.deepEqual([isWholeCut, isWholeEnded], [false, false], part);
      }
    }
  });
});

describe("the end of a reply", () => {
  test("is whole by the rules, and by them alone, for any events in any order, cut anywhere", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...steps), { maxLength: 12 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(10_000)), {
          minLength: 1,
          maxLength: 4,
        }),
        (all, lengths) => {
          const bytes = Buffer.from(all.map((step) => step.bytes).join(""));
          const { code, ...seen } = read(cutBytes(bytes, lengths), false);
          const { failed, ...expected } = readByRules(all);
          assert.equal(code !== undefined, failed);
          if (failed) assert.equal(seen.text, expected.text);
          else assert.deepEqual(seen, expected);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
