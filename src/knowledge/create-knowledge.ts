/** Puts the knowledge bases of a server together. */
import type { Clock } from "../base/clock.ts";
import { defaultDocumentLimits } from "../grounding/documents/document.ts";
import type { OpenStore, StoreOptions } from "../store/open-store.ts";
import type { Observer } from "../turn/observer.ts";
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

/** The knowledge bases of a server, whose documents are read in the background. */
export interface ServedKnowledge extends Knowledge {
  /** Finds the sources of turns. */
  readonly search: DocumentSearch;
  /** Reads no more documents. */
  close(): Promise<void>;
}

/** Creates the knowledge bases of `store`; `undefined` if nothing is stored, or users read their own rows. */
export function createKnowledge(
  options: { readonly knowledge: KnowledgeOptions; readonly store: StoreOptions },
  { rows: stored, attachments: originals }: Pick<OpenStore, "rows" | "attachments">,
  clock: Clock,
  observe: Observer,
): ServedKnowledge | undefined {
  if (stored === undefined || originals === undefined || options.store.type === "none") return undefined;
  const { maxPages, maxPassages } = options.knowledge;
  const { maxUserBytes } = options.store.attachments;
  const { database } = stored;
  const rows = new KnowledgeRows(database, { maxPassages, maxUserBytes });
  const reading = new DocumentReading({
    rows: new ReadingRows(database, { maxPassages, leaseMs }),
    originals,
    limits: { ...defaultDocumentLimits, maxPages },
    clock,
    observe,
  });
  const uploads = new DocumentUploads({ rows, originals, onWaiting: () => reading.nudge() });
  const search = new DocumentSearch(new PassageSearch(database));
  return { rows, uploads, originals, search, close: async () => await reading.close() };
}
