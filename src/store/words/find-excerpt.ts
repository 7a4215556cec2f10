/** Finds the words of a search in a text, and cuts out the place where most of them are. */
import { toOriginalRanges, type TextRange } from "./original-places.ts";
import { readTerms, type Term } from "./search-terms.ts";
import { cutAt, readPlainTokens, toPlain, type Token } from "./text-words.ts";

/** A piece of a text in one line, and the words of the search in it. */
export interface Excerpt {
  /** At most 160 UTF-16 code units; it begins and ends with `…` if the text goes on there. */
  readonly text: string;
  /** In order; they do not overlap, and split no character. */
  readonly ranges: readonly TextRange[];
}

/** Finds the words of one search in texts. */
export interface ExcerptFinder {
  /** Whether there are words to look for, and not only words that a text must not hold. */
  readonly hasWords: boolean;
  /** Returns the excerpt of a text, in linear time: its start if no word of the search is in it. */
  find(text: string): Excerpt;
}

/** The most of a text in an excerpt, in UTF-16 code units: two are left for `…`. */
const maxLength = 158;
/** How far the found words of an excerpt may be from each other, and how much text is before them. */
const spread = 110;
const lead = 40;
/** How far an end is moved so that a word is whole. */
const wordSlack = 24;
/** How much text around an excerpt shows where its characters begin. */
const context = 64;
/** The most matches that are considered. */
const maxMatches = 2_000;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** A place in the plain text where all words of a term are. */
interface Match extends TextRange {
  readonly term: Term;
}

/** Returns a finder of the words in a search, as {@link readTerms} reads it. */
export function createExcerptFinder(query: string): ExcerptFinder {
  const alternatives = readTerms(query).map((terms) => terms.filter((term) => !term.isNegated));
  const terms = alternatives.flat();
  const wanted = Math.max(0, ...alternatives.map((all) => all.length));
  return {
    hasWords: terms.length > 0,
    find: (text) => {
      const plain = toPlain(text);
      const matches = findMatches(plain, terms, wanted);
      const best = findPlace(matches);
      const near = matches.filter(
        ({ start, end }) => end > best - lead - wordSlack && start < best + maxLength,
      );
      const [first, ...ranges] = toOriginalRanges(text, plain, [{ start: best, end: best }, ...near]);
      return cutOut(text, first?.start ?? 0, ranges);
    },
  };
}

/** Returns the matches in order, up to those around the first place where `wanted` terms are together. */
function findMatches(plain: string, terms: readonly Term[], wanted: number): readonly Match[] {
  const finders = terms.map((term) => ({ term, find: createTermFinder(term) }));
  const matches: Match[] = [];
  let end = Infinity;
  for (const token of readPlainTokens(plain)) {
    if (token.start > end || matches.length >= maxMatches) break;
    for (const { term, find } of finders) {
      const start = find(token);
      if (start === undefined) continue;
      matches.push({ term, start, end: toMatchEnd(token, term) });
      if (end === Infinity && countTerms(matches, matches.length - 1) >= wanted)
        end = token.start + maxLength;
    }
  }
  return matches;
}

/** Returns a function that takes the tokens of a text, and returns where a match starts that ends in one. */
function createTermFinder({ words }: Term): (token: Token) => number | undefined {
  /** For each word but the first: where the match starts, by the position that the word must have. */
  const begun = words.map(() => new Map<number, number>());
  return ({ word, position, start }) => {
    let found: number | undefined;
    for (const [index, asked] of words.entries()) {
      const isMatch = asked.isPrefix ? word.startsWith(asked.word) : word === asked.word;
      const from = index === 0 ? start : begun[index]?.get(position);
      const next = words[index + 1];
      if (!isMatch || from === undefined) continue;
      if (next === undefined) found = from;
      else begun[index + 1]?.set(position + next.position - asked.position, from);
    }
    for (const places of begun) places.delete(position - 1);
    return found;
  };
}

