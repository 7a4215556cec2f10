/** The elements of Markdown in the page: only harmless ones, whatever a model writes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ComponentChild, type ComponentChildren, Fragment, h, isValidElement } from "preact";
import { highlight } from "../../web/src/markdown/highlight.ts";
import { lexMarkdown } from "../../web/src/markdown/lex-markdown.ts";
import { renderMath } from "../../web/src/markdown/math-tree.ts";
import { renderBlock } from "../../web/src/markdown/render-block.ts";
import type { MarkdownParts } from "../../web/src/markdown/render-inline.ts";
import { citationCases } from "../fixtures/citations.ts";
import { hostileMarkdown } from "../support/model/hostile-markdown.ts";

const allowedElements = new Set(
  (
    "p h3 h4 h5 h6 hr ul ol li blockquote div table thead tbody tr th td strong em del br code span a " +
    "math maction menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle " +
    "msub msubsup msup mtable mtd mtext mtr munder munderover none"
  ).split(" "),
);
const allowedAttributes =
  /^(?:children|class|dir|href|target|rel|title|scope|start|role|aria-label|tabIndex|style|accent|accentunder|columnalign|columnspan|depth|display|displaystyle|fence|form|height|largeop|linebreak|linethickness|lspace|mathbackground|mathcolor|mathsize|mathvariant|maxsize|minsize|movablelimits|notation|rowspacing|rspace|scriptlevel|separator|stretchy|symmetric|voffset|width)$/;

/** A block of code. */
interface CodeProps {
  readonly token: { readonly lang?: string; readonly text: string };
}

