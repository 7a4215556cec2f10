/** Long Markdown: no step of reading it is long, and no change of it concerns much of the page. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Block, GrowingMarkdown } from "../../web/src/markdown/growing-markdown.ts";
import { MarkdownText, type MarkdownView } from "../../web/src/markdown/markdown-text.ts";

const size = 512 * 1024;
const paragraph = `${"The **quick** brown [fox][a] jumps `over` it. ".repeat(8)}\n\n`;
const chapter = `${paragraph}## Heading\n\n- a\n- b\n\n\`\`\`js\nlet x = 1;\n\`\`\`\n\n| a | b |\n|---|---|\n| 1 | $x$ |\n\n`;
const pieceLength = 400;

const fill = (text: string, length: number): string =>
  text.repeat(Math.ceil(length / text.length)).slice(0, length);

/** Reads a text that grows piece by piece. */
function read(text: string): GrowingMarkdown {
  const markdown = new GrowingMarkdown();
  for (let start = 0; start < text.length; start += pieceLength)
    markdown.append(text.slice(start, start + pieceLength));
  markdown.finish();
  return markdown;
}

function tokensOf(text: string): Block["token"][] {
  return read(text).finished.map(({ token }) => token);
}

function rawOf({ sections, tail }: MarkdownView): string {
  return sections.flat(2).reduce((raw, { token }) => raw + token.raw, "") + tail;
}

/** Returns how many parts of `after` are not in `before`. */
function countChanged(before: readonly unknown[], after: readonly unknown[]): number {
  const known = new Set(before);
  return after.filter((part) => !known.has(part)).length;
}

describe("long Markdown", () => {
  test("is read in steps, if it comes at once", () => {
    const text = `${fill(chapter, size)}\n\n[a]: https://a.example\n`;
    const markdown = new MarkdownText();
    let view = markdown.update(text, true);
    assert.ok(rawOf(view).length <= 8000, "the first step");
    let steps = 1;
    let blocks = view.sections.flat(2);
    for (; view.isBehind; steps += 1) {
      assert.ok(steps < 800, "it ends");
      view = markdown.update(text, true);
      const next = view.sections.flat(2);
      const length = next
        .filter((block, index) => block !== blocks[index])
        .reduce((sum, { token }) => sum + token.raw.length, 0);
      assert.ok(length <= 20_000, `${length} characters in step ${steps}`);
      blocks = next;
    }
    assert.equal(rawOf(view), text);
    assert.doesNotMatch(JSON.stringify(blocks.map(({ token }) => token)), /\[fox\]\[a\] jumps[^"]*"\}/);
    assert.equal(
      blocks.filter(({ token }) => JSON.stringify(token).includes('"href":"https')).length > 1000,
      true,
    );
    assert.equal(markdown.update(text, true).isBehind, false);
  });

  test("that grows changes few groups at a time, as few at the end as at first", () => {
    const text = fill(chapter, size);
    const markdown = new MarkdownText();
    let view = markdown.update("", false);
    const changes: { readonly sections: number; readonly groups: number }[] = [];
    for (let end = pieceLength; end < text.length; end += pieceLength) {
      const next = markdown.update(text.slice(0, end), false);
      const last = next.sections.at(-1) ?? [];
      changes.push({
        sections: countChanged(view.sections, next.sections),
        groups: countChanged(view.sections.slice(-2).flat(), last),
      });
      view = next;
    }
    const most = Math.max(...changes.map(({ sections, groups }) => Math.max(sections, groups)));
    assert.ok(most <= 2, `${most} at once`);
    const sum = (part: typeof changes) => part.reduce((total, { groups }) => total + groups, 0);
    const quarter = Math.floor(changes.length / 4);
    const [first, final] = [sum(changes.slice(0, quarter)), sum(changes.slice(-quarter))];
    assert.ok(final <= 1.1 * first, `${first} at first, ${final} at last`);
  });

  test("starts afresh when another text takes its place", () => {
    const markdown = new MarkdownText();
    assert.equal(markdown.update(fill(chapter, 100_000), true).isBehind, true);
    assert.equal(rawOf(markdown.update("short", true)), "short");
    assert.equal(rawOf(markdown.update("shorter", false)), "shorter");
  });

  for (const [name, block] of Object.entries({
    list: "- item **b** of a list\n",
    table: "| 1 | 2 |\n",
    paragraph: "a word and *another* ",
    "paragraph of one word": "word",
    "paragraph of emoji": "😀",
    quotation: "> quoted text\n",
    "item with many": "  - below\n",
    "tag that is not closed": "<div>text\n",
    "indented code": "    code();\n",
    "unclosed marks": "**a [b ",
  }))
    test(`has no endless ${name}`, () => {
      const start = { table: "| a | b |\n|---|---|\n", "item with many": "- above\n" }[name] ?? "";
      const text = start + fill(block, 50_000);
      const tokens = tokensOf(text);
      const longest = Math.max(...tokens.map(({ raw }) => raw.length));
      assert.ok(longest <= 13_000, `a block of ${longest} characters`);
      const raw = tokens.map((token) => token.raw).join("");
      const repeated = name === "table" ? (tokens.length - 1) * start.length : 0;
      const letters = (value: string) => value.replaceAll(/\s/g, "");
      if (repeated === 0) assert.equal(letters(raw), letters(text));
      else assert.equal(raw.length - repeated, text.length);
    });

  test("goes on with the numbers of a list, and with the header of a table", () => {
    for (const marker of ["1.", "7)"]) {
      const lists = tokensOf(fill(`${marker} an item\n`, 40_000));
      let next = Number.parseInt(marker, 10);
      for (const list of lists) {
        assert.ok(list.type === "list" && "items" in list && "start" in list, list.type);
        assert.equal(list.start, next);
        next += list.items.length;
      }
      assert.ok(lists.length > 3);
    }
    const tables = tokensOf(`| left | right |\n|:--|--:|\n${fill("| 1 | 2 |\n", 40_000)}`);
    assert.ok(tables.length > 3);
    for (const table of tables) {
      assert.ok(table.type === "table", table.type);
      assert.match(table.raw, /^\| left \| right \|\n\|:--\|--:\|\n\| 1/);
    }
  });
});
