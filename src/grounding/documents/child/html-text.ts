/** Makes readable text of HTML, in one pass and without a tree. */
import { Parser } from "htmlparser2";
import type { DocumentHeading, DocumentText } from "../document.ts";

/** Elements whose contents are no text of the document. */
const skipped = new Set(
  "script style noscript template svg math iframe object audio video canvas select button nav aside footer".split(
    " ",
  ),
);
/** Elements that stand alone, with an empty line around them. */
const blocks = new Set(
  "p div section article main header blockquote figure figcaption ul ol dl table pre form fieldset details summary address hr h1 h2 h3 h4 h5 h6".split(
    " ",
  ),
);
/** Elements that begin a line. */
const lines = new Set("li tr dt dd caption br option".split(" "));
/** Elements that have no end, and so do not count when others are looked for. */
const alone = new Set("area base br col embed hr img input link meta source track wbr".split(" "));
const maxTitleCharacters = 200;

/** What the structure of a page is, which tells whether a reader of trees may be given it. */
export interface HtmlShape {
  readonly elements: number;
  readonly depth: number;
}

/** Returns the text of a page, its headings, and its title if it has one. */
export function toText(
  html: string,
): DocumentText & { readonly title: string | undefined; readonly shape: HtmlShape } {
  const writer = new TextWriter();
  const parser = new Parser(writer, { decodeEntities: true, lowerCaseTags: true });
  parser.end(html);
  return { ...writer.finish(), shape: writer.shape };
}

function isCell(name: string): boolean {
  return name === "td" || name === "th";
}

/** Collects the text while elements open and close. */
class TextWriter {
  #text = "";
  readonly #headings: DocumentHeading[] = [];
  #title: string | undefined;
  #skipDepth = 0;
  #preDepth = 0;
  /** Open cells of tables, whose contents stay on one line. */
  #cellDepth = 0;
  /** Whether a list item has no text yet. */
  #isItemStart = false;
  #isTitle = false;
  #heading: { readonly start: number; readonly level: number } | undefined;
  /** What must stand before the next word. */
  #gap = "";
  #elements = 0;
  #depth = 0;
  #maxDepth = 0;

  get shape(): HtmlShape {
    return { elements: this.#elements, depth: this.#maxDepth };
  }

  onopentag(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#elements += 1;
    if (!alone.has(name)) this.#maxDepth = Math.max(this.#maxDepth, (this.#depth += 1));
    if (
      this.#skipDepth > 0 ||
      skipped.has(name) ||
      (attributes["hidden"] !== undefined && !alone.has(name))
    ) {
      if (!alone.has(name)) this.#skipDepth += 1;
      return;
    }
    if (name === "title") this.#isTitle = true;
    if (name === "pre") this.#preDepth += 1;
    if (blocks.has(name)) this.#widen("\n\n");
    else if (lines.has(name)) this.#widen("\n");
    else if (isCell(name) && this.#cellDepth === 0 && !this.#isLineStart()) this.#gap = " | ";
    const level = /^h([1-6])$/.exec(name)?.[1];
    if (level !== undefined) this.#heading = { start: -1, level: Number(level) };
    if (isCell(name)) this.#cellDepth += 1;
    if (name === "li") this.#startItem();
  }

  onclosetag(name: string): void {
    if (!alone.has(name)) this.#depth -= 1;
    if (this.#skipDepth > 0) {
      if (!alone.has(name)) this.#skipDepth -= 1;
      return;
    }
    if (name === "title") this.#isTitle = false;
    if (isCell(name)) this.#cellDepth -= 1;
    if (name === "li") this.#isItemStart = false;
    if (name === "pre") this.#preDepth -= 1;
    if (/^h[1-6]$/.test(name)) this.#endHeading();
    if (blocks.has(name)) this.#widen("\n\n");
    else if (lines.has(name)) this.#widen("\n");
  }

  ontext(text: string): void {
    if (this.#skipDepth > 0) return;
    if (this.#isTitle) this.#title = ((this.#title ?? "") + text).slice(0, maxTitleCharacters);
    else if (this.#preDepth > 0) this.#write(text);
    else this.#writeWords(text);
  }

  finish(): DocumentText & { readonly title: string | undefined } {
    this.#endHeading();
    const text = this.#text.replaceAll("\0", "").toWellFormed();
    // Each replacement keeps its length but for NUL, which the parser has replaced already.
    const title = this.#title?.replaceAll(/\s+/g, " ").trim().toWellFormed();
    return { text, headings: this.#headings, title: title === "" ? undefined : title };
  }

  #writeWords(text: string): void {
    const words = text.replaceAll(/[\s\u00a0]+/g, " ");
    if (words === " ") {
      if (this.#gap === "") this.#gap = " ";
      return;
    }
    if (words.startsWith(" ") && this.#gap === "") this.#gap = " ";
    this.#write(words.trim());
    if (words.endsWith(" ")) this.#gap = " ";
  }

  #write(text: string): void {
    if (text === "") return;
    if (this.#text !== "" && !this.#isItemStart) this.#text += this.#gap;
    this.#gap = "";
    if (this.#heading?.start === -1) this.#heading = { ...this.#heading, start: this.#text.length };
    this.#text += text;
    this.#isItemStart = false;
  }

  #startItem(): void {
    this.#write("- ");
    this.#isItemStart = true;
  }

  #isLineStart(): boolean {
    return this.#gap.includes("\n") || (this.#gap === "" && /(?:^|\n)$/.test(this.#text.slice(-1)));
  }

  #widen(gap: string): void {
    if (this.#isItemStart) return;
    if (this.#cellDepth > 0) {
      if (this.#gap === "") this.#gap = " ";
      return;
    }
    if (this.#gap.startsWith("\n\n")) return;
    this.#gap = gap.length > this.#gap.length || !this.#gap.startsWith("\n") ? gap : this.#gap;
  }

  #endHeading(): void {
    const { start, level } = this.#heading ?? { start: -1, level: 0 };
    this.#heading = undefined;
    if (start === -1) return;
    const title = this.#text.slice(start).replaceAll(/\s+/g, " ").slice(0, maxTitleCharacters).toWellFormed();
    this.#headings.push({ start, level, title });
  }
}
