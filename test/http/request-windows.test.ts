/** Request windows with slow counters: no share is used in a minute that it was not taken from. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RequestWindows, type RequestCounter, type RequestGrant } from "../../src/http/request-windows.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** Counters that respond when the test tells them to. */
class HeldCounters implements RequestCounter {
  readonly asked: ((grant: RequestGrant) => void)[] = [];

  takeRequests(): Promise<RequestGrant> {
    const { promise, resolve } = Promise.withResolvers<RequestGrant>();
    this.asked.push(resolve);
    return promise;
  }
}

describe("RequestWindows", () => {
  test("ends a minute no later than the counters do, however slow they were", async () => {
    const [clock, counters] = [new ManualClock(), new HeldCounters()];
    const windows = new RequestWindows(20, counters, clock);
    const first = windows.count("a");
    clock.advance(400);
    counters.asked[0]?.({ granted: 2, left: 18, resetsInMs: 60_000 });
    assert.deepEqual(await first, { isOver: false, left: 19, resetsInMs: 59_600 });
    clock.advance(59_600);
    const next = windows.count("a");
    assert.equal(counters.asked.length, 2, "a new minute is asked for");
    counters.asked[1]?.({ granted: 2, left: 18, resetsInMs: 60_000 });
    assert.equal((await next).left, 19);
  });

  test("counts in this process alone after half a second without a response, including earlier requests", async () => {
    const [clock, counters] = [new ManualClock(), new HeldCounters()];
    const windows = new RequestWindows(20, counters, clock);
    const both = [windows.count("a"), windows.count("a")];
    counters.asked[0]?.({ granted: 2, left: 18, resetsInMs: 60_000 });
    await Promise.all(both);
    const third = windows.count("a");
    clock.advance(500);
    assert.deepEqual((await third).left, 17);
    for (let index = 0; index < 17; index += 1) assert.equal((await windows.count("a")).isOver, false);
    assert.equal((await windows.count("a")).isOver, true);
    assert.equal(counters.asked.length, 2);
  });

  test("calls the counters once for all waiting requests, and not at all when nothing is left", async () => {
    const [clock, counters] = [new ManualClock(), new HeldCounters()];
    const windows = new RequestWindows(20, counters, clock);
    const three = [windows.count("a"), windows.count("a"), windows.count("a")];
    assert.equal(counters.asked.length, 1);
    counters.asked[0]?.({ granted: 1, left: 0, resetsInMs: 30_000 });
    const states = await Promise.all(three);
    assert.deepEqual(
      states.map(({ isOver }) => isOver),
      [false, true, true],
    );
    assert.deepEqual(states[2], { isOver: true, left: 0, resetsInMs: 30_000 });
    assert.equal(counters.asked.length, 1);
  });
});
