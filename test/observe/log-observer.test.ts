/** The log lines of events that are measured. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { describe, test } from "node:test";
import { AppError } from "../../src/base/errors.ts";
import { createLogObserver } from "../../src/observe/log-observer.ts";
import { createLogger } from "../../src/observe/logger.ts";
import type { Observer } from "../../src/turn/observer.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** Returns an observer, its clock, and the lines that it has written. */
function createLog(): {
  readonly observe: Observer;
  readonly clock: ManualClock;
  readonly lines: Record<string, unknown>[];
} {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  const clock = new ManualClock();
  const logger = createLogger({ level: "info", secrets: [] }, stream);
  return { observe: createLogObserver(logger, false, clock), clock, lines };
}

describe("a store call", () => {
  test("gets a line if it took as long as a reply waits for it, and none otherwise, even if it failed", () => {
    const { observe, lines } = createLog();
    const error = new AppError("store_unavailable", "frozen");
    observe({ type: "store-called", function: "chat_end_turn", durationMs: 499, error });
    observe({ type: "store-called", function: "chat_read_turn", durationMs: 500.4, error: undefined });
    observe({ type: "store-called", function: "chat_end_turn", durationMs: 5_000, error });
    assert.deepEqual(
      lines.map(({ level, msg, function: name, durationMs, code }) => [level, msg, name, durationMs, code]),
      [
        [40, "slow store call", "chat_read_turn", 500, undefined],
        [40, "slow store call", "chat_end_turn", 5_000, "store_unavailable"],
      ],
    );
  });

  test("gets no line of its own after 30 slow ones in 30 s; one line counts the others by function", () => {
    const { observe, clock, lines } = createLog();
    for (let index = 0; index < 34; index += 1) {
      const name = index % 2 === 0 ? "chat_end_turn" : "chat_read_turn";
      observe({ type: "store-called", function: name, durationMs: 900, error: undefined });
    }
    assert.equal(lines.length, 30);
    clock.advance(30_000);
    const { msg, count, functions } = lines.at(-1) ?? {};
    assert.equal(msg, "more store calls were slow, without a line each");
    assert.deepEqual([count, functions], [4, { chat_end_turn: 2, chat_read_turn: 2 }]);
    observe({ type: "store-called", function: "chat_end_turn", durationMs: 900, error: undefined });
    assert.equal(lines.length, 32);
  });
});
