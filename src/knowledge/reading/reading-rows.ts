/** The rows of documents while they are read: leases, passages and progress. */
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import { optional } from "../../base/parse.ts";
import { service, type Database } from "../../store/database/database.ts";
import type { StoredPassage } from "../document.ts";
import { callKnowledge } from "../knowledge-call.ts";

/** How long the reading of a document is left to a server that gives no sign of life, in milliseconds. */
export const leaseMs = 60_000;
/** About how many passages of an earlier reading are deleted at a time. */
const maxDeleted = 1_000;

const Taken = z
  .object({
    id: z.string(),
    user_id: optional(z.string()),
    knowledge_base_id: z.string(),
    name: z.string(),
    type: z.string(),
    attempts: z.number(),
  })
  .transform(({ user_id: userId, knowledge_base_id: knowledgeBaseId, ...row }) => ({
    ...row,
    userId,
    knowledgeBaseId,
  }));

/** A document that this server reads. `attempts` counts how often a server has taken it. */
export type TakenDocument = z.output<typeof Taken>;

const Saved = z.object({ is_held: z.boolean(), is_full: z.boolean(), more: z.boolean() });

/** A passage with its words, as a `tsvector`. */
export interface ReadPassage extends StoredPassage {
  readonly words: string;
}

/** How far a reading is. */
export interface ReadingProgress {
  readonly pagesRead: number;
  readonly pages: number | undefined;
  /** Of all passages so far. */
  readonly passages: number;
  readonly words: number;
}

/** How a reading ends; `waiting` gives it back for a later one. */
export type ReadingEnd =
  | { readonly state: "ready" | "waiting" }
  | { readonly state: "failed"; readonly errorCode: ErrorCode };

/** The outcome of a write: `lost` if the document was deleted, or is read by another server. */
export type SavedReading = "held" | "full" | "lost";

/** The settings of {@link ReadingRows}. */
export interface ReadingRowsOptions {
  /** Of a user, in all knowledge bases. */
  readonly maxPassages: number;
  /** Usually {@link leaseMs}. */
  readonly leaseMs: number;
}

/** The rows of documents that are read. Rejects as `callKnowledge` does. */
export class ReadingRows {
  readonly #database: Database;
  readonly #options: ReadingRowsOptions;

  constructor(database: Database, options: ReadingRowsOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Takes a document that waits to be read, until its lease ends; `undefined` if there is none. */
  async take(leaseId: string): Promise<TakenDocument | undefined> {
    const argument = { lease_id: leaseId, lease_ms: this.#options.leaseMs };
    const schema = z.object({ document: optional(Taken) });
    return (await callKnowledge(this.#database, "chat_take_document", argument, service, schema)).document;
  }

  /** Stores passages and the progress of a reading, whose lease starts again. It may be repeated. */
  async save(
    documentId: string,
    leaseId: string,
    progress: ReadingProgress,
    passages: readonly ReadPassage[],
  ): Promise<SavedReading> {
    return await this.#save(documentId, leaseId, progress, passages, undefined);
  }

  /** Ends a reading. Passages of an earlier reading that this one did not replace are deleted. */
  async end(
    documentId: string,
    leaseId: string,
    progress: ReadingProgress,
    end: ReadingEnd,
  ): Promise<SavedReading> {
    return await this.#save(documentId, leaseId, progress, [], end);
  }

  async #save(
    documentId: string,
    leaseId: string,
    { pagesRead, pages, passages: passageCount, words: wordCount }: ReadingProgress,
    passages: readonly ReadPassage[],
    end: ReadingEnd | undefined,
  ): Promise<SavedReading> {
    const argument = {
      document_id: documentId,
      lease_id: leaseId,
      lease_ms: this.#options.leaseMs,
      passages: passages.map((passage) => ({ ...passage })),
      pages_read: pagesRead,
      pages,
      passage_count: passageCount,
      word_count: wordCount,
      max_passages: this.#options.maxPassages,
      max_deleted: maxDeleted,
      end: end && { state: end.state, error_code: end.state === "failed" ? end.errorCode : undefined },
    };
    for (;;) {
      const saved = await callKnowledge(this.#database, "chat_save_passages", argument, service, Saved);
      if (!saved.is_held) return "lost";
      if (!saved.more) return saved.is_full ? "full" : "held";
    }
  }
}
