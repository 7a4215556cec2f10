/** What a document is to its readers: its type, its limits, and the pages that are read from it. */

/** The types of documents that can be read. */
export const documentTypes = ["pdf", "docx", "html", "markdown", "text", "csv"] as const;

/** A type of document. */
export type DocumentType = (typeof documentTypes)[number];

/** A heading in the text of a page. */
export interface DocumentHeading {
  /** Where its text begins in the page's text, in UTF-16 units. */
  readonly start: number;
  /** From 1, the most important. */
  readonly level: number;
  readonly title: string;
}

/** A page, or a part of a document that has no pages. The parts of such a document are one text. */
export interface DocumentPage {
  /** From 1; `undefined` if documents of this type have no pages. */
  readonly number: number | undefined;
  /** How many pages the document has, if known. */
  readonly of: number | undefined;
  /** Well-formed, without NUL. May be empty. */
  readonly text: string;
  /** In the order of the text. */
  readonly headings: readonly DocumentHeading[];
}

/** A text, with the headings in it. */
export type DocumentText = Pick<DocumentPage, "text" | "headings">;

/** What the process that reads a document is told, as its argument. */
export interface DocumentJob {
  readonly type: DocumentType;
  /** Whether to leave out what surrounds the main text of a web page. */
  readonly isWebPage: boolean;
  /** The encoding of a text, as its server says. */
  readonly encoding: string | undefined;
  readonly limits: Pick<DocumentLimits, "maxPages" | "maxCharacters">;
}

/** How much of a machine one document may take. */
export interface DocumentLimits {
  readonly maxPages: number;
  /** UTF-16 units of text. */
  readonly maxCharacters: number;
  /** Seconds that its process may work; those in which nothing is read from it do not count. */
  readonly maxSeconds: number;
  /** MiB of memory of its process, which needs about 80 to start. */
  readonly maxMemoryMib: number;
}

/** The limits if an operator sets none. */
export const defaultDocumentLimits: DocumentLimits = {
  maxPages: 3000,
  maxCharacters: 20_000_000,
  maxSeconds: 120,
  maxMemoryMib: 768,
};
