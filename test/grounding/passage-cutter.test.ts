/** Cutting documents into passages: nothing is lost, nothing is cut in two that belongs together. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DocumentPage } from "../../src/grounding/documents/document.ts";
import {
  maxPassageCharacters,
  PassageCutter,
  type Passage,
} from "../../src/grounding/documents/passage-cutter.ts";

function cut(...pages: readonly (Partial<DocumentPage> & { readonly text: string })[]): Passage[] {
  const cutter = new PassageCutter();
  const passages = pages.flatMap((page) =>
    cutter.push({ number: undefined, of: undefined, headings: [], ...page }),
  );
  return [...passages, ...cutter.end()];
}

function join(passages: readonly Passage[]): string {
  return passages.map(({ text }) => text).join("");
}

/** A text, with headings at its lines that begin with `#`. */
function toPage(text: string): Pick<DocumentPage, "text" | "headings"> {
  const headings = Array.from(text.matchAll(/^(#+) (.*)$/gm), ([, signs = "", title = ""], index) => ({
    start: Array.from(text.matchAll(/^#+ /gm))[index]?.index ?? 0,
    level: signs.length,
    title,
  }));
  return { text, headings };
}

const sentence = "The quick brown fox jumps over the lazy dog, and then it rests for a while. ";

describe("passages", () => {
  test("joined are the text of their page, and never longer than they may be", () => {
    const texts = [
      sentence.repeat(500),
      "工资在每月二十五日发放。".repeat(900),
      "🦔".repeat(5000),
      "x".repeat(10_001),
      `${"word ".repeat(800)}\n\n${"line\n".repeat(2000)}`,
      "\n\n\n".repeat(3000) + "end",
    ];
    for (const [index, text] of texts.entries()) {
      for (const number of [1, undefined]) {
        const passages = cut({ text, number });
        assert.equal(join(passages).trim(), text.trim(), `text ${index}`);
        assert.ok(passages.every((passage) => passage.text.length <= maxPassageCharacters));
        assert.ok(passages.every((passage) => passage.text.isWellFormed()));
        assert.deepEqual(
          passages.map(({ ordinal }) => ordinal),
          passages.map((_, place) => place),
        );
      }
    }
  });

  test("end with a sentence, and leave no crumb", () => {
    const passages = cut({ text: sentence.repeat(43) });
    assert.ok(passages.every(({ text }) => text.endsWith("while. ")));
    assert.ok(passages.every(({ text }) => text.length > 400));
  });

  test("begin at headings, and name those above them", () => {
    const body = sentence.repeat(5);
    const passages = cut(
      toPage(`# Guide\n\n${body}\n## Pay\n\n${body}\n### Rates\n\n${body}\n## Leave\n\n${body}`),
    );
    assert.deepEqual(
      passages.map(({ heading, text }) => [heading, text.split("\n")[0]]),
      [
        ["Guide", "# Guide"],
        ["Guide › Pay", "## Pay"],
        ["Guide › Pay › Rates", "### Rates"],
        ["Guide › Leave", "## Leave"],
      ],
    );
  });

  test("put small sections together under the heading that they share", () => {
    const passages = cut(toPage("# Guide\n\n## A\n\nOne.\n\n## B\n\nTwo.\n\n## C\n\nThree.\n"));
    assert.deepEqual(
      passages.map(({ heading }) => heading),
      ["Guide"],
    );
  });

  test("keep the page that they stand on, and the heading that began on an earlier one", () => {
    const first = toPage(`# Guide\n\n${sentence.repeat(5)}`);
    const passages = cut({ ...first, number: 1, of: 2 }, { text: sentence.repeat(5), number: 2, of: 2 });
    assert.deepEqual(
      passages.map(({ page, heading }) => [page, heading]),
      [
        [1, "Guide"],
        [2, "Guide"],
      ],
    );
  });

  test("are the same however a document without pages is handed out", () => {
    const text = Array.from(
      { length: 300 },
      (_, index) => `${"#".repeat((index % 3) + 1)} Part ${index}\n\n${sentence.repeat(index % 40)}\n\n`,
    ).join("");
    const whole = toPage(text);
    const expected = cut(whole);
    assert.equal(join(expected).trim(), text.trim());
    for (const size of [1000, 32_768, 100_000]) {
      const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => ({
        text: text.slice(index * size, (index + 1) * size),
        headings: whole.headings
          .filter(({ start }) => start >= index * size && start < (index + 1) * size)
          .map((heading) => ({ ...heading, start: heading.start - index * size })),
      }));
      const passages = cut(...parts);
      assert.equal(join(passages).trim(), text.trim(), `parts of ${size}`);
      assert.ok(passages.length < expected.length * 1.2);
    }
  });

  test("of blank pages are none", () => {
    assert.deepEqual(cut({ text: "", number: 1 }, { text: " \n ", number: 2 }), []);
  });
});
