/** The verdict of a soak: which values grow, and which only vary. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findTrend, isGrowing, type Point } from "../../bench/soak/trend.ts";
import { SeededRandom } from "../support/model/seeded-reply.ts";

/** The samples of seven minutes, one each ten seconds. */
function toPoints(toValue: (minute: number) => number): readonly Point[] {
  return Array.from({ length: 43 }, (_, index) => index / 6).map((minute) => ({
    minute,
    value: toValue(minute),
  }));
}

describe("findTrend", () => {
  test("finds a slope, its noise and the growth, however wrong a few points are", () => {
    const random = new SeededRandom("trend");
    const points = toPoints((minute) => 200 + 3 * minute + random.integer(-4, 4)).map(
      ({ minute, value }, index) => ({
        minute,
        value: index % 9 === 0 ? 2_000 : value,
      }),
    );
    const { start, end, slope, low, high, growth } = findTrend(points);
    assert.ok(Math.abs(slope - 3) < 0.7 && low <= slope && slope <= high, `${low} ${slope} ${high}`);
    assert.ok(Math.abs(start - 200) < 6 && Math.abs(end - 221) < 6, `${start} ${end}`);
    assert.ok(Math.abs(growth - 21 / 200) < 0.03, `${growth}`);
  });

  test("needs four points", () => {
    assert.throws(() => findTrend(toPoints(() => 1).slice(0, 3)), /at least four points/);
  });
});

describe("isGrowing", () => {
  const random = new SeededRandom("growth");
  for (const [name, toValue, expected] of [
    ["a leak of 6 %", (minute: number) => 300 + (18 / 7) * minute, true],
    [
      "a leak in a noise as large",
      (minute: number) => 300 + (40 / 7) * minute + random.integer(-30, 30),
      true,
    ],
    ["a leak of 4 %", (minute: number) => 300 + (12 / 7) * minute, false],
    ["noise alone", () => 300 + random.integer(-60, 60), false],
    ["a log that is emptied each minute", (minute: number) => 20 + 30 * (minute % 1), false],
    ["a growth from nothing by less than a step", (minute: number) => minute / 7, false],
    ["a fall", (minute: number) => 300 - 10 * minute, false],
    ["a constant", () => 0, false],
  ] as const)
    test(`says ${expected ? "yes" : "no"} to ${name}`, () => {
      assert.equal(isGrowing(findTrend(toPoints(toValue)), 4), expected);
    });
});
