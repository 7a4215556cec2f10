/** Owns what the reasoning filter promises: a leading `<think>` block is reasoning, all else is text, however it is cut. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ReasoningFilter } from "../../src/turn/reasoning-filter.ts";
import { arbitraryCutting, cut } from "../support/arbitrary-reply.ts";

/** Returns what becomes of `pieces`. */
function filter(pieces: readonly string[], keepsSpace: boolean): { text: string; reasoning: string } {
  let reasoning = "";
  const onReasoning = (piece: string): void => {
    assert.ok(piece.isWellFormed(), "a character is never told in halves");
    reasoning += piece;
  };
  const reader = new ReasoningFilter({ onReasoning, keepsSpace });
  const text = pieces.map((piece) => reader.push(piece)).join("") + reader.end();
  return { text, reasoning };
}

const part = fc.constantFrom("<think>", "</think>", "<", "</", "<th", " ", "\n", "a", "🙂", "think>");
const reply = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));

describe("ReasoningFilter", () => {
  test("tells text and reasoning alike however the reply is cut", () => {
    const property = fc.property(reply, arbitraryCutting, fc.boolean(), (text, lengths, keepsSpace) => {
      const found = filter(cut(text, lengths), keepsSpace);
      assert.deepEqual(found, filter([text], keepsSpace));
      const block = /^\s*<think>([^]*?)(?:<\/think>\s*([^]*))?$/.exec(text);
      const whole = keepsSpace ? text : text.trimStart();
      const [reasoning = "", rest = ""] = block === null ? ["", whole] : block.slice(1);
      assert.deepEqual(found, { text: rest, reasoning });
    });
    fc.assert(property, { numRuns: 10_000 });
  });

  test("tells reasoning while it comes, holding back only what may be the tag's start", () => {
    const told: string[] = [];
    const reader = new ReasoningFilter({ onReasoning: (piece) => told.push(piece), keepsSpace: false });
    for (const piece of [" <think>One ", "two </th", "ree ", "</think", ">  Text"]) reader.push(piece);
    assert.deepEqual(told, ["One ", "two ", "</three "]);
  });

  test("keeps a long white space as text where space is kept, in linear time", () => {
    const spaces = " ".repeat(200_000);
    assert.equal(filter(Array.from(spaces), true).text, spaces);
    assert.equal(filter(Array.from(spaces), false).text, "");
  });
});
