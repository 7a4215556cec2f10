/** Repeating work: its pauses, and its end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Repeating } from "../../src/base/repeating.ts";
import { ManualClock } from "../support/manual-clock.ts";

describe("Repeating", () => {
  test("runs at once, and again a pause after the end of each run", async () => {
    const clock = new ManualClock();
    const runs: PromiseWithResolvers<number>[] = [];
    const repeating = new Repeating(clock, async () => {
      const run = Promise.withResolvers<number>();
      runs.push(run);
      return await run.promise;
    });
    assert.equal(runs.length, 1);
    clock.advance(60_000);
    assert.equal(runs.length, 1, "no run starts during another");
    runs[0]?.resolve(500);
    await clock.timer(500);
    clock.advance(499);
    assert.equal(runs.length, 1);
    clock.advance(1);
    assert.equal(runs.length, 2);
    repeating.close();
  });

  test("starts no run after its close, of which the current run hears", async () => {
    const clock = new ManualClock();
    const signals: AbortSignal[] = [];
    const run = Promise.withResolvers<number>();
    const repeating = new Repeating(clock, async (signal) => {
      signals.push(signal);
      return await run.promise;
    });
    repeating.close();
    assert.equal(signals[0]?.aborted, true);
    run.resolve(0);
    await run.promise;
    clock.advance(60_000);
    assert.equal(signals.length, 1);
  });
});
