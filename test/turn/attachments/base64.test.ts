/** Base64 is checked by decoding, and exactly as its pattern says. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBase64 } from "../../../src/turn/attachments/base64.ts";
import { pickCount } from "../../support/process/thoroughness.ts";

const pattern = /^[A-Za-z0-9+/]+={0,2}$/;

function assertSame(data: string): void {
  const expected = data.length % 4 === 0 && pattern.test(data);
  assert.equal(isBase64(data), expected, JSON.stringify(data.slice(0, 100)));
}

describe("isBase64", { timeout: 60_000 }, () => {
  test("accepts what the pattern accepts, and nothing else", () => {
    // U+0141 and U+2041 have the low byte of A; `-` and `_` are of another base64.
    const character = fc.constantFrom(
      "A",
      "z",
      "9",
      "+",
      "/",
      "=",
      "-",
      "_",
      "\n",
      " ",
      "\u0141",
      "\u2041",
      "é",
    );
    const word = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant("Qk") }, character), { maxLength: 6 });
    fc.assert(
      fc.property(word, fc.nat(3), fc.constantFrom("", "=", "==", "==="), (parts, count, padding) => {
        const data = parts.join("") + "B".repeat(count) + padding;
        assertSame(data);
        assertSame(`${"AbC/".repeat(16_384)}${data}${"+def".repeat(10)}`);
      }),
      { numRuns: pickCount(500, 50_000) },
    );
  });

  test("finds a single wrong character wherever it stands in a large file", () => {
    const data = "0aZ/".repeat(50_000);
    assertSame(data);
    for (const place of [0, 65_535, 65_536, 131_071, data.length - 3, data.length - 1])
      for (const wrong of ["=", "\n", "-", "\u0141"])
        assertSame(data.slice(0, place) + wrong + data.slice(place + 1));
  });
});
