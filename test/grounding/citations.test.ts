/** Citations in answers: which brackets are some, and which are not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findCitations, withoutCitations } from "../../src/turn/sources/citations.ts";

function numbersOf(text: string): readonly number[] {
  return findCitations(text).flatMap(({ numbers }) => numbers);
}

describe("citations", () => {
  test("are numbers in brackets after a sentence or a word", () => {
    assert.deepEqual(numbersOf("One [1]. Two.[2][3] 三。[4] (see [5, 6])"), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(numbersOf("[1] leads."), [1]);
  });

  test("are no indexes, links, footnotes, years, or code", () => {
    for (const text of [
      "list[1]",
      "[1](https://example.com)",
      "[1]: https://example.com",
      "[1][a]",
      "[2026]",
      "[a1]",
      "`x [1]`",
      "```js\nconst a = [1];\n```",
      "~~~\n [1]\n",
    ])
      assert.deepEqual(numbersOf(text), [], text);
  });

  test("are taken out of a reply with the space before them, and nothing else is", () => {
    assert.equal(withoutCitations("One [1]. Two.[2][3] Three [1, 2]"), "One. Two. Three");
    const code = "Use `a [1]`:\n\n```\nb [2]\n```\n\nDone [3].";
    assert.equal(withoutCitations(code), "Use `a [1]`:\n\n```\nb [2]\n```\n\nDone.");
  });

  test("stay in a reply that has its own list of references", () => {
    const text = "One [1].\n\n[1]: https://example.com";
    assert.equal(withoutCitations(text), text);
  });

  test("are found in a long text in time that grows with it", () => {
    const texts = ["[", "[1", "[1]", "`", "```\n", " [1, ", "[1]("];
    for (const text of texts) {
      const long = text.repeat(200_000);
      assert.ok(withoutCitations(long).length <= long.length);
    }
  });
});
