import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { countTokens as countExactly } from "gpt-tokenizer/encoding/o200k_base";
import { countTokens } from "../../../src/turn/context/token-count.ts";
import { countCorpus } from "../../support/model/token-corpus.ts";

describe("countTokens", () => {
  test("is within 10 % of o200k on each language, code, JSON and table of the corpus, and 4 % on average", () => {
    const counted = countCorpus();
    assert.ok(counted.length >= 27);
    for (const { name, tokens, estimated, error } of counted)
      assert.ok(Math.abs(error) <= 0.1, `${name}: ${estimated} for ${tokens}`);
    const mean = counted.reduce((sum, { error }) => sum + Math.abs(error), 0) / counted.length;
    assert.ok(mean <= 0.04, `mean error ${mean}`);
  });

  test("counts at least half of the tokens of random letters without spaces", () => {
    let seed = 7;
    const letters = Array.from({ length: 4_000 }, () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return "abcdefghijklmnopqrstuvwxyz"[seed % 26];
    }).join("");
    const exact = countExactly(letters);
    assert.ok(countTokens(letters) > exact / 2, `${countTokens(letters)} for ${exact}`);
    assert.ok(countTokens(letters) < exact * 2, `${countTokens(letters)} for ${exact}`);
  });

  test("is a whole number for any text", () => {
    for (const text of ["", " ", "\n\n", "\ud800", "\udc00x", "a\u0000b", "\u{1f600}", "\uffff", "1e9", "Ω"])
      assert.ok(Number.isInteger(countTokens(text)) && countTokens(text) >= 0, JSON.stringify(text));
    assert.equal(countTokens(""), 0);
  });
});