/** A single character of a script without spaces is found in the pair that it begins. */
function toMatchEnd({ kind, start, end }: Token, { words }: Term): number {
  const last = words.at(-1);
  return kind === "pair" && last?.isPrefix === true ? start + last.word.length : end;
}

/** Returns how many terms match near the match at `last`, up to it. */
function countTerms(matches: readonly Match[], last: number): number {
  const end = matches[last]?.end ?? 0;
  const found = new Set<Term>();
  for (let index = last; index >= 0; index -= 1) {
    const match = matches[index];
    if (match === undefined || end - match.start > spread) break;
    found.add(match.term);
  }
  return found.size;
}

/** Returns the start of the first place that has the most terms. */
function findPlace(matches: readonly Match[]): number {
  let best = 0;
  let most = 0;
  for (const [index, { end }] of matches.entries()) {
    const count = countTerms(matches, index);
    if (count <= most) continue;
    most = count;
    best = matches.find(({ start }, place) => place === index || end - start <= spread)?.start ?? 0;
  }
  return best;
}

/** Cuts the surroundings of `first` out of `text`, in one line. */
function cutOut(text: string, first: number, ranges: readonly TextRange[]): Excerpt {
  const bounds = findBounds(text, first);
  const cut = text.slice(bounds.start, bounds.end);
  const places: number[] = [];
  let line = bounds.start > 0 ? "…" : "";
  for (const unit of cut) {
    for (let count = 0; count < unit.length; count += 1) places.push(line.length + count);
    if (!/[\s\p{Cc}]/u.test(unit)) line += unit;
    else if (line !== "" && !line.endsWith(" ")) line += " ";
  }
  line = line.trimEnd();
  places.push(line.length);
  const toPlace = (place: number): number =>
    Math.min(line.length, places[Math.min(Math.max(0, place - bounds.start), cut.length)] ?? line.length);
  const inLine = ranges.map(({ start, end }) => ({ start: toPlace(start), end: toPlace(end) }));
  const whole = toWholeCharacters(line, inLine);
  return { text: bounds.end < text.length ? `${line}…` : line, ranges: whole };
}

/**
 * Returns where an excerpt begins and ends: between words if there is space near, else between
 * characters.
 */
function findBounds(text: string, first: number): TextRange {
  const isSpace = (place: number): boolean => /\s/.test(text.charAt(place));
  const from = Math.max(0, first - lead);
  const borders = listBorders(text, from);
  const starts = borders.filter((place) => place >= from && place <= first);
  const afterSpace = starts.find((place) => place - from <= wordSlack && isSpace(place - 1));
  const start = from === 0 ? 0 : (afterSpace ?? starts[0] ?? first);
  const last = start + maxLength;
  if (text.length <= last) return { start, end: text.length };
  const ends = borders.filter((place) => place > start && place <= last).toReversed();
  const end = ends.find((place) => last - place <= wordSlack && isSpace(place)) ?? ends[0];
  return { start, end: end ?? start + cutAt(text.slice(start, last + 1), maxLength).length };
}

/** Returns where characters begin in an excerpt that may start at `from`. */
function listBorders(text: string, from: number): readonly number[] {
  const origin = Math.max(0, from - context);
  const around = text.slice(origin, from + lead + maxLength + context);
  return [...Array.from(graphemes.segment(around), ({ index }) => origin + index), origin + around.length];
}

/** Returns the ranges without empty and overlapping ones, widened to whole characters. */
function toWholeCharacters(line: string, ranges: readonly TextRange[]): readonly TextRange[] {
  const borders = [...Array.from(graphemes.segment(line), ({ index }) => index), line.length];
  const whole: { start: number; end: number }[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    if (range.end <= range.start) continue;
    const start = borders.findLast((border) => border <= range.start) ?? 0;
    const end = borders.find((border) => border >= range.end) ?? line.length;
    const last = whole.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else whole.push({ start, end });
  }
  return whole;
}
