/** Markdown that grows: in the end it is read like the whole text, and no part is read too often. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GrowingMarkdown } from "../../web/src/markdown/growing-markdown.ts";
import { lexMarkdown } from "../../web/src/markdown/lex-markdown.ts";

const paragraph = `${"The **quick** brown [fox](https://a.example) jumps `over` the lazy dog. ".repeat(6)}\n\n`;
const mixed = `${paragraph}## Heading\n\n- a\n- b\n  - c\n\n\`\`\`js\nlet x = 1;\n\`\`\`\n\n| a | b |\n|---|---|\n| 1 | $x$ |\n\n> quote\n\n`;

/** Pieces of Markdown whose meaning depends on their neighbours. */
const pieces = [
  ..."\n|\n\n|- |* |1. |2. |10) |> |# |### |\n\n##### |```|```js|~~~|    |  |\t|---|===|***|* * *|- [ ] |- [x] |+|-|=|:".split(
    "|",
  ),
  ...'a;foo bar;| a | b |;|---|---|;a | b;-|-;[a];[a]: /url;[a]: <b c> "t;"title";";\';(;);[b]: x;[;](x);]('.split(
    ";",
  ),
  ..."<div>;</div>;<!--;-->;<pre>;</pre>;<script>;</script>;<foo>;<a href='x'>;</a>;<?;?>;</foo".split(";"),
  ..."**;*;_;~~;`;``;\\[;\\];\\(;\\);$$;$;$x$;&amp;;https://a.example/b;a@b.example;\r\n;\r; ;é;😀".split(
    ";",
  ),
];
const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map((parts) => parts.join(""));

function read(text: string, sizes: readonly number[]): GrowingMarkdown {
  const markdown = new GrowingMarkdown();
  let turn = 0;
  for (let start = 0; start < text.length; turn += 1) {
    const end = start + (sizes[turn % sizes.length] ?? 1);
    markdown.append(text.slice(start, end));
    start = end;
  }
  return markdown;
}

function assertWhole(text: string, sizes: readonly number[]): void {
  const markdown = read(text, sizes);
  markdown.finish();
  markdown.readLinks();
  const tokens = markdown.finished.map(({ token }) => token);
  assert.deepEqual(tokens, lexMarkdown(text.replaceAll(/\r\n?/g, "\n")));
}

/** Characters read for each quarter of a text that comes in pieces of 400, and for its end. */
function countByQuarter(text: string): { quarters: number[]; end: number } {
  const markdown = new GrowingMarkdown();
  const quarters: number[] = [];
  let before = 0;
  for (let start = 0; start < text.length; start += 400) {
    markdown.append(text.slice(start, start + 400));
    if (start + 400 < (text.length / 4) * (quarters.length + 1)) continue;
    quarters.push(markdown.lexedLength - before);
    before = markdown.lexedLength;
  }
  markdown.finish();
  markdown.readLinks();
  return { quarters, end: markdown.lexedLength - before };
}

