/** The settings of budgets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toMoney } from "../../src/base/money.ts";
import { ConfigError, parseConfig } from "../../src/config/config.ts";

function problemsOf(variables: Record<string, string>): readonly string[] {
  try {
    return (parseConfig(variables), []);
  } catch (error) {
    return error instanceof ConfigError ? error.problems : assert.fail(String(error));
  }
}

describe("the settings of budgets", () => {
  test("refuse a budget that would not count: of a model without a price, of no user, of an unknown key", () => {
    const prices = JSON.stringify({ m: { input: 1, output: 2 } });
    const model = { OPENAI_API_KEY: "k", OPENAI_MODEL: "m-2026-11-28", MODEL_PRICES: prices };
    const key = "k".repeat(24);
    const keyed = { AUTH: "keys", API_KEYS: `web:${key}` };
    const budget = { LIMIT_COST_PER_DAY: "2.50" };
    assert.deepEqual(problemsOf({ ...model, ...keyed, ...budget }), []);
    assert.equal(parseConfig({ ...model, ...keyed, ...budget }).app.limits.costPerDay, toMoney("2.5"));
    assert.deepEqual(problemsOf({ ...model, ...keyed, ...budget, OPENAI_MODEL: "n" }), [
      "LIMIT_COST_PER_DAY needs the price of each model, and has none of n: add it to MODEL_PRICES",
    ]);
    const titled = problemsOf({ ...model, ...keyed, ...budget, TITLE_MODEL: "t" });
    assert.match(titled.join(), /has none of t: add it to MODEL_PRICES$/);
    assert.match(
      problemsOf({ ...model, ...budget }).join(),
      /^LIMIT_COST_PER_DAY requires AUTH=supabase or AUTH=keys/,
    );
    for (const wrong of ["-1", "1,5", "1e3", "0.1234567", "100000001", "NaN", "$5"])
      assert.match(
        problemsOf({ ...model, ...keyed, LIMIT_COST_PER_DAY: wrong }).join(),
        /^LIMIT_COST_PER_DAY must be an amount from 0 to 100000000 like 2\.50, with a point/,
      );
    const ofKeys = (value: string): readonly string[] =>
      problemsOf({ ...model, ...keyed, LIMIT_KEY_COST_PER_DAY: value });
    for (const right of ["50", "web:50", " web : 0.5 , 20"]) assert.deepEqual(ofKeys(right), []);
    for (const wrong of ["web:", "web:5:6", "web", "5,6", "web:1,web:2", ",", "web:1,"])
      assert.match(ofKeys(wrong).join(), /^LIMIT_KEY_COST_PER_DAY /, wrong);
    assert.deepEqual(ofKeys("web:1,wep:2"), [
      "LIMIT_KEY_COST_PER_DAY names wep, which is no key's name in API_KEYS",
    ]);
    const open = problemsOf({ ...model, LIMIT_KEY_COST_PER_DAY: "5" });
    assert.deepEqual(open, ["LIMIT_KEY_COST_PER_DAY requires AUTH=keys"]);
    assert.deepEqual(problemsOf({ ...keyed, ...budget }), [], "the demo model costs nothing");
  });
});
