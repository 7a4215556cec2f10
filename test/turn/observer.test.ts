/** Several observers in the place of one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { combine } from "../../src/turn/observer.ts";

describe("combine", () => {
  test("tells every observer each event, in their order", () => {
    const told: string[] = [];
    const observe = combine(
      ({ type }) => void told.push(`log: ${type}`),
      ({ type }) => void told.push(`metrics: ${type}`),
    );
    observe({ type: "turn-recovered", turnId: "a" });
    observe({ type: "conversations-expired", count: 2 });
    assert.deepEqual(told, [
      "log: turn-recovered",
      "metrics: turn-recovered",
      "log: conversations-expired",
      "metrics: conversations-expired",
    ]);
  });
});
