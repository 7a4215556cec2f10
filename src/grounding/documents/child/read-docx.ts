/** Reads Word documents: text, headings, lists, tables and notes; no comments, no images. */
import mammoth from "mammoth";
import { isEncryptedPackage } from "../detect-type.ts";
import { toText } from "./html-text.ts";
import { ReadFailure } from "./read-failure.ts";
import type { DocumentText } from "../document.ts";

/** The most that the files in a document may be, unpacked. */
const maxUnpackedBytes = 100 * 1024 * 1024;
const directoryEntry = 0x02014b50;
const directoryEntryBytes = 46;

/** @throws ReadFailure `document_encrypted`, `document_too_large` or `document_unreadable`. */
export async function readDocx(bytes: Buffer): Promise<DocumentText> {
  if (isEncryptedPackage(bytes)) throw new ReadFailure("document_encrypted");
  if (measureUnpacked(bytes) > maxUnpackedBytes) throw new ReadFailure("document_too_large");
  const { value } = await mammoth.convertToHtml(
    { buffer: bytes },
    { convertImage: mammoth.images.imgElement(async () => ({ src: "" })) },
  );
  return toText(value);
}

/** Sums up the sizes that a ZIP archive's directory tells, so that nothing is unpacked before. */
function measureUnpacked(bytes: Buffer): number {
  const end = bytes.lastIndexOf("PK\u0005\u0006");
  if (end === -1 || end + 20 > bytes.length) throw new ReadFailure("document_unreadable");
  let entry = bytes.readUInt32LE(end + 16);
  let sum = 0;
  while (entry + directoryEntryBytes <= bytes.length && bytes.readUInt32LE(entry) === directoryEntry) {
    sum += bytes.readUInt32LE(entry + 24);
    entry +=
      directoryEntryBytes +
      bytes.readUInt16LE(entry + 28) +
      bytes.readUInt16LE(entry + 30) +
      bytes.readUInt16LE(entry + 32);
  }
  return sum;
}
