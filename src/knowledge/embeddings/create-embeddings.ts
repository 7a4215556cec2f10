/** Puts the embeddings of a server together. Loaded only if they are configured. */
import type { Clock } from "../../base/clock.ts";
import { EmbeddingServer } from "../../grounding/embeddings/embedding-server.ts";
import type { EmbeddingSettings } from "../../grounding/embeddings/settings.ts";
import type { Database } from "../../store/database/database.ts";
import type { Observer } from "../../turn/observer.ts";
import { FusedSearch } from "../search/fused-search.ts";
import type { PassageFinder } from "../search/passage-search.ts";
import { PassageEmbedding } from "./passage-embedding.ts";
import { VectorRows } from "./vector-rows.ts";

/** How long the passages that a server has taken are left to it, in milliseconds. */
const leaseMs = 120_000;
/**
 * How long another model's vectors are left alone, in milliseconds, on a database of several servers: while
 * they are replaced one after the other, the old and the new ones would replace each other's vectors.
 */
const settledMs = 600_000;

/** The embeddings of a server. */
export interface Embeddings {
  /** Finds passages by their words and vectors. */
  readonly search: PassageFinder;
  /** Looks for passages to embed at once. */
  nudge(): void;
  /** Embeds no more. */
  close(): Promise<void>;
}

/** The parts of a server that embeddings need. */
export interface EmbeddingServices {
  readonly words: PassageFinder;
  /** Whether other servers may use the database. */
  readonly isShared: boolean;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Creates the embeddings of `database`, and starts to embed the passages that have none. */
export function createEmbeddings(
  settings: EmbeddingSettings,
  database: Database,
  { words, isShared, clock, observe }: EmbeddingServices,
): Embeddings {
  const server = new EmbeddingServer(settings);
  const rows = new VectorRows(database, { leaseMs, settledMs: isShared ? settledMs : 0 });
  const passages = new PassageEmbedding({ rows, server, clock, observe });
  const search = new FusedSearch({
    words,
    rows,
    server,
    clock,
    observe,
    // Until it is known, no question is sent to the server.
    isAvailable: () => passages.isAvailable === true,
  });
  return {
    search,
    nudge: () => passages.nudge(),
    close: async () => {
      await passages.close();
      await server.close();
    },
  };
}
