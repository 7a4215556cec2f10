/** The citations of an answer as OpenAI's `url_citation`, which its clients read in both of its APIs. */
import { z } from "zod";
import { findCitedSources } from "../../turn/sources/cited-sources.ts";
import type { SourceData } from "../../turn/turn-event.ts";
import { Count } from "../description/response-schema.ts";

/** A citation. */
export interface UrlCitation {
  /** Where its brackets begin in the text, in Unicode code points. */
  readonly start_index: number;
  /** The place after them. */
  readonly end_index: number;
  readonly title: string;
  /** The address of a page on the web, or the path of a document's page on this server. */
  readonly url: string;
}

/** The fields of a {@link UrlCitation}, as schemas. */
export const urlCitationFields = {
  start_index: Count.describe("Where the brackets begin in the text, in Unicode code points."),
  end_index: Count.describe("The place after them."),
  title: z.string(),
  url: z.string().describe("The address of a page, or the path of a document's page on this server."),
};

/** Returns the citations of `sources` in `text`. */
export function toUrlCitations(text: string, sources: readonly SourceData[]): readonly UrlCitation[] {
  return findCitedSources(text, sources).map(({ source, start, end }) => ({
    start_index: start,
    end_index: end,
    title: source.title,
    url: toUrl(source),
  }));
}

function toUrl({ url, documentId, page }: SourceData): string {
  if (url !== undefined) return url;
  if (documentId === undefined) return "";
  const query = page === undefined ? "" : `?page=${page}`;
  return `/documents/${encodeURIComponent(documentId)}/text${query}`;
}
