/** The cost of tokens by their prices. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toDecimal } from "../../../src/base/money.ts";
import { Pricing, toCost, toReservedCost, type Price } from "../../../src/turn/budget/prices.ts";

const gpt: Price = { input: 1.25, cachedInput: 0.125, output: 10 };

describe("toCost", () => {
  test("counts cached input and reasoning once, at their own prices", () => {
    const tokens = { inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 200, reasoningTokens: 50 };
    assert.equal(toDecimal(toCost(tokens, gpt)), "0.0028");
    assert.equal(toDecimal(toCost(tokens, { ...gpt, reasoning: 20 })), "0.0033");
    assert.equal(toDecimal(toCost(tokens, { input: 1.25, output: 10 })), "0.00325");
  });

  test("believes no part that is larger than the whole", () => {
    const odd = { inputTokens: 10, cachedInputTokens: 50, outputTokens: 5, reasoningTokens: 70 };
    assert.equal(toDecimal(toCost(odd, { ...gpt, reasoning: 20 })), "0.00010125");
  });

  test("of many turns is that of their tokens together, at any price with up to nine decimals", () => {
    const count = fc.nat(2 ** 31);
    const price = fc.nat(10 ** 12).map((nanos) => Number(`${nanos}e-9`));
    const turn = fc.record({ inputTokens: count, outputTokens: count });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 20 }), price, price, (turns, input, output) => {
        const sum = (name: "inputTokens" | "outputTokens"): number =>
          turns.reduce((total, each) => total + each[name], 0);
        const whole = { inputTokens: sum("inputTokens"), outputTokens: sum("outputTokens") };
        const costs = turns.map((each) => toCost(each, { input, output }));
        assert.equal(
          costs.reduce((one, other) => one + other, 0n),
          toCost(whole, { input, output }),
        );
      }),
    );
  });

  test("is never more than was reserved for as many tokens", () => {
    const count = fc.nat(10 ** 9);
    const price = fc.nat(10 ** 9).map((micros) => micros / 1e6);
    fc.assert(
      fc.property(
        fc.record({
          inputTokens: count,
          cachedInputTokens: count,
          outputTokens: count,
          reasoningTokens: count,
        }),
        fc.record({ input: price, cachedInput: price, output: price, reasoning: price }),
        (tokens, own) => {
          const reserved = new Pricing(new Map([["m", own]])).findReserved("m");
          assert.ok(toCost(tokens, own) <= toReservedCost(tokens, reserved));
        },
      ),
    );
  });
});

describe("Pricing", () => {
  const prices = new Map([
    ["gpt-5", gpt],
    ["gpt-5-2025-08-07", { input: 9, output: 9 }],
    ["other", { input: 2, output: 4, reasoning: 12 }],
  ]);
  const pricing = new Pricing(
    prices,
    new Map([
      ["gpt-5", ["other"]],
      ["free", ["gpt-5"]],
      ["mixed", ["other", "free"]],
    ]),
  );
  const tokens = { inputTokens: 1_000_000, outputTokens: 0 };

  test("finds a dated name's own price, else the plain one's, else that of the model asked for", () => {
    const costOf = (model: string, asked: string): string | undefined => {
      const cost = pricing.toCost(model, asked, tokens);
      return cost === undefined ? undefined : toDecimal(cost);
    };
    assert.equal(costOf("gpt-5-2025-08-07", "gpt-5"), "9");
    assert.equal(costOf("gpt-5-20260102", "other"), "1.25");
    assert.equal(costOf("routed/elsewhere", "other"), "2");
    assert.equal(costOf("routed/elsewhere", "unknown"), undefined);
    assert.equal(costOf("free", "gpt-5"), undefined, "a configured model without a price");
    assert.equal(pricing.toCost("unknown", "unknown", { inputTokens: 0, outputTokens: 0 }), 0n);
  });

  test("reserves at the highest prices of a model and its fallbacks, if each has one", () => {
    assert.deepEqual(pricing.findReserved("gpt-5"), { input: 2, output: 12 });
    assert.deepEqual(pricing.findReserved("other"), { input: 2, output: 12 });
    assert.equal(pricing.findReserved("unknown"), undefined);
    assert.equal(pricing.findReserved("free"), undefined);
    assert.equal(pricing.findReserved("mixed"), undefined);
  });
});
