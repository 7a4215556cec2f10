/** Titles of conversations: whole characters, as a reader sees them, within 40 code points. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toTitle } from "../../src/turn/message.ts";

const family = "👨‍👩‍👧‍👦";
const texts: readonly [string, string, string][] = [
  ["of 40 code points", "🙂".repeat(40), "🙂".repeat(40)],
  ["of more", "🙂".repeat(41), "🙂".repeat(40)],
  ["whose 40th code point is the middle of a family", "x".repeat(39) + family, "x".repeat(39)],
  ["with a family that just fits", "x".repeat(33) + family + "y", "x".repeat(33) + family],
  ["whose 40th letter has a mark after it", `${"x".repeat(39)}e\u0301clair`, "x".repeat(39)],
  ["whose 40th code point is half of a flag", `${"x".repeat(39)}🇸🇪`, "x".repeat(39)],
  ["in Hindi", `${"x".repeat(38)}क्षि`, "x".repeat(38)],
  ["of one letter with 100 marks", `e${"\u0301".repeat(100)}`, `e${"\u0301".repeat(39)}`],
  ["with white space at the cut", `${"x".repeat(39)} y`, "x".repeat(39)],
  ["with line breaks", "a\r\n b", "a b"],
  ["in letters of one byte", "é".repeat(50), "é".repeat(40)],
  ["without a letter", " \n", "New Chat"],
];

describe("toTitle", () => {
  for (const [name, text, title] of texts) {
    test(`cuts no character of a message ${name}`, () => {
      assert.equal(toTitle([{ role: "user", text, images: [] }]), title);
    });
  }
});
