/** The sources that this server can look for. */
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import { readDocument, type ReadDocument } from "./documents/read-document.ts";
import { SourceGathering, type SourceSearch } from "./gathering.ts";
import type { WebSearchSettings } from "./web/settings.ts";
import { WebSearch } from "./web/web-search.ts";

/** The users' documents. */
export interface SearchedDocuments {
  readonly search: SourceSearch;
  /** How this server reads documents. */
  readonly readDocument: ReadDocument;
}

/**
 * Returns what looks for sources; `undefined` if there is nothing to search.
 * @param documents the users' documents; `undefined` if this server keeps none.
 */
export function createGrounding(
  settings: WebSearchSettings | undefined,
  documents: SearchedDocuments | undefined,
  clock: Clock,
  observe: Observer,
): SourceGathering | undefined {
  const web = settings && new WebSearch(settings, clock, documents?.readDocument ?? readDocument);
  if (web === undefined && documents === undefined) return undefined;
  return new SourceGathering({ documents: documents?.search, web, clock, observe });
}
