/** Reads HTML: documents as they are, web pages without what surrounds their main text. */
import { decodeText } from "../decode-text.ts";
import { toText, type HtmlShape } from "./html-text.ts";
import { ReadFailure } from "./read-failure.ts";
import type { DocumentJob, DocumentText } from "../document.ts";

/** Where a document declares its encoding. */
const declarationBytes = 1024;
/** A larger or deeper page is not given to Readability, which can take very long with some. */
const maxShape: HtmlShape = { elements: 20_000, depth: 200 };
/** A main text that is shorter than this part of the whole was not found. */
const minMainPart = 0.1;

/** @throws ReadFailure `document_unreadable` if these are no bytes of a text. */
export async function readHtml(
  bytes: Buffer,
  { isWebPage, encoding }: Pick<DocumentJob, "isWebPage" | "encoding">,
): Promise<DocumentText> {
  const head = bytes.subarray(0, declarationBytes).toString("latin1");
  const declared = /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(head)?.[1];
  const html = decodeText(bytes, encoding ?? declared);
  if (html === undefined) throw new ReadFailure("document_unreadable");
  const whole = toText(html);
  const main = isWebPage && isBounded(whole.shape) ? await readMainText(html) : undefined;
  const isFound = main !== undefined && main.text.length > whole.text.length * minMainPart;
  return withTitle(isFound ? main : whole, whole.title);
}

function isBounded({ elements, depth }: HtmlShape): boolean {
  return elements <= maxShape.elements && depth <= maxShape.depth;
}

async function readMainText(html: string): Promise<DocumentText | undefined> {
  const [{ DOMParser }, { Readability }] = await Promise.all([
    import("linkedom"),
    import("@mozilla/readability"),
  ]);
  const document = new DOMParser().parseFromString(html, "text/html");
  const article = new Readability(document, { maxElemsToParse: maxShape.elements }).parse();
  return typeof article?.content === "string" ? toText(article.content) : undefined;
}

/** Puts a page's title above its text, unless its first heading says the same. */
function withTitle({ text, headings }: DocumentText, title: string | undefined): DocumentText {
  if (title === undefined || text.startsWith(title)) return { text, headings };
  const above = `${title}\n\n`;
  return {
    text: above + text,
    headings: [
      { start: 0, level: 0, title },
      ...headings.map((heading) => ({ ...heading, start: heading.start + above.length })),
    ],
  };
}
