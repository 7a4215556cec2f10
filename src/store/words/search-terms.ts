/** Reads the terms of a search: words, phrases, and those that a text must not hold. */
import { readTokens, type Token } from "./text-words.ts";

/** How many words of a search count, from the start. */
const maxQueryWords = 32;
/** Terms of a search: quoted phrases, the last perhaps not closed yet, and words between white space. */
const term = /-*"[^"]*"?|[^\s"]+/g;

/** Adjacent words. */
export interface Term {
  readonly words: readonly QueryWord[];
  readonly isNegated: boolean;
}

/** A word of a search. */
export interface QueryWord extends Pick<Token, "word" | "position"> {
  /** Whether longer words that begin with it match, too. */
  readonly isPrefix: boolean;
}

/** Returns the terms of a search: a text must match all of one alternative. None of them is empty. */
export function readTerms(text: string): readonly (readonly Term[])[] {
  const alternatives: Term[][] = [[]];
  const found = text.match(term) ?? [];
  let left = maxQueryWords;
  for (const [index, chunk] of found.entries()) {
    if (/^or$/i.test(chunk)) {
      alternatives.push([]);
      continue;
    }
    const isNegated = chunk.startsWith("-");
    const isOpen = index === found.length - 1 && !isNegated && !/"[^"]*"/.test(chunk);
    const words = readWords(chunk, isOpen).slice(0, left);
    left -= words.length;
    if (words.length > 0) alternatives.at(-1)?.push({ words, isNegated });
  }
  return alternatives.filter((terms) => terms.length > 0);
}

/** The pairs of a run include its last character; a single one may start any pair. */
function readWords(text: string, isOpen: boolean): QueryWord[] {
  const tokens = Array.from(readTokens(text)).filter(({ kind }) => kind !== "part" && kind !== "tail");
  return tokens.map(({ word, position, kind }, index) => ({
    word,
    position,
    isPrefix: kind === "single" || (kind === "word" && isOpen && index === tokens.length - 1),
  }));
}
