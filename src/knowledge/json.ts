/** Knowledge bases and documents as clients read them. */
import { z } from "zod";
import type { ErrorCode } from "../base/errors.ts";
import { toErrorMessage } from "../base/errors.ts";
import { Code, Count, errorCodes, Id, schemaOf, Time } from "../http/description/response-schema.ts";
import { toCursor } from "../http/lists/page-fields.ts";
import {
  documentStates,
  type DocumentState,
  type KnowledgeBase,
  type StoredDocument,
  type StoredPassage,
} from "./document.ts";

/** A document. Times are ISO 8601. */
export interface DocumentJson {
  readonly id: string;
  readonly knowledgeBase: string;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly state: DocumentState;
  /** Why it failed. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  readonly pagesRead: number;
  readonly pages: number | null;
  readonly passages: number;
  /** How many of them have a vector; null if this server computes none. */
  readonly embedded: number | null;
  readonly createdAt: string;
}

/** A page of documents. */
export interface DocumentPageJson {
  readonly documents: readonly DocumentJson[];
  readonly nextCursor: string | null;
}

/** A user's knowledge bases. */
export interface KnowledgeBasesJson {
  readonly knowledgeBases: readonly KnowledgeBase[];
}

/** A passage of a document's text. */
export interface PassageJson {
  readonly ordinal: number;
  readonly page: number | null;
  readonly heading: string | null;
  readonly text: string;
}

/** A part of a document's text. */
export interface DocumentTextJson {
  readonly passages: readonly PassageJson[];
  /** The `first` of the next part. */
  readonly next: number | null;
}

/** The schema of {@link DocumentJson}. */
export const DocumentSchema = schemaOf<DocumentJson>()("Document", () =>
  z.object({
    id: Id,
    knowledgeBase: z.string(),
    name: z.string(),
    type: z.string().describe("pdf, docx, html, markdown, text or csv."),
    sizeBytes: Count,
    state: z.enum(documentStates).describe("`waiting` until its last page is read."),
    error: z.object({ code: Code, message: z.string() }).nullable().describe("Why it failed."),
    pagesRead: Count,
    pages: Count.nullable().describe("Null until the first page is read, and for types without pages."),
    passages: Count.describe("The passages that can be found so far."),
    embedded: Count.nullable().describe(
      "How many of them can be found by their meaning, too; null on a server without embeddings.",
    ),
    createdAt: Time,
  }),
);

/** The schema of {@link DocumentPageJson}. */
export const DocumentPageSchema = schemaOf<DocumentPageJson>()("DocumentPage", () =>
  z.object({ documents: z.array(DocumentSchema()), nextCursor: z.string().nullable() }),
);

/** The schema of {@link KnowledgeBasesJson}. */
export const KnowledgeBasesSchema = schemaOf<KnowledgeBasesJson>()("KnowledgeBases", () =>
  z.object({
    knowledgeBases: z.array(
      z.object({
        name: z.string(),
        documents: Count,
        waiting: Count.describe("The documents that are not read yet."),
        failed: Count.describe("The documents that cannot be read."),
        passages: Count,
        sizeBytes: Count.describe("The size of all originals."),
        createdAt: Time,
      }),
    ),
  }),
);

/** The schema of {@link DocumentTextJson}. */
export const DocumentTextSchema = schemaOf<DocumentTextJson>()("DocumentText", () =>
  z.object({
    passages: z
      .array(
        z.object({
          ordinal: Count,
          page: Count.nullable(),
          heading: z.string().nullable().describe("The headings above it, joined by ` › `."),
          text: z.string(),
        }),
      )
      .describe("Joined, they are the text."),
    next: Count.nullable().describe("The `first` of the next part; null at the end."),
  }),
);

/**
 * Returns a document as clients read it.
 * @param embedsPassages whether this server computes vectors.
 */
export function toDocumentJson(
  { errorCode, pages, embedded, ...document }: StoredDocument,
  embedsPassages: boolean,
): DocumentJson {
  const code = errorCode === undefined ? undefined : toCode(errorCode);
  return {
    ...document,
    error: code === undefined ? null : { code, message: toErrorMessage(code) },
    pages: pages ?? null,
    embedded: embedsPassages ? embedded : null,
  };
}

/** Returns the first `limit` of `found` as {@link toDocumentJson} does, with a cursor if there are more. */
export function toDocumentPage(
  found: readonly StoredDocument[],
  limit: number,
  embedsPassages: boolean,
): DocumentPageJson {
  const documents = found.slice(0, limit);
  const last = found.length > limit ? documents.at(-1) : undefined;
  return {
    documents: documents.map((document) => toDocumentJson(document, embedsPassages)),
    nextCursor: last === undefined ? null : toCursor({ time: last.createdAt, id: last.id }),
  };
}

/** Returns the first `limit` of `found` as a part of a text. */
export function toDocumentText(found: readonly StoredPassage[], limit: number): DocumentTextJson {
  return {
    passages: found
      .slice(0, limit)
      .map(({ page, heading, ...rest }) => ({ ...rest, page: page ?? null, heading: heading ?? null })),
    next: found[limit]?.ordinal ?? null,
  };
}

/** A code that only another version knows is an error of the document all the same. */
function toCode(code: string): ErrorCode {
  return errorCodes.find((known) => known === code) ?? "document_unreadable";
}
