/** Passages that were found, as sources: joined with those that follow, and with what stands around them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FoundPassage } from "../../src/knowledge/document.ts";
import { toRuns, toSource, toWindow } from "../../src/knowledge/search/passage-runs.ts";

function toFound(ordinal: number, more: Partial<FoundPassage> = {}): FoundPassage {
  const place = { documentId: "d", documentName: "a.pdf", page: undefined, heading: undefined };
  return { ...place, ordinal, text: `${ordinal}.`, ...more };
}

function readRuns(...found: readonly FoundPassage[]): readonly (readonly [number, string])[] {
  return toRuns(found).map(({ best, passages }) => [best.ordinal, passages.map(({ text }) => text).join("")]);
}

describe("passages that were found", () => {
  test("are joined if they follow each other, in the order of the text, at the place of the best", () => {
    assert.deepEqual(readRuns(toFound(7), toFound(3), toFound(2), toFound(8), toFound(4), toFound(0)), [
      [7, "7.8."],
      [3, "2.3.4."],
      [0, "0."],
    ]);
  });

  test("are not joined across documents or pages, or to a text that is too long", () => {
    assert.deepEqual(readRuns(toFound(1), toFound(2, { documentId: "e" })).length, 2);
    const pages = [toFound(1, { page: 1 }), toFound(2, { page: 2 }), toFound(3, { page: 2 })];
    assert.deepEqual(readRuns(...pages), [
      [1, "1."],
      [2, "2.3."],
    ]);
    const long = Array.from({ length: 6 }, (_, ordinal) => toFound(ordinal, { text: "x".repeat(1_600) }));
    assert.deepEqual(
      readRuns(...long).map(([best, { length }]) => [best, length]),
      [
        [0, 3_200],
        [2, 3_200],
        [4, 3_200],
      ],
    );
  });

  test("get what stands around them up to the next source, with half of what stands between two", () => {
    const found = [toFound(10, { text: "ten", heading: "Best" }), toFound(9), toFound(14), toFound(40)];
    const runs = toRuns(found);
    const [first, second, third] = runs;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    assert.deepEqual(toWindow(first), { first: 0, limit: 25 });
    assert.deepEqual(toWindow(third), { first: 32, limit: 17 });
    const passages = Array.from({ length: 18 }, (_, index) => toFound(index + 1));
    const read = (run: typeof first): readonly [readonly string[], readonly string[]] => {
      const { before = [], after = [] } = toSource(run, runs, { passages, isWhole: false }).around ?? {};
      return [before.map(({ text }) => text), after.map(({ text }) => text)];
    };
    assert.deepEqual(read(first), [
      ["8.", "7.", "6.", "5.", "4.", "3.", "2.", "1."],
      ["11.", "12."],
    ]);
    assert.deepEqual(read(second), [["13."], ["15.", "16.", "17.", "18."]]);
    // What was read does not reach it.
    assert.deepEqual(read(third), [[], []]);
    const { key, heading, quote, text } = toSource(first, runs, undefined);
    assert.deepEqual([key, heading, quote, text], ["d/10", "Best", "ten", "9.ten"]);
  });
});
