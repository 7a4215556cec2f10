/** The media types of documents. */
import type { DocumentType } from "../grounding/documents/document.ts";

const mediaTypes: Readonly<Record<DocumentType, string>> = {
  pdf: "application/pdf",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  html: "text/html",
  markdown: "text/markdown",
  text: "text/plain",
  csv: "text/csv",
};

/** Returns the media type of documents of a type. */
export function toMediaType(type: DocumentType): string {
  return mediaTypes[type];
}
