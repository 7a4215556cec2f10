/** Makes elements of the text in a block: emphasis, links, code, formulas. */
import type { Token, Tokens } from "marked";
import { type ComponentChild, type ComponentChildren, type ComponentType, Fragment, h } from "preact";
import { findCitations } from "../base/foreword-client.ts";
import { decodeReferences } from "./character-references.ts";
import type { MarkdownToken } from "./lex-markdown.ts";
import { isMisleading, parseAddress } from "./link-address.ts";

/** The components for parts that need more than elements, and the texts of the others. */
export interface MarkdownParts {
  readonly Code: ComponentType<{ token: Tokens.Code; isOpen: boolean }>;
  /** `[1]` or `[1, 2]`, which may cite sources. */
  readonly Citation: ComponentType<{ numbers: readonly number[]; text: string }>;
  readonly Formula: ComponentType<{ tex: string; isBlock: boolean }>;
  readonly texts: {
    readonly image: string;
    readonly table: string;
    readonly done: string;
    readonly notDone: string;
  };
}

const kinds = new Set(
  "blockquote br checkbox code codespan def del em escape heading hr html image link list paragraph space strong table text".split(
    " ",
  ),
);

/** Whether a token is one that the page can show. */
export function isMarkdownToken(token: Token): token is MarkdownToken {
  return kinds.has(token.type);
}

/** Makes elements of inline tokens. */
export function renderInline(
  tokens: readonly Token[] | undefined,
  parts: MarkdownParts,
  isInLink = false,
): ComponentChildren {
  return tokens?.map((token) => renderSpan(token, parts, isInLink));
}

function renderSpan(token: Token, parts: MarkdownParts, isInLink: boolean): ComponentChild {
  if (!isMarkdownToken(token)) return token.raw;
  const inner = (tokens: readonly Token[] | undefined) => renderInline(tokens, parts, isInLink);
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return h(token.type, null, inner(token.tokens));
    case "br":
      return h("br", null);
    case "codespan":
      if ("formula" in token)
        return h(parts.Formula, { tex: token.formula.tex, isBlock: token.formula.isBlock });
      return h("code", null, token.text);
    case "text":
      if (token.tokens !== undefined) return inner(token.tokens);
      return isInLink ? decodeReferences(token.text) : renderText(decodeReferences(token.text), parts);
    case "escape":
      return token.text;
    case "link":
      return renderLink(token, parts, isInLink);
    case "image":
      return renderImage(token, parts, isInLink);
    case "checkbox":
      return renderCheckbox(token.checked, parts);
    // Blocks are not found in lines, and HTML is text.
    case "html":
    case "blockquote":
    case "code":
    case "def":
    case "heading":
    case "hr":
    case "list":
    case "list_item":
    case "paragraph":
    case "space":
    case "table":
      return token.raw;
  }
}

function renderText(text: string, { Citation }: MarkdownParts): ComponentChild {
  const found = findCitations(text);
  if (found.length === 0) return text;
  const children: ComponentChild[] = [];
  let from = 0;
  for (const { numbers, start, end } of found) {
    children.push(text.slice(from, start), h(Citation, { text: text.slice(start, end), numbers }));
    from = end;
  }
  return h(Fragment, null, ...children, text.slice(from));
}

function renderLink(token: Tokens.Link, parts: MarkdownParts, isInLink: boolean): ComponentChild {
  const children = renderInline(token.tokens, parts, true);
  const url = parseAddress(token.autolink === true ? token.href : decodeReferences(token.href));
  if (url === undefined || isInLink) return h("span", null, children);
  const link = h("a", toLinkProps(url), children);
  if (!isMisleading(toText(token.tokens), url)) return link;
  return h("span", null, link, h("span", { class: "markdown-destination" }, ` (${toShort(url)})`));
}

/** An image is a link to it: the page asks no other origin for anything, so it opens in a tab of its own. */
function renderImage(token: Tokens.Image, parts: MarkdownParts, isInLink: boolean): ComponentChild {
  const url = parseAddress(decodeReferences(token.href));
  const alt = decodeReferences(token.text) || parts.texts.image;
  if (url === undefined || isInLink || url.protocol === "mailto:") return h("span", null, alt);
  return h(
    "a",
    { ...toLinkProps(url), class: "markdown-image" },
    h(
      "span",
      { class: "markdown-image-alt" },
      alt === parts.texts.image ? alt : `${parts.texts.image}: ${alt}`,
    ),
    h("span", { class: "markdown-image-host" }, url.host),
  );
}

function toLinkProps(url: URL) {
  return { href: url.href, target: "_blank", rel: "noopener noreferrer", title: url.href };
}

/** Shows whether a task is done; users cannot change it. */
function renderCheckbox(isChecked: boolean, parts: MarkdownParts): ComponentChild {
  const label = isChecked ? parts.texts.done : parts.texts.notDone;
  return h("span", { class: "markdown-task", role: "img", "aria-label": label }, isChecked ? "☑" : "☐");
}

function toShort(url: URL): string {
  const address =
    url.protocol === "mailto:" ? url.href : `${url.host}${url.pathname === "/" ? "" : url.pathname}`;
  return address.length > 80 ? `${address.slice(0, 79)}…` : address;
}

/** The characters that a reader sees. */
function toText(tokens: readonly Token[] | undefined): string {
  return (tokens ?? [])
    .map((token) => {
      if (!isMarkdownToken(token)) return token.raw;
      if ("tokens" in token && token.tokens !== undefined) return toText(token.tokens);
      return "text" in token ? decodeReferences(token.text) : token.raw;
    })
    .join("");
}
