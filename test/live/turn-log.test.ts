/** The log's promise: every reader, from any place and any number of times, reads exactly the body. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import { textPageBytes } from "../../src/base/sizes.ts";
import { TurnLog } from "../../src/live/log/turn-log.ts";
import { SpillFile } from "../../src/store/spill/spill-file.ts";
import type { TextSpill } from "../../src/turn/records.ts";
import { BodyReader, boundaryBytes } from "../../src/turn/body.ts";
import { boundary } from "../../src/turn/reply/boundary.ts";
import { toPlainText } from "../../src/wires/foreword/plain-text.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

const runs = 10_000;
const alphabet = ["a", "é", "語", "🙂", "\n", "---", "x".repeat(300)];

/** Numbers from 0 to 1 from a seed, so that a failure can be repeated. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Appends a random reply, of `count` events, in random steps; `between` is called after each. */
class RandomReply {
  readonly log: TurnLog;
  body = "";
  #events = 0;
  readonly #random: () => number;
  readonly #count: number;
  readonly #planCount: number;
  /** How often each text is repeated: some replies are long. */
  readonly #repeats: number;

  constructor(random: () => number, spill?: TextSpill) {
    this.log = new TurnLog(spill);
    this.#random = random;
    this.#repeats = spill !== undefined && random() < 0.01 ? 100 : 1;
    this.#count = 2 + Math.floor(random() * (this.#repeats === 1 && random() < 0.1 ? 1_200 : 30));
    this.#planCount = Math.floor(random() * this.#count);
    this.log.append({
      type: "turn-start",
      turnId: "t",
      conversationId: "c",
      model: "m",
      startedAt: new Date(),
    });
  }

  get isOver(): boolean {
    return this.log.end !== undefined;
  }

