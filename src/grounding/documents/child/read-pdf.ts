/** Reads PDF documents page by page, since all pages at once take several times the memory. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { DocumentLimits, DocumentPage } from "../document.ts";
import { toPageText } from "./pdf-text.ts";
import { ReadFailure } from "./read-failure.ts";

/** @throws ReadFailure `document_encrypted`, `document_too_large`, or `document_unreadable`. */
export async function* readPdf(
  bytes: Buffer,
  { maxPages }: Pick<DocumentLimits, "maxPages">,
): AsyncGenerator<DocumentPage> {
  const pdfjs = await import("pdfjs-dist/legacy/build/pdf.mjs");
  const folder = dirname(createRequire(import.meta.url).resolve("pdfjs-dist/package.json"));
  const loading = pdfjs.getDocument({
    data: new Uint8Array(bytes),
    // Without these, text in fonts of East Asia that are not embedded is lost without an error.
    cMapUrl: join(folder, "cmaps/"),
    cMapPacked: true,
    standardFontDataUrl: join(folder, "standard_fonts/"),
    disableFontFace: true,
    useSystemFonts: false,
    useWasm: false,
    verbosity: pdfjs.VerbosityLevel.ERRORS,
  });
  const document = await loading.promise.catch((error: unknown) => {
    const isEncrypted = error instanceof Error && error.name === "PasswordException";
    throw new ReadFailure(isEncrypted ? "document_encrypted" : "document_unreadable");
  });
  const { numPages } = document;
  if (numPages > maxPages) throw new ReadFailure("document_too_large");
  for (let number = 1; number <= numPages; number += 1) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    yield { number, of: numPages, ...toPageText(items.filter((item) => "str" in item)) };
    page.cleanup();
  }
}
