/** Documents of knowledge bases, and the passages that they are searched and quoted by. */

/** The states of a document: to be read, read, and not readable. */
export const documentStates = ["waiting", "ready", "failed"] as const;

/** A state of a document. */
export type DocumentState = (typeof documentStates)[number];

/** A stored document. */
export interface StoredDocument {
  readonly id: string;
  /** The name of its knowledge base. */
  readonly knowledgeBase: string;
  readonly name: string;
  /** One of the types that documents are read as; of another version's, possibly. */
  readonly type: string;
  readonly sizeBytes: number;
  readonly state: DocumentState;
  /** Why it failed. */
  readonly errorCode: string | undefined;
  /** How many of its pages have been read, and how many it has; `undefined` if its type has no pages. */
  readonly pagesRead: number;
  readonly pages: number | undefined;
  /** How many of its passages can be found so far. */
  readonly passages: number;
  /** How many of them have a vector. */
  readonly embedded: number;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A document that is to be added. */
export interface NewDocument {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
}

/** A user's knowledge base. */
export interface KnowledgeBase {
  readonly name: string;
  /** How many documents it has, how many of these wait to be read, and how many failed. */
  readonly documents: number;
  readonly waiting: number;
  readonly failed: number;
  readonly passages: number;
  /** Of the originals. */
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** A stored passage. */
export interface StoredPassage {
  readonly ordinal: number;
  /** From 1; `undefined` if the document has no pages. */
  readonly page: number | undefined;
  /** The headings above it. */
  readonly heading: string | undefined;
  readonly text: string;
}

/** A passage that was found. */
export interface FoundPassage extends StoredPassage {
  readonly documentId: string;
  readonly documentName: string;
}

/** How much knowledge a user may have. */
export interface KnowledgeLimits {
  /** In all knowledge bases together. */
  readonly maxPassages: number;
  /** Of all files of a user, in bytes, originals of documents included; `undefined` for no limit. */
  readonly maxUserBytes: number | undefined;
}
