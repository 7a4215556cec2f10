/** The citations of an answer, each with its source and its place in the text. */
import type { SourceData } from "../turn-event.ts";
import { findCitations } from "./citations.ts";

/** The most citations of a text that are listed: a model may repeat one without end. */
const maxCitations = 500;
const bracket = /\[([^\]]*)\]/g;
const number = /\d+/g;

/** A source, cited at one place of a text. */
export interface CitedSource {
  readonly source: SourceData;
  /** Where the brackets of the citation begin and end, in Unicode code points. */
  readonly start: number;
  readonly end: number;
}

/** Finds the citations of `sources` in `text`, in their order: the first 500. */
export function findCitedSources(text: string, sources: readonly SourceData[]): readonly CitedSource[] {
  if (sources.length === 0) return [];
  const byNumber = new Map(sources.map((source) => [source.number, source]));
  const points = new CodePoints(text);
  const cited: CitedSource[] = [];
  for (const citation of findCitations(text))
    for (const { 0: found, index } of text.slice(citation.start, citation.end).matchAll(bracket)) {
      const start = points.countTo(citation.start + index);
      const end = points.countTo(citation.start + index + found.length);
      for (const [digits] of found.matchAll(number)) {
        const source = byNumber.get(Number(digits));
        if (source === undefined) continue;
        cited.push({ source, start, end });
        if (cited.length === maxCitations) return cited;
      }
    }
  return cited;
}

/** Counts code points, in one pass over a text. */
class CodePoints {
  readonly #text: string;
  #index = 0;
  #count = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Returns how many there are before `index`, which never gets smaller. */
  countTo(index: number): number {
    this.#count += Array.from(this.#text.slice(this.#index, index)).length;
    this.#index = index;
    return this.#count;
  }
}
