/** The sources that this server can look for. */
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import { readDocument, type ReadDocument } from "./documents/read-document.ts";
import { SourceGathering, type SourceSearch } from "./gathering.ts";
import type { WebSearchSettings } from "./web/settings.ts";
import type { WebSearch } from "./web/web-search.ts";

/** The users' documents. */
export interface SearchedDocuments {
  readonly search: SourceSearch;
  /** How this server reads documents. */
  readonly readDocument: ReadDocument;
}

/**
 * Resolves with what looks for sources; `undefined` if there is nothing to search.
 * @param documents the users' documents; `undefined` if this server keeps none.
 */
export async function createGrounding(
  settings: WebSearchSettings | undefined,
  documents: SearchedDocuments | undefined,
  clock: Clock,
  observe: Observer,
): Promise<SourceGathering | undefined> {
  if (settings === undefined && documents === undefined) return undefined;
  const web = settings && (await createWebSearch(settings, clock, documents?.readDocument ?? readDocument));
  return new SourceGathering({ documents: documents?.search, web, clock, observe });
}

async function createWebSearch(...parts: ConstructorParameters<typeof WebSearch>): Promise<WebSearch> {
  const { WebSearch } = await import("./web/web-search.ts");
  return new WebSearch(...parts);
}
