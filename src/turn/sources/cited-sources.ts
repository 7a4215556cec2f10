/** The citations of an answer, each with its source and its place in the text. */
import { findCitations } from "../../base/shared/citations.ts";
import type { SourceData } from "../turn-event.ts";

/** The most citations of a text that are listed: a model may repeat one without end. */
const maxCitations = 500;

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
  for (const citation of findCitations(text)) {
    const start = points.countTo(citation.start);
    const end = points.countTo(citation.end);
    for (const number of citation.numbers) {
      const source = byNumber.get(number);
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
