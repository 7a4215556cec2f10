/** Deadlines that expire with unread data: the data is read first. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { afterReading, withDeadline } from "../../src/base/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";

describe("afterReading", () => {
  test("fires only after data that had arrived was delivered, which may refresh or cancel it", async () => {
    for (const heard of ["refresh", "cancel"] as const) {
      const clock = new ManualClock();
      const { port1, port2 } = new MessageChannel();
      let isJudged = false;
      const timer = afterReading(clock, 1_000, () => (isJudged = true));
      port2.on("message", () => timer[heard]());
      port1.postMessage("here");
      clock.advance(1_000);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      assert.equal(isJudged, false);
      clock.advance(1_000);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      assert.equal(isJudged, heard === "refresh");
      port1.close();
    }
  });
});

describe("withDeadline", () => {
  test("accepts a result that had arrived, unread, when the deadline passed", async () => {
    const clock = new ManualClock();
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((resolve) => port2.once("message", resolve));
    const work = withDeadline(clock, answer, 5_000);
    port1.postMessage("row");
    clock.advance(60_000);
    assert.equal(await work, "row");
    port1.close();
  });

  test("rejects with store_unavailable if nothing had arrived", async () => {
    const clock = new ManualClock();
    const work = withDeadline(clock, new Promise(() => {}), 5_000);
    clock.advance(60_000);
    await assert.rejects(work, { code: "store_unavailable" });
  });
});
