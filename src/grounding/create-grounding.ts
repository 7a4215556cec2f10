/** The sources that this server can look for. */
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import { SourceGathering, type SourceSearch } from "./gathering.ts";
import type { WebSearchSettings } from "./web/settings.ts";
import { WebSearch } from "./web/web-search.ts";

/**
 * Returns what looks for sources; `undefined` if there is nothing to search.
 * @param documents the users' documents; `undefined` if this server keeps none.
 */
export function createGrounding(
  settings: WebSearchSettings | undefined,
  documents: SourceSearch | undefined,
  clock: Clock,
  observe: Observer,
): SourceGathering | undefined {
  const web = settings && new WebSearch(settings, clock);
  if (web === undefined && documents === undefined) return undefined;
  return new SourceGathering({ documents, web, clock, observe });
}
