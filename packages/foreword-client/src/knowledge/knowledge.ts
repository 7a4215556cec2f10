/** `foreword-client/knowledge`: a user's knowledge bases and their documents (docs/knowledge.md). */
import type { DocumentJson, DocumentPageJson, KnowledgeBasesJson } from "../../../../src/knowledge/json.ts";
import { ServerCalls, toServer, type ClientOptions, type RequestOptions } from "../server-calls.ts";

export type { DocumentJson as KnowledgeDocument } from "../../../../src/knowledge/json.ts";
/** A knowledge base, with the numbers of its documents. */
export type KnowledgeBase = KnowledgeBasesJson["knowledgeBases"][number];

const path = "/knowledge-bases";

/** The documents to list. */
export interface DocumentsOptions extends RequestOptions {
  /** 1 to 100. Default: 20. */
  readonly limit?: number | undefined;
  /** The `nextCursor` of the page before. Default: the first page. */
  readonly cursor?: string | null | undefined;
}

/**
 * The knowledge bases of one user. Everything throws a ForewordError: `history_off` if the server stores
 * nothing, `knowledge_base_not_found` or `document_not_found` for an unknown one or another user's.
 */
export interface KnowledgeBases {
  /** Resolves with all of them, by name. */
  list(options?: RequestOptions): Promise<readonly KnowledgeBase[]>;
  /** Deletes one with all its documents. */
  delete(name: string, options?: RequestOptions): Promise<void>;
  /** Resolves with a page of its documents, newest first. */
  documents(name: string, options?: DocumentsOptions): Promise<DocumentPageJson>;
  /**
   * Adds a document, with the name of its `File`, and resolves with it before it is read. The knowledge base
   * is created if it does not exist. The same bytes again are the same document.
   * @throws `document_type_unknown`, `document_too_large` or `knowledge_full`.
   */
  add(name: string, file: Blob & { readonly name?: string }, options?: RequestOptions): Promise<DocumentJson>;
  /** Resolves with a document, and how far it is read. */
  document(id: string, options?: RequestOptions): Promise<DocumentJson>;
  /** Deletes a document. */
  deleteDocument(id: string, options?: RequestOptions): Promise<void>;
}

/**
 * Returns the knowledge bases of a client's user, by the options of `createClient`.
 * @throws TypeError if `baseUrl` is not an absolute URL.
 */
export function createKnowledgeBases(options: ClientOptions): KnowledgeBases {
  const { server, retry } = toServer(options);
  const calls = new ServerCalls(server, retry);
  return {
    list: async (more) =>
      (await calls.json<KnowledgeBasesJson>({ method: "GET", path }, more)).knowledgeBases,
    delete: async (name, more) => {
      const doneCode = "knowledge_base_not_found";
      await calls.blob({ method: "DELETE", path: toPath(name), doneCode }, more);
    },
    documents: async (name, { limit, cursor, ...more } = {}) =>
      await calls.json({ method: "GET", path: `${toPath(name)}/documents`, query: { limit, cursor } }, more),
    add: async (name, file, more) => {
      const fileName = encodeURIComponent(file.name ?? "").replaceAll(
        /[!'()*]/g,
        (character) => `%${character.charCodeAt(0).toString(16)}`,
      );
      const headers = {
        "content-type": file.type || "application/octet-stream",
        "content-disposition": `attachment; filename*=UTF-8''${fileName}`,
      };
      const request = { method: "POST", path: `${toPath(name)}/documents`, headers, body: file } as const;
      return await calls.json(request, more);
    },
    document: async (id, more) => await calls.json({ method: "GET", path: toDocumentPath(id) }, more),
    deleteDocument: async (id, more) => {
      await calls.blob({ method: "DELETE", path: toDocumentPath(id), doneCode: "document_not_found" }, more);
    },
  };
}

function toPath(name: string): string {
  return `${path}/${encodeURIComponent(name)}`;
}

function toDocumentPath(id: string): string {
  return `/documents/${encodeURIComponent(id)}`;
}
