/** The sources of a reply, as clients read them. */
import { z } from "zod";
import type { MessageSource } from "../../turn/sources/message-sources.ts";
import { toMessageSearches, toMessageSources } from "../../turn/sources/message-sources.ts";
import {
  searchStatuses,
  sourceKinds,
  type SavedItem,
  type SearchData,
  type SearchStatus,
  type SourceData,
  type SourceKind,
} from "../../turn/turn-event.ts";
import { Count, Id } from "../description/response-schema.ts";

/** A source; fields that it does not have are `null`. Contract: docs/protocol.md. */
export interface SourceJson {
  readonly sourceId: string;
  readonly number: number;
  readonly kind: SourceKind;
  readonly title: string;
  readonly url: string | null;
  readonly documentId: string | null;
  readonly page: number | null;
  readonly heading: string | null;
  readonly quote: string;
}

/** A source of a reply that may cite it. */
export interface CitedSourceJson extends SourceJson {
  readonly isCited: boolean;
}

/** A search that was made before the model was asked. */
export interface SearchJson {
  readonly kind: SourceKind;
  readonly query: string;
  readonly status: SearchStatus;
}

const Kind = z.enum(sourceKinds).describe("Where it comes from: the user's documents, or the web.");

/** The fields of a source, as schemas. */
export const sourceFields = {
  sourceId: z.string().describe("Names it among the sources of its turn."),
  number: Count.describe("The number by which the answer cites it: `[1]`."),
  kind: Kind,
  title: z.string(),
  url: z.string().nullable().describe("The address of a page on the web."),
  documentId: Id.nullable(),
  page: Count.nullable().describe("The page of the document, from 1, if it has pages."),
  heading: z.string().nullable().describe("The headings that it stands under, joined by ` › `."),
  quote: z.string().describe("The beginning of its text."),
};

/** The fields of a search, as schemas. */
export const searchFields = {
  kind: Kind,
  query: z.string(),
  status: z.enum(searchStatuses).describe("A search that failed does not fail its turn."),
};

/** The schema of a {@link CitedSourceJson}. */
const CitedSource = z.object({
  ...sourceFields,
  isCited: z.boolean().describe("Whether the answer cites it."),
});

/** The fields of a turn's state about its sources, which are absent if there are none, as schemas. */
export const sourceStateFields = {
  searches: z.array(z.object(searchFields)).exactOptional().describe("What was searched for sources."),
  sources: z.array(CitedSource).exactOptional().describe("The sources that the model was given."),
};

/** The fields of a turn's state about its sources; absent if there are none. */
export interface SourceStates {
  readonly searches?: readonly SearchJson[];
  readonly sources?: readonly CitedSourceJson[];
}

/** Returns a source as clients read it. */
export function toSourceJson(source: SourceData): SourceJson {
  const { sourceId, number, kind, title, url = null, documentId = null, quote } = source;
  const { page = null, heading = null } = source;
  return { sourceId, number, kind, title, url, documentId, page, heading, quote };
}

/** Returns a search as clients read it. */
export function toSearchJson({ kind, query, status }: SearchData): SearchJson {
  return { kind, query, status };
}

/** Returns a source of a message as clients read it. */
export function toCitedSourceJson(source: MessageSource): CitedSourceJson {
  return { ...toSourceJson(source), isCited: source.isCited };
}

/** Returns the searches and sources among `items`, the saved items of a turn. */
export function toSourceStates(items: readonly SavedItem[], answer: string | undefined): SourceStates {
  const searches = toMessageSearches(items);
  if (searches === undefined) return {};
  const sources = toMessageSources(items, answer ?? "");
  return {
    searches: searches.map(toSearchJson),
    ...(sources !== undefined && { sources: sources.map(toCitedSourceJson) }),
  };
}
