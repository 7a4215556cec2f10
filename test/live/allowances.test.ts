/** The limits of users' turns as one process counts them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toMoney } from "../../src/base/money.ts";
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

  test("reserves nothing of a day for turns that began on the day before, but counts them as running", () => {
    const clock = new ManualClock();
    const allowances = new Allowances(clock);
    const turn = (): ReturnType<typeof makeTurn> =>
      makeTurn(["u: Hi"], { allowance, startedAt: clock.now() });
    const [first, second] = [turn(), turn()];
    allowances.begin(first);
    allowances.begin(second);
    clock.advance(13 * hourMs);
    assert.equal(allowances.findLimit(turn()), "concurrent-turns");
    allowances.end(first, result);
    assert.equal(allowances.findLimit(turn()), undefined, "the other is reserved on its own day");
    const [third, fourth] = [turn(), turn()];
    allowances.begin(third);
    allowances.end(second, result);
    allowances.begin(fourth);
    const unbound = makeTurn(["u: Hi"], { allowance: { ...allowance, concurrentTurns: undefined } });
    assert.equal(allowances.findLimit(unbound), "tokens-per-day", "its own end gives nothing of today back");
    allowances.end(third);
    assert.equal(allowances.findLimit(unbound), undefined);
  });

  test("counts costs exactly, for the user and for the API key, and tells how much is left", () => {
    const clock = new ManualClock();
    const allowances = new Allowances(clock);
    const toTurn = (user: string): ReturnType<typeof makeTurn> => {
      const limits = { over: undefined, concurrentTurns: undefined, tokensPerDay: undefined };
      const key = { name: "web", costPerDay: toMoney("0.00801") };
      const own = { subject: `user ${user}`, ...limits, costPerDay: toMoney("0.00505"), key };
      const [price, startedAt] = [{ input: 5, output: 2.5 }, clock.now()]; // of a turn: 0.00255
      return makeTurn(["u: Hi"], { price, startedAt, allowance: own });
    };
    const [first, second] = [toTurn("a"), toTurn("a")];
    allowances.begin(first);
    assert.equal(allowances.findLimit(second), "cost-per-day", "what runs is reserved");
    const usage = { inputTokens: 1, outputTokens: 1, toolCalls: 1, toolCost: 0.0005 };
    allowances.end(first, makeResult("Hello", { usage, cost: toMoney("0.002") }));
    assert.equal(allowances.findLimit(second), undefined, "0.0025 and 0.00255 are the whole budget");
    allowances.begin(second);
    const left = [
      { name: "cost-per-day", left: 0 },
      { name: "key-cost-per-day", left: 2_960 },
    ];
    assert.deepEqual(second.allowance && allowances.listLeft(second.allowance), left);
    const other = toTurn("b");
    assert.equal(allowances.findLimit(other), undefined);
    allowances.begin(other);
    assert.equal(allowances.findLimit(toTurn("c")), "key-cost-per-day");
    allowances.end(other);
    allowances.end(second, makeResult("", { usage: undefined, cost: 0n }));
    assert.equal(allowances.findLimit(toTurn("c")), undefined);
  });
});
