/** Reads the pages of a document of any type; each type's libraries are loaded when one comes. */
import { decodeText } from "../decode-text.ts";
import type { DocumentJob, DocumentPage, DocumentText } from "../document.ts";
import { ReadFailure } from "./read-failure.ts";
import { readCsv } from "./read-csv.ts";
import { findMarkdownHeadings } from "./markdown-headings.ts";

/** How much of a document without pages is given out at once. */
const partCharacters = 32_768;

/** @throws ReadFailure if the document cannot be read; other errors mean that it is damaged. */
export async function* readPages(bytes: Buffer, job: DocumentJob): AsyncGenerator<DocumentPage> {
  switch (job.type) {
    case "pdf": {
      const { readPdf } = await import("./read-pdf.ts");
      return yield* readPdf(bytes, job.limits);
    }
    case "docx": {
      const { readDocx } = await import("./read-docx.ts");
      return yield* toParts(await readDocx(bytes));
    }
    case "html": {
      const { readHtml } = await import("./read-html.ts");
      return yield* toParts(await readHtml(bytes, job));
    }
    case "csv":
      return yield* readCsv(decode(bytes));
    case "markdown": {
      const text = decode(bytes);
      return yield* toParts({ text, headings: findMarkdownHeadings(text) });
    }
    case "text":
      return yield* toParts({ text: decode(bytes, job.encoding), headings: [] });
  }
}

function decode(bytes: Buffer, encoding?: string): string {
  const text = decodeText(bytes, encoding);
  if (text === undefined) throw new ReadFailure("document_unreadable");
  return text.replaceAll(/\r\n?/g, "\n").toWellFormed();
}

/** Gives out a text in parts that end with a line, or between characters. */
function* toParts({ text, headings }: DocumentText): Generator<DocumentPage> {
  let start = 0;
  let heading = 0;
  while (start < text.length) {
    let end = Math.min(text.length, start + partCharacters);
    const line = text.lastIndexOf("\n", end - 1) + 1;
    if (end < text.length && line > start) end = line;
    else if (end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00) end -= 1;
    const first = heading;
    while ((headings[heading]?.start ?? end) < end) heading += 1;
    yield {
      number: undefined,
      of: undefined,
      text: text.slice(start, end),
      headings: headings.slice(first, heading).map((one) => ({ ...one, start: one.start - start })),
    };
    start = end;
  }
}