/** An element as a page would get it. */
interface FlatElement {
  readonly type: string;
  readonly props: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const parts: MarkdownParts = {
  Code: renderCode,
  Citation: ({ text }) => h("cite", null, text),
  Formula: ({ tex, isBlock }) => renderMath(tex, isBlock),
  texts: { image: "Image", table: "Table", done: "Done", notDone: "Not done" },
};

/** The citations in the texts that were rendered. */
const citations: string[] = [];

/** All elements that a text becomes, with components replaced by their own elements. */
function render(text: string): FlatElement[] {
  const found: FlatElement[] = [];
  for (const token of lexMarkdown(text)) collect(renderBlock(token, parts), found);
  return found;
}

function collect(node: ComponentChildren, found: FlatElement[]): string {
  if (Array.isArray(node)) return node.map((child: ComponentChild) => collect(child, found)).join("");
  if (!isValidElement(node)) return typeof node === "string" || typeof node === "number" ? String(node) : "";
  const { type } = node;
  const props: Readonly<Record<string, unknown>> & { children?: ComponentChildren } = { ...node.props };
  if (type === parts.Code && isCode(props)) return collect(renderCode(props), found);
  if (type === parts.Formula && isFormula(props)) return collect(renderMath(props.tex, props.isBlock), found);
  if (type === parts.Citation) {
    citations.push(String(props["text"]));
    return String(props["text"]);
  }
  if (type === Fragment) return collect(props.children, found);
  assert.ok(typeof type === "string", "a component that is not known");
  const text = collect(props.children, found);
  found.push({ type, props, text });
  return text;
}

function renderCode({ token }: CodeProps): ComponentChild {
  return h(Fragment, null, highlight(token.lang ?? "", token.text) ?? token.text);
}

function isCode(props: object): props is CodeProps {
  return "token" in props;
}

function isFormula(props: object): props is { tex: string; isBlock: boolean } {
  return "tex" in props && "isBlock" in props;
}

function assertHarmless(elements: readonly FlatElement[], text: string): void {
  for (const { type, props } of elements) {
    assert.ok(allowedElements.has(type), `<${type}> in ${text}`);
    for (const [name, value] of Object.entries(props)) {
      assert.match(name, allowedAttributes, text);
      if (name === "href") assert.match(String(value), /^(?:https?:\/\/|mailto:)/, text);
      if (name === "style") assert.doesNotMatch(JSON.stringify(value), /url\(|expression|position/i, text);
    }
    if (type === "a") {
      assert.equal(props["rel"], "noopener noreferrer");
      assert.equal(props["target"], "_blank");
      assert.equal(props["title"], props["href"]);
    }
  }
}

const links = (text: string) => render(text).filter(({ type }) => type === "a");

describe("Markdown's elements", () => {
  test("are on the list, with attributes on the list, in 300 hostile texts", () => {
    assert.equal(hostileMarkdown.length, 300);
    for (const text of hostileMarkdown) assertHarmless(render(text), text);
  });

  test("cite sources where the server finds citations", () => {
    for (const [text, cited] of citationCases) {
      citations.length = 0;
      render(text);
      assert.deepEqual(citations, cited, text);
    }
  });

  test("open only addresses of the web and of mail", () => {
    const refused = [
      "javascript:a",
      "data:text/html,a",
      "vbscript:a",
      "file:///a",
      "//a.example",
      "/a",
      "#a",
      "ftp://a.example",
      "java&#115;cript:a",
      "&#x6A;avascript:a",
      "blob:https://a.example/b",
      "https:",
    ];
    for (const address of refused) assert.deepEqual(links(`[text](<${address}>)`), [], address);
    const opened = ["https://a.example/b?c=d&e=f#g", "http://a.example/", "mailto:a@b.example"];
    for (const address of opened) assert.equal(links(`[text](${address})`)[0]?.props["href"], address);
  });

  test("show the destination of a link whose text names another", () => {
    const text = (markdown: string) => render(markdown).at(-1)?.text;
    assert.equal(
      text("[https://bank.example](https://evil.example/x)"),
      "https://bank.example (evil.example/x)",
    );
    assert.equal(
      text("[Go to bank.example now](https://evil.example)"),
      "Go to bank.example now (evil.example)",
    );
    assert.equal(text("[bank.example](https://bank.example@evil.example)"), "bank.example (evil.example)");
    assert.equal(text("[](https://a.example)"), " (a.example)");
    assert.equal(text("[a.example](https://www.a.example/page)"), "a.example");
    assert.equal(text("[the page](https://a.example)"), "the page");
    assert.equal(text("https://a.example/b and a@b.example"), "https://a.example/b and a@b.example");
  });

  test("are never images: a link tells the text and the host", () => {
    const [link, ...others] = links("![a cat](https://a.example/cat.png)");
    assert.deepEqual(others, []);
    assert.equal(link?.text, "Image: a cata.example");
    assert.equal(links("[![a](https://a.example/b.png)](https://c.example)").length, 1);
  });

  test("have headings that leave out no level below that of the message", () => {
    const levels = (markdown: string) =>
      render(markdown).flatMap(({ type }) => (/^h\d$/.test(type) ? [type] : []));
    const mixed = "## a\n## b\n#### c\n##### d\n###### e\n### f\n# g\n### h";
    assert.deepEqual(levels(mixed).join(" "), "h3 h3 h4 h5 h6 h4 h3 h4");
    assert.deepEqual(levels("# a\n> ### b\n\n- ###### c\n\nd\n===\n"), ["h3", "h4", "h5", "h3"]);
    const deepest = Array.from({ length: 6 }, (_, index) => `${"#".repeat(index + 1)} a`).join("\n");
    assert.deepEqual(levels(deepest), ["h3", "h4", "h5", "h6", "h6", "h6"]);
  });

  test("hold no HTML: it is text", () => {
    const elements = render('a <b onclick="x()">b</b>\n\n<script>alert(1)</script>\n');
    assert.deepEqual(
      elements.map(({ type, text }) => [type, text]),
      [
        ["p", 'a <b onclick="x()">b</b>'],
        ["p", "<script>alert(1)</script>\n"],
      ],
    );
  });

  test("decode character references, but not in code", () => {
    assert.equal(render("a &amp; b &lt;&#65;&#x42;&nope;&#0;")[0]?.text, "a & b <AB&nope;\ufffd");
    assert.equal(render("`&amp;`")[0]?.text, "&amp;");
  });

  test("mark tasks, headers of columns, alignment and the start of a list", () => {
    const elements = render("- [x] a\n- [ ] b\n\n3. c\n\n| d | e |\n|---|:-:|\n| 1 | 2 |\n");
    const tasks = elements.filter(({ props }) => props["role"] === "img");
    assert.deepEqual(
      tasks.map(({ props }) => props["aria-label"]),
      ["Done", "Not done"],
    );
    assert.equal(elements.find(({ type }) => type === "ol")?.props["start"], 3);
    const headers = elements.filter(({ type }) => type === "th");
    assert.deepEqual(
      headers.map(({ props }) => [props["scope"], props["class"]]),
      [
        ["col", undefined],
        ["col", "markdown-center"],
      ],
    );
  });

  test("take formulas for mathematics, and prices for text", () => {
    const hasMath = (text: string) => render(text).some(({ type }) => type === "math");
    for (const text of [
      "$x$",
      "$$x$$",
      "\\(x\\)",
      "\\[x\\]",
      "$$\na\n+ b\n$$",
      "text\n\\[\na\n- b\n\\]\nmore",
      "so $5x+1$ it is",
    ])
      assert.ok(hasMath(text), text);
    for (const text of [
      "$5 and $10",
      "$5-$10",
      "US$5 for A$6",
      "5 $ or 6 $",
      "$ a $",
      "\\$x\\$",
      "`$x$`",
      "$5 and 10$",
      "$\n\n$",
      "costs $5k to $10k",
    ])
      assert.ok(!hasMath(text), text);
  });

  test("bound what a formula may do", () => {
    const hostile = [
      "\\def\\a{\\a\\a}\\a",
      "\\rule{9999em}{9999em}",
      "\\href{javascript:a}{x}",
      `${"{".repeat(900)}x${"}".repeat(900)}`,
      "\\includegraphics{https://a.example/b}",
      "\\frac{",
      "\\color{red;background:url(x)}x",
    ];
    for (const tex of hostile) {
      const elements = render(`$${tex}$`);
      assertHarmless(elements, tex);
      assert.doesNotMatch(JSON.stringify(elements), /9999em"/);
    }
  });

  test("are read in the direction of their text", () => {
    const direction = (text: string, element: string) =>
      render(text).find(({ type }) => type === element)?.props["dir"];
    assert.equal(direction("- عنصر\n- item", "ul"), "rtl");
    assert.equal(direction("1. item\n2. عنصر", "ol"), "ltr");
    assert.equal(direction("> «שלום» a", "blockquote"), "rtl");
    assert.equal(direction("text", "p"), "auto");
  });

  test("colour code with classes alone", () => {
    const elements = render("```html\n<script>alert('a')</script>\n```\n");
    assertHarmless(elements, "html");
    assert.ok(elements.some(({ props }) => String(props["class"]).startsWith("hljs-")));
    assert.equal(highlight("nothing", "a"), undefined);
  });
});