  step(): void {
    if (this.#events === this.#count) {
      this.log.append({
        type: "turn-end",
        outcome: "complete",
        position: this.log.position,
        finishReason: "stop",
        usage: undefined,
        error: undefined,
        model: "m",
        durationMs: 1,
        firstTextMs: 1,
        storage: "stored",
      });
      return;
    }
    const isBoundary = this.#events === this.#planCount;
    const letter = alphabet[Math.floor(this.#random() * alphabet.length)] ?? "";
    const text = isBoundary ? boundary : letter.repeat(this.#repeats);
    const position = this.log.position + (isBoundary ? boundaryBytes : Buffer.byteLength(text));
    if (isBoundary) this.log.append({ type: "plan-end", position });
    else
      this.log.append({
        type: this.#events < this.#planCount ? "plan-delta" : "answer-delta",
        text,
        position,
      });
    this.#events += 1;
    this.body += text;
  }
}

/** Reads the log from the byte `after` on, at most `most` events. */
function readSome(log: TurnLog, after: number, most: number): { bytes: Buffer; isOver: boolean } {
  const cursor = log.read(after);
  const chunks: Buffer[] = [];
  for (let count = 0; count < most; count += 1) {
    const event = cursor.next();
    if (event === undefined) break;
    if (event.type === "turn-end") return { bytes: Buffer.concat(chunks), isOver: true };
    chunks.push(Buffer.from(toPlainText(event)).subarray(cursor.skipBytes));
  }
  return { bytes: Buffer.concat(chunks), isOver: false };
}

describe("TurnLog", () => {
  test(`is read byte-exact by a follower that is cut at any byte and resumes there, ${runs} times`, async (context) => {
    const file = new SpillFile(join(await makeTestFolder(context), "spill"), systemClock, (error) => {
      throw error;
    });
    context.after(() => file.close());
    let reads = 0;
    const spill: TextSpill = {
      write: async (bytes) => {
        const text = await file.write(bytes);
        const read = (): Buffer => {
          reads += 1;
          return text?.read() ?? assert.fail();
        };
        return text && { read };
      },
    };
    const seed = Date.now() % 2 ** 31;
    const random = createRandom(seed);
    let cuts = 0;
    let different = 0;
    for (let run = 0; run < runs; run += 1) {
      const reply = new RandomReply(random, spill);
      let seen = Buffer.alloc(0);
      for (let isOver = false; !isOver;) {
        while (!reply.isOver && random() < 0.9) reply.step();
        if (reply.log.position > textPageBytes) await nextTurn(); // pages may get to disk
        const part = readSome(reply.log, seen.length, random() < 0.5 ? 1 + random() * 8 : Infinity);
        // A connection is cut at any byte, inside characters and the boundary too; without the end that came
        // with it.
        const isCut = random() < 0.5;
        const kept = isCut
          ? part.bytes.subarray(0, Math.floor(random() * (part.bytes.length + 1)))
          : part.bytes;
        seen = Buffer.concat([seen, kept]);
        isOver = part.isOver && !isCut;
        cuts += isCut ? 1 : 0;
      }
      if (!seen.equals(Buffer.from(reply.body))) different += 1;
    }
    context.diagnostic(
      `figure: cuts ${cuts} in ${runs} replies, replies that differ ${different}, pages read from disk ${reads}, seed ${seed}`,
    );
    assert.ok(reads > 20, `${reads} pages were read from disk`);
    assert.equal(different, 0, `seed ${seed}`);
  });

  test("keeps reasoning, and resumes it at any of its bytes", () => {
    const log = new TurnLog();
    let ordinal = 0;
    const think = (text: string): void => {
      ordinal += Buffer.byteLength(text);
      log.append({ type: "reasoning-delta", text, position: log.position, ordinal });
    };
    const say = (text: string): void => {
      ordinal = 0;
      log.append({ type: "answer-delta", text, position: log.position + Buffer.byteLength(text) });
    };
    const readAll = (cursor: ReturnType<TurnLog["read"]>): string => {
      let seen = "";
      for (let event = cursor.next(); event !== undefined; event = cursor.next())
        if (event.type === "reasoning-delta") seen += `(${event.text})`;
        else if (event.type === "answer-delta") seen += event.text.slice(cursor.skipBytes);
      return seen;
    };
    const cursor = log.read();
    think("a");
    assert.equal(readAll(cursor), "(a)");
    say("one");
    think("bé");
    assert.equal(readAll(cursor), "one(bé)");
    assert.equal(readAll(log.read()), "(a)one(bé)");
    assert.equal(readAll(log.read(2)), "e(bé)");
    assert.equal(readAll(log.read(3, 1)), "(é)");
    const resumed = log.read(3, 3);
    assert.equal(readAll(resumed), "");
    think("c");
    assert.equal(readAll(resumed), "(c)");
    for (let index = 0; index < 1_000; index += 1) think("x");
    say("two");
    assert.equal(log.textAfter(0), "onetwo");
    assert.equal(readAll(cursor).replaceAll(/[(x)]/g, ""), "ctwo");
    assert.equal(readAll(log.read(3, 500)).replaceAll(/[()]/g, ""), `${"x".repeat(504)}two`);
    const [first, second, ...others] = log.itemsAfter();
    assert.deepEqual(
      [first, second],
      [
        { type: "reasoning-delta", text: "a", position: 0, ordinal: 1 },
        { type: "reasoning-delta", text: `béc${"x".repeat(1_000)}`, position: 3, ordinal: 1_004 },
      ],
    );
    assert.equal(others.length, 0);
  });

  test("is read by followers at different places, each at its own pace, while it grows", () => {
    const random = createRandom(7);
    for (let run = 0; run < 300; run += 1) {
      const reply = new RandomReply(random);
      const followers = Array.from({ length: 3 }, () => ({
        cursor: reply.log.read(),
        text: "",
        isOver: false,
      }));
      while (followers.some(({ isOver }) => !isOver)) {
        if (!reply.isOver) reply.step();
        for (const follower of followers) {
          if (random() < 0.5) continue;
          const event = follower.cursor.next();
          if (event?.type === "turn-end") follower.isOver = true;
          else if (event !== undefined)
            follower.text += Buffer.from(toPlainText(event)).subarray(follower.cursor.skipBytes).toString();
        }
      }
      for (const { text } of followers) assert.equal(text, reply.body);
    }
  });

  test("returns the text after any earlier end, however many events came since", () => {
    const random = createRandom(11);
    for (let run = 0; run < 300; run += 1) {
      const reply = new RandomReply(random);
      let saved = "";
      while (!reply.isOver) {
        reply.step();
        if (random() < 0.02) saved += reply.log.textAfter(Buffer.byteLength(saved));
      }
      saved += reply.log.textAfter(Buffer.byteLength(saved));
      assert.equal(saved, reply.body);
    }
  });

  test("gives no bytes for a position beyond the end, then the end, once", () => {
    const reply = new RandomReply(createRandom(3));
    while (!reply.isOver) reply.step();
    const cursor = reply.log.read(reply.log.position + 1_000);
    assert.equal(cursor.next()?.type, "turn-end");
    assert.equal(cursor.next(), undefined);
  });

  test("joins small pieces, so that a reply of a million of them is not a million events", () => {
    const log = new TurnLog();
    for (let position = 1; position <= 1_000_000; position += 1)
      log.append({ type: "answer-delta", text: "x", position });
    const cursor = log.read();
    let events = 0;
    while (cursor.next() !== undefined) events += 1;
    assert.ok(events < 5_000, `${events} events`);
  });
});

describe("BodyReader", () => {
  test("finds plan, boundary and answer in a body that comes in pieces between events", () => {
    const reader = new BodyReader();
    const events = ["- plan", `${boundary}an`, `swer${boundary}`].flatMap((text) => reader.read(text));
    assert.deepEqual(
      events.map((event) => [event.type, toPlainText(event)]),
      [
        ["plan-delta", "- plan"],
        ["plan-end", boundary],
        ["answer-delta", "an"],
        ["answer-delta", `swer${boundary}`],
      ],
    );
    assert.equal(reader.position, Buffer.byteLength(`- plan${boundary}answer${boundary}`));
  });

  test("makes many events of a long text, none of which is cut inside a character", () => {
    const answer = "é🙂".repeat(100_000);
    const events = new BodyReader().read(`- p${boundary}${answer}`);
    assert.ok(events.length > 10);
    let position = 0;
    for (const event of events) {
      position += Buffer.byteLength(toPlainText(event));
      assert.equal(event.position, position);
      assert.ok(toPlainText(event).isWellFormed() && toPlainText(event).length <= 16 * 1024);
    }
    assert.equal(events.map(toPlainText).join(""), `- p${boundary}${answer}`);
  });
});