describe("GrowingMarkdown", () => {
  test("reads a text like the whole at once, wherever it is cut", () => {
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 9 }),
        assertWhole,
      ),
      { numRuns: 2000 },
    );
  });

  test("reads lines that change the block before them like the whole", () => {
    const samples = [
      "para\n---\n",
      "1. a\n\n2. b\n",
      "- a\n\n  b\n\nc\n",
      "a\nb | c\n- | -\n1 | 2\n",
      "a\nb | c\n-|-x\n\nd\n",
      "[a\n# b]: /url\n\nc\n",
      '[a]: /url "t\n\n# h\n\nmore"\n\n[a]\n',
      "[a]: /url\n'title'\n\nx [a]\n",
      "text\n$$\na\n- b\n- c\n$$\n\nmore\n",
      "$$\na\n+ b\n$$\n\nmore\n",
      "```js\na\n\n```\nb\n",
      "~~~~\n```\n~~~\n~~~~\n\nc",
      "> a\nb\n> c\n\nd",
      "<div>\n*a*\n\n*b*\n",
      "</foo\n\n>\n\nc",
      "a <a href='x'>\n\n<foo> https://a.example\n",
      "line\r\nline\rline\r\n\r\nend\r",
      "### a\n\n# b\n\n> ###### c\n\n- ## d\n  ##### [e]\n\n### [e]\n\n[e]: /url\n",
    ];
    for (const sample of samples)
      for (const size of [1, 2, 3, 7]) assertWhole(`before\n\n${sample}after`, [size]);
  });

  test("follows links whose definitions come after them, at the end", () => {
    const text = `see [a] and [b][a]\n\n${paragraph.repeat(3)}\n[a]: https://a.example\n\n[a]: https://b.example\n`;
    assertWhole(text, [5]);
    const markdown = read(text, [5]);
    assert.doesNotMatch(JSON.stringify(markdown.finished[0]), /"href"/);
    markdown.finish();
    assert.doesNotMatch(JSON.stringify(markdown.finished[0]), /"href"/);
    markdown.readLinks();
    assert.match(JSON.stringify(markdown.finished[0]), /"href":"https:\/\/a.example"/);
  });

  test("keeps a finished block as it is, as long as nothing defines its links", () => {
    const markdown = read(mixed.repeat(3), [11]);
    const before = markdown.finished.slice();
    assert.ok(before.length > 20, "blocks are finished on the way");
    for (let index = 0; index < 9; index += 1) markdown.append(mixed);
    markdown.finish();
    markdown.readLinks();
    for (const [index, block] of before.entries()) assert.equal(markdown.finished[index], block);
  });

  test("shows an open block of code line by line, without reading it again", () => {
    const markdown = read("```ts\nconst a = 1;\nconst b", [1]);
    const { lexedLength } = markdown;
    assert.match(JSON.stringify(markdown.open), /const a = 1;\\nconst b/);
    markdown.append(" = 2;\n".repeat(1000));
    assert.equal(markdown.lexedLength, lexedLength);
    assert.equal(markdown.tail, "");
  });

  test("shows all of a text on the way: what is not read yet is its tail", () => {
    const text = mixed.repeat(4) + "- a list item\n".repeat(400);
    const markdown = new GrowingMarkdown();
    for (let start = 0; start < text.length; start += 50) {
      markdown.append(text.slice(start, start + 50));
      const { finished, open, tail } = markdown;
      if (open.some(({ token }) => token.raw === "")) continue; // code, which shows its own lines
      const shown = [...finished, ...open].map(({ token }) => token.raw).join("") + tail;
      // Marked adds and drops white space at the end of an unfinished list.
      assert.equal(shown.replaceAll(/\s/g, ""), text.slice(0, start + 50).replaceAll(/\s/g, ""));
    }
  });

  const size = 2 * 1024 * 1024;
  const fill = (text: string, length: number): string =>
    text.repeat(Math.ceil(length / text.length)).slice(0, length);
  const long = [
    { name: "paragraphs", text: fill(paragraph, size) },
    { name: "blocks of all kinds", text: fill(mixed, size) },
    { name: "one block of code", text: `\`\`\`js\n${fill("let x = 1;\n", size)}` },
    { name: "one list", text: fill("- item **b**\n", size / 8) },
    { name: "one table", text: `| a | b |\n|---|---|\n${fill("| 1 | 2 |\n", size / 8)}` },
    { name: "one paragraph", text: fill("word ", size) },
    { name: "definitions", text: fill("[a]: /url\n\nb [a]\n\n", size / 4) },
    { name: "a title that is never closed", text: `[a]: /url "${fill("word\n\n", size / 4)}` },
  ];
  for (const { name, text } of long)
    test(`reads ${name} at most ten times over, the last quarter no more than the first`, () => {
      const { quarters, end } = countByQuarter(text);
      const [first = 0, second = 0, third = 0, last = 0] = quarters;
      const all = first + second + third + last + end;
      assert.ok(all <= 10 * text.length, `${all} characters read of ${text.length}`);
      assert.ok(last <= 1.5 * first, `${first} at first, ${last} at last`);
      assert.ok(end <= 2 * text.length, `${end} at the end`);
    });

  test("neither overflows nor stalls on deep nesting and unclosed marks", () => {
    const marks = [
      "> ",
      "- ",
      "1. ",
      "[",
      "![",
      "[a](",
      "*a **b ",
      "**a ",
      "_a ",
      "~~a ",
      "`",
      "<",
      "$",
      "$ ",
      "\\(",
      "|a",
    ];
    for (const mark of marks) {
      const markdown = read(fill(mark, 6000), [400]);
      markdown.finish();
      assert.ok(markdown.lexedLength <= 60_000, mark);
    }
  });
});
