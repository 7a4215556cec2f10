/** Amounts of money are exact, whatever is added up. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addAmounts, fromMicros, toDecimal, toMicros, toMoney, toShownMoney } from "../../src/base/money.ts";

describe("toMoney", () => {
  test("reads the decimal that a number stands for, in any of its forms", () => {
    for (const [amount, decimal] of [
      [0.1, "0.1"],
      ["0.10", "0.1"],
      [1e-7, "0.0000001"],
      [1.5e21, "1500000000000000000000"],
      ["-2.5", "-2.5"],
      ["0.0000000000000005", "0.000000000000001"],
      ["0.0000000000000004", "0"],
      [Number.MIN_VALUE, "0"],
      [Number.MAX_VALUE, `1${"0".repeat(40)}`],
    ] as const)
      assert.equal(toDecimal(toMoney(amount)), decimal);
    for (const wrong of ["", "1,5", "0x10", "1e", "NaN", NaN, Infinity])
      assert.throws(() => toMoney(wrong), RangeError, String(wrong));
  });

  test("adds up without drift: ten thousand tenths are a thousand", () => {
    const sum = Array.from({ length: 10_000 }, () => toMoney(0.1)).reduce((one, other) => one + other);
    assert.equal(toDecimal(sum), "1000");
    assert.equal(addAmounts(0.1, 0.2), 0.3);
  });

  test("is the inverse of toDecimal", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (money) => {
        assert.equal(toMoney(toDecimal(money)), money);
      }),
    );
  });
});

describe("toMicros", () => {
  test("rounds down, so that no more is promised than is left; a shown cost is rounded up", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 23n), max: 10n ** 23n }), (money) => {
        const [below, above] = [fromMicros(toMicros(money)), toMoney(toShownMoney(money, true))];
        assert.ok(below <= money && money <= above);
        assert.ok(above - below <= fromMicros(1));
        assert.equal(toMoney(toShownMoney(money)), below);
      }),
    );
  });
});
