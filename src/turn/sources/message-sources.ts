/** The sources of a reply and the searches for them, as its message keeps them. */
import { findCitations } from "../../base/shared/citations.ts";
import type { SavedItem, Search, SearchData, Source, SourceData } from "../turn-event.ts";

/** A source of a message. */
export interface MessageSource extends SourceData {
  /** Whether the answer cites it. */
  readonly isCited: boolean;
}

/** Returns the sources among `items`; `undefined` if there are none. */
export function toMessageSources(
  items: readonly SavedItem[],
  answer: string,
): readonly MessageSource[] | undefined {
  const sources = items.filter((item): item is Source => item.type === "source");
  if (sources.length === 0) return undefined;
  const cited = new Set(findCitations(answer).flatMap(({ numbers }) => numbers));
  return sources.map(({ type: _type, position: _position, ordinal: _ordinal, ...source }) => ({
    ...source,
    isCited: cited.has(source.number),
  }));
}

/** Returns the searches among `items`; `undefined` if there are none. */
export function toMessageSearches(items: readonly SavedItem[]): readonly SearchData[] | undefined {
  const searches = items.filter((item): item is Search => item.type === "search");
  if (searches.length === 0) return undefined;
  return searches.map(({ kind, query, status }) => ({ kind, query, status }));
}
