/** Makes elements of a block of Markdown: from tokens, so HTML in it stays text. */
import type { Token, Tokens } from "marked";
import { type ComponentChild, type ComponentChildren, h } from "preact";
import { findDirection } from "./direction.ts";
import { isMarkdownToken, type MarkdownParts, renderInline } from "./render-inline.ts";

/** Makes an element of a block; `tail` is text at its end that has not been read. */
export function renderBlock(token: Token, parts: MarkdownParts, tail = ""): ComponentChild {
  if (!isMarkdownToken(token)) return h("p", { dir: "auto" }, token.raw, tail);
  switch (token.type) {
    case "space":
    case "def":
      return tail === "" ? null : h("p", { dir: "auto" }, tail);
    case "hr":
      return h("hr", null);
    case "heading":
      return h(toHeading(token.depth), { dir: "auto" }, renderInline(token.tokens, parts));
    case "paragraph":
      return h("p", { dir: "auto" }, renderInline(token.tokens, parts), tail);
    case "blockquote":
      return h("blockquote", { dir: findDirection(token.text) }, renderBlocks(token.tokens, parts));
    case "list":
      return renderList(token, parts);
    case "table":
      return renderTable(token, parts);
    case "code":
      if ("formula" in token)
        return h(
          "div",
          { class: "markdown-formula" },
          h(parts.Formula, { tex: token.formula.tex, isBlock: true }),
        );
      return h(parts.Code, { token, isOpen: token.raw === "" });
    case "html":
      return h("p", { dir: "auto", class: "markdown-html" }, token.text);
    case "text":
    case "checkbox":
    case "br":
    case "codespan":
    case "del":
    case "em":
    case "escape":
    case "image":
    case "link":
    case "strong":
      return renderInline([token], parts); // the text of an item
    case "list_item":
      return token.raw; // lists hold them
  }
}

function renderBlocks(tokens: readonly Token[], parts: MarkdownParts): ComponentChildren {
  return tokens.map((token) => renderBlock(token, parts));
}

/** Headings of a message stand below its own. */
function toHeading(depth: number): "h3" | "h4" | "h5" | "h6" {
  return (["h3", "h4", "h5", "h6"] as const)[Math.min(depth, 4) - 1] ?? "h6";
}

function renderList(list: Tokens.List, parts: MarkdownParts): ComponentChild {
  const items = list.items.map((item) =>
    h("li", item.task ? { class: "markdown-task-item" } : null, renderBlocks(item.tokens, parts)),
  );
  const dir = findDirection(list.raw);
  if (!list.ordered) return h("ul", { dir }, items);
  return h("ol", { dir, ...(list.start !== 1 && list.start !== "" && { start: list.start }) }, items);
}

function renderTable(table: Tokens.Table, parts: MarkdownParts): ComponentChild {
  const toCell = (element: "th" | "td", cell: Tokens.TableCell) =>
    h(
      element,
      {
        dir: "auto",
        ...(element === "th" && { scope: "col" }),
        ...(cell.align !== null && { class: `markdown-${cell.align}` }),
      },
      renderInline(cell.tokens, parts),
    );
  const header = h(
    "tr",
    null,
    table.header.map((cell) => toCell("th", cell)),
  );
  const rows = table.rows.map((row) =>
    h(
      "tr",
      null,
      row.map((cell) => toCell("td", cell)),
    ),
  );
  // A region that scrolls must be in reach of the keyboard.
  return h(
    "div",
    { class: "markdown-table", role: "region", "aria-label": parts.texts.table, tabIndex: 0 },
    h("table", null, h("thead", null, header), h("tbody", null, rows)),
  );
}
