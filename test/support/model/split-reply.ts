/** Runs a reply through reasoning filter and splitter as a turn does, cut in every way. */
import assert from "node:assert/strict";
import { OpenedReasoning } from "../../../src/turn/reply/opened-reasoning.ts";
import { PlanSplitter } from "../../../src/turn/reply/plan-splitter.ts";
import { ReasoningFilter } from "../../../src/turn/reply/reasoning-filter.ts";

/** A split reply. */
export interface Split {
  readonly plan: string;
  readonly answer: string;
  readonly boundaries: number;
  readonly hasPlan: boolean;
  readonly reasoning: string;
}

/** Splits a reply that arrives in `pieces`; `isWhole`: it was not cut off. */
export function splitReply(
  pieces: readonly string[],
  isWhole = true,
  opened: OpenedReasoning = new OpenedReasoning("no"),
): Split {
  const seen = { plan: "", answer: "", boundaries: 0, reasoning: "" };
  const splitter = new PlanSplitter({
    plan: (text) => {
      assert.equal(seen.boundaries, 0, "no plan comes after the boundary");
      seen.plan += text;
    },
    boundary: () => void (seen.boundaries += 1),
    answer: (text) => {
      assert.equal(seen.boundaries, 1, "no answer comes before the boundary");
      seen.answer += text;
    },
  });
  const onReasoning = (text: string): void => void (seen.reasoning += text);
  const filter = new ReasoningFilter({ onReasoning, keepsSpace: false, opened });
  for (const piece of pieces) splitter.push(filter.push(piece));
  splitter.push(filter.end(isWhole));
  const hasPlan = isWhole ? splitter.end() : splitter.cutOff();
  return { ...seen, hasPlan };
}

/** Splits `text`; the result must be the same however it is cut in two, and one character at a time. */
export function splitInAllCuttings(text: string, isWhole = true): Split {
  const whole = splitReply([text], isWhole);
  assert.deepEqual(splitReply(Array.from(text), isWhole), whole, `${JSON.stringify(text)}, by characters`);
  for (let place = 1; place < text.length; place += 1) {
    const pieces = [text.slice(0, place), text.slice(place)];
    if (pieces.every((piece) => piece.isWellFormed()))
      assert.deepEqual(splitReply(pieces, isWhole), whole, JSON.stringify(pieces));
  }
  return whole;
}

/** Cuts `bytes` into chunks of `lengths`, over and over. */
export function cutBytes(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0, next = 0; start < bytes.length; next += 1) {
    const length = lengths[next % lengths.length] ?? 1;
    chunks.push(bytes.subarray(start, start + length));
    start += length;
  }
  return chunks;
}
