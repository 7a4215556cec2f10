/** The citations of an answer, with their sources and places. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toUrlCitations } from "../../src/http/openai/url-citation.ts";
import type { SourceData } from "../../src/turn/turn-event.ts";

const page: SourceData = {
  sourceId: "web:a",
  number: 1,
  kind: "web",
  title: "A",
  url: "https://a.test/",
  quote: "",
};
const passage: SourceData = {
  sourceId: "document:b",
  number: 2,
  kind: "document",
  title: "B",
  documentId: "0199a3c4-0000-7000-8000-000000000000",
  page: 3,
  quote: "",
};
const sources = [page, passage];

/** Returns the cited texts with their URLs. */
function read(text: string): readonly (readonly [string, string])[] {
  const points = Array.from(text);
  return toUrlCitations(text, sources).map(({ start_index: start, end_index: end, url }) => [
    points.slice(start, end).join(""),
    url,
  ]);
}

describe("the citations of an answer", () => {
  const documentUrl = `/documents/${passage.documentId}/text?page=3`;

  test("have the places of their own brackets, in code points", () => {
    assert.deepEqual(toUrlCitations("🌊🌊 [1].", sources), [
      { start_index: 3, end_index: 6, title: "A", url: "https://a.test/" },
    ]);
    assert.deepEqual(read("👩‍👩‍👧 é三 [2][1] and [1, 2]."), [
      ["[2]", documentUrl],
      ["[1]", "https://a.test/"],
      ["[1, 2]", "https://a.test/"],
      ["[1, 2]", documentUrl],
    ]);
  });

  test("are left out if their number is no source's, or if they are code or a link", () => {
    assert.deepEqual(read("No [3], `x [1]`, [1](https://b.test/), list[1].\n[1]: b."), []);
    assert.deepEqual(read("[3][1]"), [["[1]", "https://a.test/"]]);
  });

  test("name a document that has no pages by its path alone", () => {
    const { page: _, ...whole } = passage;
    const [citation] = toUrlCitations("[2]", [whole]);
    assert.equal(citation?.url, `/documents/${passage.documentId}/text`);
  });

  test("are at most 500, however often a model repeats one", () => {
    assert.equal(toUrlCitations("[1]".repeat(100_000), sources).length, 500);
  });
});
