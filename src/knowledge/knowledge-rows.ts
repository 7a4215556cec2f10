/** The rows of knowledge bases and their documents. */
import { z } from "zod";
import type { Caller } from "../base/caller.ts";
import type { JsonObject } from "../base/json.ts";
import { service, type Database } from "../store/database/database.ts";
import {
  documentStates,
  type KnowledgeBase,
  type KnowledgeLimits,
  type NewDocument,
  type StoredDocument,
  type StoredPassage,
} from "./document.ts";
import { callKnowledge, PassageRow } from "./knowledge-call.ts";

/** The most documents of a user: those without passages, too. */
const maxDocuments = 10_000;
/** About how many passages a step deletes. */
const stepPassages = 1_000;

const Missing = z.object({ missing: z.literal(true) });
const DeleteResult = z.object({ found: z.boolean(), more: z.boolean() });
const SaveResult = z.union([z.object({ is_full: z.literal(true) }), z.object({ is_stored: z.boolean() })]);

const DocumentRow = z
  .object({
    id: z.string(),
    knowledge_base: z.string(),
    name: z.string(),
    type: z.string(),
    size_bytes: z.number(),
    state: z.enum(documentStates),
    error_code: z.string().nullable(),
    pages_read: z.number(),
    pages: z.number().nullable(),
    passage_count: z.number(),
    embedded_count: z.number().default(0), // since version 12
    created_at: z.string(),
  })
  .transform((row): StoredDocument => ({
    id: row.id,
    knowledgeBase: row.knowledge_base,
    name: row.name,
    type: row.type,
    sizeBytes: row.size_bytes,
    state: row.state,
    errorCode: row.error_code ?? undefined,
    pagesRead: row.pages_read,
    pages: row.pages ?? undefined,
    passages: row.passage_count,
    embedded: row.embedded_count,
    createdAt: row.created_at,
  }));

const BaseRow = z
  .object({
    name: z.string(),
    documents: z.number(),
    waiting: z.number(),
    failed: z.number(),
    passages: z.number(),
    size_bytes: z.number(),
    created_at: z.string(),
  })
  .transform(({ size_bytes: sizeBytes, created_at: createdAt, ...row }): KnowledgeBase => ({
    ...row,
    sizeBytes,
    createdAt,
  }));

/** A page of documents. */
export interface DocumentFilter {
  readonly limit: number;
  /** The last document of the page before. */
  readonly before: { readonly createdAt: string; readonly id: string } | undefined;
}

/** Some passages of a document. */
export interface PassageFilter {
  /** The only page wanted; `undefined` for all. */
  readonly page: number | undefined;
  /** The ordinal of the first one wanted. */
  readonly first: number;
  readonly limit: number;
}

/**
 * The rows of knowledge bases and documents. Rejects as {@link Database.call} does, and with
 * `store_schema_mismatch` if the schema is too old.
 */
export class KnowledgeRows {
  readonly #database: Database;
  readonly #limits: KnowledgeLimits;

  constructor(database: Database, limits: KnowledgeLimits) {
    this.#database = database;
    this.#limits = limits;
  }

  /**
   * Adds a document to a knowledge base, which is created if need be. It is read once its original is stored:
   * if that is `missing`, store it, then save the document again. A document that has failed is read again.
   * `full`: its user has no room for it.
   */
  async save(
    caller: Caller,
    knowledgeBase: string,
    document: NewDocument,
  ): Promise<"stored" | "missing" | "full"> {
    const { id, name, type, sizeBytes } = document;
    const { maxPassages, maxUserBytes } = this.#limits;
    const argument = {
      owner: caller.userId,
      knowledge_base: knowledgeBase,
      id,
      name,
      type,
      size_bytes: sizeBytes,
      max_documents: maxDocuments,
      max_passages: maxPassages,
      max_bytes: caller.userId === undefined ? undefined : maxUserBytes,
    };
    const result = await callKnowledge(this.#database, "chat_save_document", argument, service, SaveResult);
    if ("is_full" in result) return "full";
    return result.is_stored ? "stored" : "missing";
  }

  /** Resolves with the caller's knowledge bases by name, at most 1,000. */
  async listBases(caller: Caller): Promise<readonly KnowledgeBase[]> {
    return await callKnowledge(this.#database, "chat_list_knowledge_bases", {}, caller, z.array(BaseRow));
  }

  /** Resolves with documents of a knowledge base, newest first; `undefined` if there is no such base. */
  async list(
    caller: Caller,
    knowledgeBase: string,
    { limit, before }: DocumentFilter,
  ): Promise<readonly StoredDocument[] | undefined> {
    const argument = {
      knowledge_base: knowledgeBase,
      limit,
      before: before && { created_at: before.createdAt, id: before.id },
    };
    return await this.#list(argument, caller);
  }

  async get(caller: Caller, id: string): Promise<StoredDocument | undefined> {
    return (await this.#list({ document_id: id, limit: 1 }, caller))?.[0];
  }

  /** Resolves with passages of a document, in order. */
  async readPassages(
    caller: Caller,
    id: string,
    { page, first, limit }: PassageFilter,
  ): Promise<readonly StoredPassage[]> {
    const argument = { document_id: id, page, first, limit };
    return await callKnowledge(this.#database, "chat_read_document", argument, caller, z.array(PassageRow));
  }

  /** Deletes a document with its original; resolves with whether there was one. */
  async delete(caller: Caller, id: string): Promise<boolean> {
    return await this.#delete({ owner: caller.userId, document_id: id });
  }

  /** Deletes a knowledge base with all its documents; resolves with whether there was one. */
  async deleteBase(caller: Caller, name: string): Promise<boolean> {
    return await this.#delete({ owner: caller.userId, knowledge_base: name });
  }

  /** Deletes in steps: other writes, and on the embedded database all calls, wait for a step to end. */
  async #delete(argument: JsonObject): Promise<boolean> {
    const bounded = { ...argument, max_passages: stepPassages };
    for (let isFound = false; ;) {
      const { found, more } = await callKnowledge(
        this.#database,
        "chat_delete_documents",
        bounded,
        service,
        DeleteResult,
      );
      isFound ||= found;
      if (!more) return isFound;
    }
  }

  async #list(argument: JsonObject, caller: Caller): Promise<readonly StoredDocument[] | undefined> {
    const schema = z.array(DocumentRow).or(Missing);
    const found = await callKnowledge(this.#database, "chat_list_documents", argument, caller, schema);
    return "missing" in found ? undefined : found;
  }
}
