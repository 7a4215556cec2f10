/** The retrieval set of the bench: the store finds at least what plain BM25 finds. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { measureRetrieval, type Hits, type RankingResult } from "../../bench/knowledge/retrieval.ts";
import { readRetrievalSet } from "../../bench/knowledge/retrieval-set.ts";
import { startPglite, type StoreHarness } from "../support/databases/store-harness.ts";

describe("the retrieval set", { timeout: 120_000 }, () => {
  const set = readRetrievalSet();
  let harness: StoreHarness;
  let results: readonly RankingResult[];
  before(async () => {
    harness = await startPglite();
    results = await measureRetrieval(harness, set);
  });
  after(() => harness.stop());

  function hits(name: string): Hits {
    return results.find((result) => result.name === name)?.hits.get("all") ?? assert.fail(name);
  }

  test("has questions in ten languages about forty documents", () => {
    const languages = new Set(set.questions.map(({ language }) => language));
    languages.delete("across");
    assert.ok(languages.size >= 10 && set.documents.length >= 40 && set.questions.length >= 60);
  });

  test("is answered by words at least as often as by BM25, and more often than by Postgres's own search", () => {
    const [words, bm25, simple] = [hits("words"), hits("BM25"), hits("OR, simple")];
    assert.ok(
      words.first >= bm25.first && words.firstFive >= bm25.firstFive,
      JSON.stringify({ words, bm25 }),
    );
    assert.ok(
      words.first > simple.first && words.firstFive > simple.firstFive,
      JSON.stringify({ words, simple }),
    );
  });
});
