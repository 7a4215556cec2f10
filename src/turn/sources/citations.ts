/** The citations in a text: numbers of sources in square brackets, like `[1]`. */

/** A citation, after a word or another citation; no link, no footnote, no index into a list. */
const citation = /(?<=^|[\s\p{P}])(?:\[\d{1,2}(?:, ?\d{1,2})*\])+(?![([:])/gmu;
const number = /\d+/g;
/** Code, in which brackets mean something else. */
const code = /^ {0,3}(`{3,}|~{3,})[^\n]*\n[^]*?(?:^ {0,3}\1[^\n]*$|(?![^]))|`[^`\n]+`/gm;
/** A list of references that the text has itself. */
const ownReferences = /^ {0,3}\[\d{1,2}\]:/m;

/** A citation in a text. */
export interface Citation {
  /** The numbers of the sources. */
  readonly numbers: readonly number[];
  /** Where it begins and ends, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/** Finds the citations in `text`, outside of code. */
export function findCitations(text: string): readonly Citation[] {
  if (!text.includes("[")) return [];
  // Spaces of the same length keep the places.
  const prose = text.replaceAll(code, (found) => " ".repeat(found.length));
  return Array.from(prose.matchAll(citation), ({ 0: found, index }) => ({
    numbers: Array.from(found.matchAll(number), ([digits]) => Number(digits)),
    start: index,
    end: index + found.length,
  }));
}

/**
 * Returns a reply without its citations, as a model gets it in later turns: their numbers belong to the
 * sources of that turn.
 */
export function withoutCitations(text: string): string {
  const found = findCitations(text);
  if (found.length === 0 || ownReferences.test(text)) return text;
  let kept = "";
  let start = 0;
  for (const one of found) {
    kept += text.slice(start, one.start).replace(/ $/, "");
    start = one.end;
  }
  return kept + text.slice(start);
}
