/** The routes of knowledge bases and their documents. */
import { AppError } from "../base/errors.ts";
import { FileHeaders, sendFile } from "../http/files/send-file.ts";
import { UserQuery } from "../http/request-fields.ts";
import { bytesBody, defineRoute, defineRoutes, storeErrors } from "../http/route.ts";
import type { AttachmentRows } from "../store/attachments/attachment-rows.ts";
import { toDocumentJson, toDocumentPage, toDocumentText } from "./json.ts";
import type { KnowledgeRows } from "./knowledge-rows.ts";
import {
  BaseParams,
  DocumentParams,
  DocumentsQuery,
  TextQuery,
  toDocumentName,
  UploadHeaders,
} from "./request.ts";
import type { DocumentUploads } from "./uploads.ts";

/** How many passages of a text are sent at a time. */
const textPassages = 50;

/** The knowledge bases of a server. */
export interface Knowledge {
  readonly rows: KnowledgeRows;
  readonly uploads: DocumentUploads;
  readonly originals: AttachmentRows;
  /** Whether passages are embedded. */
  readonly embedsPassages: boolean;
}

/** The services of these routes. */
export interface KnowledgeServices {
  /** `undefined` if nothing is stored, or if users read their rows themselves. */
  readonly knowledge: Knowledge | undefined;
}

const errors = ["history_off", ...storeErrors] as const;

const listKnowledgeBases = defineRoute({
  method: "GET",
  path: "/knowledge-bases",
  query: UserQuery,
  errors,
  handle: async ({ caller, reply }, services: KnowledgeServices) =>
    reply.send({ knowledgeBases: await open(services).rows.listBases(caller) }),
});

const deleteKnowledgeBase = defineRoute({
  method: "DELETE",
  path: "/knowledge-bases/:name",
  params: BaseParams,
  query: UserQuery,
  errors: ["knowledge_base_not_found", ...errors],
  handle: async ({ params: { name }, caller, reply }, services: KnowledgeServices) => {
    if (!(await open(services).rows.deleteBase(caller, name))) missingBase(name);
    return reply.code(204).send();
  },
});

const addDocument = defineRoute({
  method: "POST",
  path: "/knowledge-bases/:name/documents",
  params: BaseParams,
  query: UserQuery,
  headers: UploadHeaders,
  body: bytesBody,
  errors: ["document_type_unknown", "document_too_large", "document_not_found", "knowledge_full", ...errors],
  handle: async ({ params, headers, body: bytes, caller, reply }, services: KnowledgeServices) => {
    const name = toDocumentName(headers["content-disposition"]);
    const sent = { name, mediaType: headers["content-type"], bytes };
    const { uploads, embedsPassages } = open(services);
    const document = await uploads.add(caller, params.name, sent);
    const json = toDocumentJson(document, embedsPassages);
    return reply.code(202).header("location", `/documents/${document.id}`).send(json);
  },
});

const listDocuments = defineRoute({
  method: "GET",
  path: "/knowledge-bases/:name/documents",
  params: BaseParams,
  query: DocumentsQuery,
  errors: ["knowledge_base_not_found", ...errors],
  handle: async ({ params: { name }, query, caller, reply }, services: KnowledgeServices) => {
    const { limit, cursor } = query;
    const before = cursor && { createdAt: cursor.time, id: cursor.id };
    const { rows, embedsPassages } = open(services);
    const found = await rows.list(caller, name, { limit: limit + 1, before });
    return reply.send(toDocumentPage(found ?? missingBase(name), limit, embedsPassages));
  },
});

const documentRoute = {
  path: "/documents/:id",
  params: DocumentParams,
  query: UserQuery,
  errors: ["document_not_found", ...errors],
} as const;

const getDocument = defineRoute({
  method: "GET",
  ...documentRoute,
  handle: async ({ params: { id }, caller, reply }, services: KnowledgeServices) => {
    const { rows, embedsPassages } = open(services);
    return reply.send(toDocumentJson((await rows.get(caller, id)) ?? missing(id), embedsPassages));
  },
});

const getDocumentText = defineRoute({
  method: "GET",
  path: "/documents/:id/text",
  params: DocumentParams,
  query: TextQuery,
  errors: ["document_not_found", ...errors],
  handle: async ({ params: { id }, query: { page, first }, caller, reply }, services: KnowledgeServices) => {
    const { rows } = open(services);
    const found = await rows.readPassages(caller, id, { page, first, limit: textPassages + 1 });
    if (found.length === 0 && (await rows.get(caller, id)) === undefined) missing(id);
    return reply.send(toDocumentText(found, textPassages));
  },
});

const getDocumentOriginal = defineRoute({
  method: "GET",
  path: "/documents/:id/original",
  params: DocumentParams,
  query: UserQuery,
  headers: FileHeaders,
  errors: ["document_not_found", "range_not_satisfiable", ...errors],
  handle: async ({ params: { id }, headers, caller, request, reply }, services: KnowledgeServices) => {
    const { rows, originals } = open(services);
    const { name } = (await rows.get(caller, id)) ?? missing(id);
    const [file = missing(id)] = await originals.findFiles([id], caller);
    const read = (start: number, end: number) => originals.read(file, caller, start, end);
    return await sendFile({ ...file, name, read }, headers, request, reply);
  },
});

const deleteDocument = defineRoute({
  method: "DELETE",
  ...documentRoute,
  handle: async ({ params: { id }, caller, reply }, services: KnowledgeServices) => {
    if (!(await open(services).rows.delete(caller, id))) missing(id);
    return reply.code(204).send();
  },
});

/** `/knowledge-bases`, `/documents` and all paths below them. Contract: docs/protocol.md. */
export const knowledgeRoutes = defineRoutes({
  tag: "Knowledge",
  routes: {
    listKnowledgeBases,
    deleteKnowledgeBase,
    addDocument,
    listDocuments,
    getDocument,
    getDocumentText,
    getDocumentOriginal,
    deleteDocument,
  },
  describe: async () => (await import("./operations.ts")).knowledgeDescription,
});

function open({ knowledge }: KnowledgeServices): Knowledge {
  if (knowledge === undefined) throw new AppError("history_off", "history_off");
  return knowledge;
}

function missing(id: string): never {
  throw new AppError("document_not_found", id);
}

function missingBase(name: string): never {
  throw new AppError("knowledge_base_not_found", name);
}
