/** Cuts the text of a document into passages, the pieces that are found and cited. */
import type { DocumentHeading, DocumentPage } from "./document.ts";

/** A piece of a document. The passages of a page, joined, are its text. */
export interface Passage {
  /** Its place in the document, from 0. */
  readonly ordinal: number;
  /** The page that it stands on; `undefined` if the document has no pages. */
  readonly page: number | undefined;
  /** The headings that it stands under, the most important first, joined by ` › `. */
  readonly heading: string | undefined;
  /** At most `maxPassageCharacters`, cut between sentences if possible, never inside a surrogate pair. */
  readonly text: string;
}

/** The longest text of a passage, in UTF-16 units: about 400 tokens of English, 1,000 of Chinese. */
export const maxPassageCharacters = 1600;
/** A section that is shorter is put together with the next one. */
const smallCharacters = 200;
/** How much of a document without pages is held before it is cut. */
const heldCharacters = 32_768;
const maxHeadingCharacters = 300;
/** How much longer than its title the line of a heading may be, like `### ` in Markdown. */
const maxSignCharacters = 8;
const sentences = new Intl.Segmenter(undefined, { granularity: "sentence" });

/** A part of the text under one heading. */
interface Section {
  readonly text: string;
  readonly path: readonly DocumentHeading[];
  /** Whether there is nothing but headings. */
  readonly isBare?: boolean;
}

/** Cuts a document page by page; what it holds does not grow with the document. */
export class PassageCutter {
  #ordinal = 0;
  /** The headings above the next text. */
  #path: readonly DocumentHeading[] = [];
  /** Text of a document without pages that is not cut yet, and the headings in it. */
  #held = "";
  #headings: DocumentHeading[] = [];

  /** Takes the next page, or part, and returns the passages that are complete. */
  push({ number, text, headings }: DocumentPage): Passage[] {
    if (number !== undefined) return this.#cut(text, headings, number);
    for (const heading of headings)
      this.#headings.push({ ...heading, start: heading.start + this.#held.length });
    this.#held += text;
    return this.#held.length < heldCharacters ? [] : this.#cutHeld();
  }

  /** Returns the passages that are left. */
  end(): Passage[] {
    const passages = this.#cut(this.#held, this.#headings, undefined);
    this.#held = "";
    this.#headings = [];
    return passages;
  }

  /** Cuts the held text, all but its last passage, which may go on. */
  #cutHeld(): Passage[] {
    const path = this.#path;
    const sections = this.#toSections(this.#held, this.#headings);
    const pieces = sections.flatMap(toPieces);
    const last = pieces.pop();
    const start = this.#held.length - (last?.text.length ?? 0);
    const after = this.#headings.filter((heading) => heading.start >= start);
    this.#path = last === undefined ? path : last.path.filter((heading) => !after.includes(heading));
    this.#held = last?.text ?? "";
    this.#headings = after.map((heading) => ({ ...heading, start: heading.start - start }));
    return this.#toPassages(pieces, undefined);
  }

  #cut(text: string, headings: readonly DocumentHeading[], page: number | undefined): Passage[] {
    return this.#toPassages(this.#toSections(text, headings).flatMap(toPieces), page);
  }

  /** Divides a text at its headings; a small section goes with the next one, if both fit. */
  #toSections(text: string, headings: readonly DocumentHeading[]): Section[] {
    const sections: Section[] = [];
    const add = (part: string): void => {
      if (part === "") return;
      const last = sections.at(-1);
      const isBare = part.trim().length <= (this.#path.at(-1)?.title.length ?? -1) + maxSignCharacters;
      if (
        last !== undefined &&
        (last.text.length < smallCharacters || part.trim().length < smallCharacters) &&
        last.text.length + part.length <= maxPassageCharacters
      )
        sections[sections.length - 1] = {
          text: last.text + part,
          path: last.isBare === true ? this.#path : joinPaths(last.path, this.#path),
          isBare: last.isBare === true && isBare,
        };
      else sections.push({ text: part, path: this.#path, isBare });
    };
    let start = 0;
    for (const heading of headings) {
      add(text.slice(start, heading.start));
      start = heading.start;
      this.#path = [...this.#path.filter(({ level }) => level < heading.level), heading];
    }
    add(text.slice(start));
    return sections;
  }

  #toPassages(pieces: readonly Section[], page: number | undefined): Passage[] {
    return pieces
      .filter(({ text }) => /\S/.test(text))
      .map(({ text, path }) => ({ ordinal: this.#ordinal++, page, heading: toHeading(path), text }));
  }
}

/** The headings of two sections in one passage: those that they share. */
function joinPaths(
  first: readonly DocumentHeading[],
  second: readonly DocumentHeading[],
): readonly DocumentHeading[] {
  return first.filter((heading) => second.includes(heading));
}

function toHeading(path: readonly DocumentHeading[]): string | undefined {
  const heading = path.map(({ title }) => title).join(" › ");
  return heading === "" ? undefined : heading.slice(0, maxHeadingCharacters).toWellFormed();
}

/** Cuts a section into pieces of the length of passages. */
function toPieces({ text, path }: Section): Section[] {
  const pieces: Section[] = [];
  let start = 0;
  while (text.length - start > maxPassageCharacters) {
    const left = text.length - start;
    // Two halves read better than a whole and a crumb.
    const most = left < maxPassageCharacters + smallCharacters ? Math.ceil(left * 0.6) : maxPassageCharacters;
    const end = start + findCut(text.slice(start, start + most));
    pieces.push({ text: text.slice(start, end), path });
    start = end;
  }
  pieces.push({ text: text.slice(start), path });
  return pieces;
}

/** Where to cut a text that goes on: after a paragraph, a line, a sentence, a word, or between characters. */
function findCut(text: string): number {
  const least = text.length / 2;
  for (const mark of ["\n\n", "\n"]) {
    const cut = text.lastIndexOf(mark) + mark.length;
    if (cut > least) return cut;
  }
  let sentence = 0;
  // The last segment is not whole.
  for (const { index } of sentences.segment(text)) sentence = index;
  if (sentence > least) return sentence;
  const space = text.search(/\s\S*$/) + 1;
  if (space > least) return space;
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
}
