/** The sources of a reply, as its message keeps them. */
import { findCitations } from "../../base/shared/citations.ts";
import type { SavedItem, Source, SourceData } from "../turn-event.ts";

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
