/** Long JSON is the text that `JSON.stringify` returns, whatever its strings are cut into. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { joinJson, maxAtOnceLength, toJsonBytes, toJsonText } from "../../../src/base/json/long-json.ts";
import { pickCount } from "../../support/process/thoroughness.ts";

const unit = fc.constantFrom("a", "é", "“", "😀", "\ud83d", "\ude00", "\\", '"', "\n", "\u0000", "\u2028");
const long = fc
  .tuple(fc.array(unit, { maxLength: 4 }), fc.integer({ min: 4_090, max: 4_100 }), fc.constantFrom(1, 16, 33))
  .map(
    ([units, length, times]) => units.join("") + "x".repeat(length * times - 1) + units.join("").repeat(3),
  );
const value = fc.dictionary(
  fc.constantFrom("a", "b", "__proto__", "toJSON", "long", ""),
  fc.oneof(
    long,
    unit,
    fc.array(fc.oneof(long, fc.constantFrom(null, 1, true, "", undefined)), { maxLength: 3 }),
  ),
);

describe("toJsonText", { timeout: 60_000 }, () => {
  test("has the text and the bytes of JSON.stringify", async () => {
    await fc.assert(
      fc.asyncProperty(value, async (made) => {
        const expected = JSON.stringify(made);
        assert.equal(toJsonText(made, maxAtOnceLength), expected);
        const text = toJsonText(made, maxAtOnceLength + 1);
        assert.ok(typeof text !== "string" && joinJson(text) === expected);
        const bytes = await toJsonBytes(text);
        assert.ok(bytes.equals(Buffer.from(expected)));
      }),
      { numRuns: pickCount(60, 2_000) },
    );
  });

  test("cuts no pair of surrogates, wherever it stands", () => {
    for (let before = 65_530; before < 65_540; before += 1) {
      const text = `${"x".repeat(before)}😀\ud83d😀${"é".repeat(70_000)}😀`;
      assert.ok(joinJson(toJsonText([text], maxAtOnceLength + 1)) === JSON.stringify([text]));
    }
  });
});
