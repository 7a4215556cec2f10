/** Puts the knowledge bases of a server together. */
import type { Clock } from "../base/clock.ts";
import { defaultDocumentLimits } from "../grounding/documents/document.ts";
import { ReadingProcess } from "../grounding/documents/process/reading-process.ts";
import type { ReadDocument } from "../grounding/documents/read-document.ts";
import type { EmbeddingSettings } from "../grounding/embeddings/settings.ts";
import type { OpenStore, StoreOptions } from "../store/open-store.ts";
import type { Observer } from "../turn/observer.ts";
import type { createEmbeddings, Embeddings } from "./embeddings/create-embeddings.ts";
import { DocumentReading } from "./reading/document-reading.ts";
import { KnowledgeRows } from "./knowledge-rows.ts";
import { DocumentSearch } from "./search/document-search.ts";
import { PassageSearch } from "./search/passage-search.ts";
import { leaseMs, ReadingRows } from "./reading/reading-rows.ts";
import type { Knowledge } from "./routes.ts";
import { DocumentUploads } from "./uploads.ts";

/** The settings of knowledge bases. */
export interface KnowledgeOptions {
  /** The largest document, in bytes. */
  readonly maxDocumentBytes: number;
  /** The most pages of a document. */
  readonly maxPages: number;
  /** The most passages of a user, in all knowledge bases. */
  readonly maxPassages: number;
}

/** The settings of knowledge bases and their store. */
export interface CreateKnowledgeOptions {
  readonly knowledge: KnowledgeOptions;
  /** The server of embeddings; `undefined` if documents are found by their words alone. */
  readonly embeddings: EmbeddingSettings | undefined;
  readonly store: StoreOptions;
}

/** The knowledge bases of a server, whose documents are read in the background. */
export interface ServedKnowledge extends Knowledge {
  /** Finds the sources of turns. */
  readonly search: DocumentSearch;
  /** How this server reads documents. */
  readonly readDocument: ReadDocument;
  /** Reads no more documents. */
  close(): Promise<void>;
}

/**
 * Creates the knowledge bases of `store`; resolves with `undefined` if nothing is stored, or users read their
 * own rows.
 */
export async function createKnowledge(
  options: CreateKnowledgeOptions,
  { rows: stored, attachments: originals }: Pick<OpenStore, "rows" | "attachments">,
  clock: Clock,
  observe: Observer,
): Promise<ServedKnowledge | undefined> {
  if (stored === undefined || originals === undefined || options.store.type === "none") return undefined;
  const { maxPages, maxPassages } = options.knowledge;
  const { maxUserBytes } = options.store.attachments;
  const { database } = stored;
  const rows = new KnowledgeRows(database, { maxPassages, maxUserBytes });
  const isShared = options.store.type !== "embedded";
  const process = new ReadingProcess();
  const words = new PassageSearch(database);
  const { embeddings: settings } = options;
  const services = { words, isShared, clock, observe };
  const embeddings = settings && (await openEmbeddings(settings, database, services));
  const reading = new DocumentReading({
    rows: new ReadingRows(database, { maxPassages, leaseMs }),
    originals,
    limits: { ...defaultDocumentLimits, maxPages },
    readDocument: process.read,
    clock,
    observe,
    onRead: () => embeddings?.nudge(),
  });
  const uploads = new DocumentUploads({ rows, originals, onWaiting: () => reading.nudge() });
  const search = new DocumentSearch(embeddings?.search ?? words, rows, clock);
  const close = async (): Promise<void> => {
    await Promise.all([reading.close(), embeddings?.close()]);
    process.close();
  };
  const embedsPassages = embeddings !== undefined;
  return { rows, uploads, originals, search, readDocument: process.read, embedsPassages, close };
}

/** Loads the code of embeddings. */
async function openEmbeddings(...parts: Parameters<typeof createEmbeddings>): Promise<Embeddings> {
  const code = await import("./embeddings/create-embeddings.ts");
  return code.createEmbeddings(...parts);
}
