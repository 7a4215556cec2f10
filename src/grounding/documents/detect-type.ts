/** Tells the type of a document by its bytes: names and media types of uploads are often wrong. */
import { Buffer } from "node:buffer";
import type { DocumentType } from "./document.ts";
import { decodeHead } from "./decode-text.ts";

/** What an upload says of itself. It only tells apart types that are all plain text. */
export interface DocumentHint {
  readonly name?: string | undefined;
  readonly mediaType?: string | undefined;
}

/** Where PDF readers look for a document's first bytes, since some begin with other data. */
const pdfHeadBytes = 1024;
/** The first bytes of Microsoft's older formats, which are also the cover of an encrypted document. */
const compoundFile = Buffer.from("d0cf11e0a1b11ae1", "hex");
/**
 * How much of a text is looked at to find out whether it is one: to decode all of a large one would hold up
 * the server. Its reader refuses one that is none further on.
 */
const textHeadBytes = 64 * 1024;
/** How much of it is looked at to find out whether it is HTML. */
const htmlHeadCharacters = 2048;
const htmlStart = /^\s*(?:<!--[^]*?-->\s*)*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|body)\b/i;
/** Formats of plain text whose contents mean nothing to a reader. */
const otherMarkup = /^\s*(?:\{\\rtf|%!PS)/;

/**
 * Returns the type of a document, or `undefined` if it is none that can be read. An encrypted Word document
 * is a `docx`; reading it fails.
 */
export function detectDocumentType(bytes: Uint8Array, hint: DocumentHint = {}): DocumentType | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.subarray(0, pdfHeadBytes).includes("%PDF-")) return "pdf";
  if (buffer.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004")))
    return buffer.includes("word/document") ? "docx" : undefined;
  if (isEncryptedPackage(buffer)) return "docx";
  const text = decodeHead(buffer.subarray(0, textHeadBytes));
  if (text === undefined || otherMarkup.test(text)) return undefined;
  if (htmlStart.test(text.slice(0, htmlHeadCharacters))) return "html";
  return toTextType(hint);
}

/** Whether these bytes are a Word document (or another of Office) that a password protects. */
export function isEncryptedPackage(buffer: Buffer): boolean {
  return (
    buffer.subarray(0, compoundFile.length).equals(compoundFile) &&
    buffer.includes(Buffer.from("EncryptedPackage", "utf16le"))
  );
}

function toTextType({ name = "", mediaType = "" }: DocumentHint): DocumentType {
  const said = mediaType.split(";")[0]?.trim().toLowerCase();
  if (said === "text/csv" || said === "text/tab-separated-values" || /\.[ct]sv$/i.test(name)) return "csv";
  if (said === "text/markdown" || /\.(?:md|markdown|mdown)$/i.test(name)) return "markdown";
  if (said === "text/html" || /\.x?html?$/i.test(name)) return "html";
  return "text";
}
