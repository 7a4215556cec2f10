/** The rows of vectors: passages that have none yet, and the passages nearest to a question. */
import { z } from "zod";
import type { Caller } from "../../base/caller.ts";
import { optional } from "../../base/parse.ts";
import type { EmbeddedText } from "../../grounding/embeddings/embedding-server.ts";
import { service, type Database } from "../../store/database/database.ts";
import type { FoundPassage } from "../document.ts";
import { callKnowledge, vectorsVersion } from "../knowledge-call.ts";

/** The settings of {@link VectorRows}, in milliseconds. */
export interface VectorRowsOptions {
  /** How long passages are left to a server that gives no sign of life. */
  readonly leaseMs: number;
  /** How long ago another model's last vector of a document must have come before it is replaced. */
  readonly settledMs: number;
}

const Taken = z.object({
  is_available: z.boolean(),
  document: optional(
    z.object({
      id: z.string(),
      passage_count: z.number(),
      passages: z.array(z.object({ ordinal: z.number(), heading: z.string().nullable(), text: z.string() })),
    }),
  ),
});
const Saved = z.object({ is_held: z.boolean() });
const Similar = z.object({
  is_available: z.boolean(),
  passages: z.array(
    z.object({
      document_id: z.string(),
      ordinal: z.number(),
      similarity: z.number(),
      document_name: z.string().nullable(),
      page: z.number().nullable(),
      heading: z.string().nullable(),
      text: z.string().nullable(),
    }),
  ),
});

/** Passages without a vector, of one document. */
export interface UnembeddedPassages {
  readonly documentId: string;
  /** Of the whole document. */
  readonly passageCount: number;
  readonly passages: readonly UnembeddedPassage[];
}

/** A passage without a vector. */
export type UnembeddedPassage = Pick<FoundPassage, "ordinal" | "heading" | "text">;

/** The vector of a passage. */
export interface PassageVector {
  readonly ordinal: number;
  readonly vector: Float32Array;
}

/** How similar a passage is to a question: the cosine of their vectors. */
export interface SimilarPassage {
  readonly documentId: string;
  readonly ordinal: number;
  readonly similarity: number;
  /** `undefined` for one of those that were asked for. */
  readonly passage: FoundPassage | undefined;
}

/** The rows of vectors. Rejects as `callKnowledge` does. */
export class VectorRows {
  readonly #database: Database;
  readonly #options: VectorRowsOptions;

  constructor(database: Database, options: VectorRowsOptions) {
    this.#database = database;
    this.#options = options;
  }

  /**
   * Takes passages of one document that have no vector of `model`, until its lease ends; `undefined` if there
   * are none, or for no model. `unavailable` if the database cannot store vectors.
   */
  async take(
    model: string | undefined,
    leaseId: string,
    limit: number,
  ): Promise<UnembeddedPassages | "unavailable" | undefined> {
    const { leaseMs, settledMs } = this.#options;
    const argument = { model, lease_id: leaseId, lease_ms: leaseMs, settled_ms: settledMs, limit };
    const taken = await this.#call("chat_take_unembedded", argument, Taken);
    if (!taken.is_available) return "unavailable";
    const { document } = taken;
    return (
      document && {
        documentId: document.id,
        passageCount: document.passage_count,
        passages: document.passages.map((row) => ({ ...row, heading: row.heading ?? undefined })),
      }
    );
  }

  /**
   * Stores vectors of passages that were taken; resolves with whether they still are this lease's.
   * @param next the ordinal of the first passage that is left.
   * @param isLast whether the document is given back.
   */
  async save(
    {
      documentId,
      leaseId,
      model,
    }: { readonly documentId: string; readonly leaseId: string; readonly model: string },
    vectors: readonly PassageVector[],
    { next, isLast }: { readonly next: number; readonly isLast: boolean },
  ): Promise<boolean> {
    const argument = {
      document_id: documentId,
      lease_id: leaseId,
      model,
      vectors: vectors.map(({ ordinal, vector }) => ({ ordinal, vector: toText(vector) })),
      next,
      lease_ms: isLast ? undefined : this.#options.leaseMs,
    };
    return (await this.#call("chat_save_vectors", argument, Saved)).is_held;
  }

  /**
   * Resolves with the passages of a user's knowledge base that are nearest to a question, the nearest first,
   * and with the similarity of `others`; `undefined` if the database cannot store vectors.
   */
  async findSimilar(
    { userId }: Pick<Caller, "userId">,
    knowledgeBase: string,
    { model, vector }: EmbeddedText,
    limit: number,
    others: readonly Pick<FoundPassage, "documentId" | "ordinal">[],
  ): Promise<readonly SimilarPassage[] | undefined> {
    const argument = {
      owner: userId,
      knowledge_base: knowledgeBase,
      model,
      vector: toText(vector),
      limit,
      others: others.map(({ documentId, ordinal }) => ({ document_id: documentId, ordinal })),
    };
    const found = await this.#call("chat_find_similar", argument, Similar);
    return found.is_available ? found.passages.map(toSimilar) : undefined;
  }

  async #call<Schema extends z.ZodType>(
    name: "chat_take_unembedded" | "chat_save_vectors" | "chat_find_similar",
    argument: Parameters<Database["call"]>[1],
    schema: Schema,
  ): Promise<z.output<Schema>> {
    // Older schemas do not have these functions.
    if (this.#database.schemaVersion === undefined)
      await this.#database.call("chat_describe_schema", {}, service);
    return await callKnowledge(this.#database, name, argument, service, schema, vectorsVersion);
  }
}

function toSimilar(row: z.output<typeof Similar>["passages"][number]): SimilarPassage {
  const { document_id: documentId, document_name: documentName, ordinal, similarity, text } = row;
  const passage =
    documentName === null || text === null
      ? undefined
      : {
          documentId,
          documentName,
          ordinal,
          text,
          page: row.page ?? undefined,
          heading: row.heading ?? undefined,
        };
  return { documentId, ordinal, similarity, passage };
}

/** Returns a vector as the database reads it. Seven digits are all that its numbers hold. */
function toText(vector: Float32Array): string {
  return `[${Array.from(vector, (value) => value.toPrecision(7)).join(",")}]`;
}
