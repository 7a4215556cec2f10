/** The sources that this server can look for. */
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import { SourceGathering } from "./gathering.ts";
import type { WebSearchSettings } from "./web/settings.ts";
import { WebSearch } from "./web/web-search.ts";

/** Returns what looks for sources; `undefined` if there is nothing to search. */
export function createGrounding(
  settings: WebSearchSettings | undefined,
  clock: Clock,
  observe: Observer,
): SourceGathering | undefined {
  const web = settings && new WebSearch(settings, clock);
  return web && new SourceGathering({ documents: undefined, web, clock, observe });
}
