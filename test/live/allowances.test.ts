/** The limits of users' turns as one process counts them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Allowances } from "../../src/live/allowances.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { makeResult, makeTurn } from "../support/databases/make-turn.ts";

const hourMs = 60 * 60_000;

describe("Allowances", () => {
  const allowance = { subject: "user a", over: undefined, concurrentTurns: 2, tokensPerDay: 3_000 };
  const result = makeResult("Hello", { usage: { inputTokens: 1_000, outputTokens: 1_500 } });

  test("counts a turn for the day on which it began, as the store does, and its reservation while it runs", () => {
    const clock = new ManualClock(); // at noon
    const allowances = new Allowances(clock);
    const turn = (): ReturnType<typeof makeTurn> =>
      makeTurn(["u: Hi"], { allowance, startedAt: clock.now() });
    const first = turn();
    allowances.begin(first);
    clock.advance(13 * hourMs);
    allowances.end(first, result);
    assert.equal(allowances.findLimit(turn()), undefined, "that was yesterday's");
    const [second, third] = [turn(), turn()];
    allowances.begin(second);
    assert.equal(allowances.findLimit(third), undefined);
    allowances.begin(third);
    assert.equal(allowances.findLimit(turn()), "concurrent-turns");
    const unbound = makeTurn(["u: Hi"], { allowance: { ...allowance, concurrentTurns: undefined } });
    assert.equal(allowances.findLimit(unbound), "tokens-per-day", "what runs is reserved");
    allowances.end(third); // it never began
    assert.equal(allowances.findLimit(turn()), undefined);
    allowances.end(second, result);
    assert.equal(allowances.findLimit(turn()), "tokens-per-day");
    clock.advance(24 * hourMs);
    assert.equal(allowances.findLimit(turn()), undefined);
  });
});
