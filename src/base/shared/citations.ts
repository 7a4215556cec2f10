/**
 * Finds the citations in a text: numbers of sources in square brackets, like `[1]`. The server,
 * foreword-client and the chat page all read them with this file, which needs nothing but the language.
 */

/**
 * In this order: no index after a name, as in `list[1][2]`, though other scripts put no space before a
 * citation; the brackets; no text of a link, as in `[1](…)` and `[1][name]`; no definition of a link.
 */
const citation =
  /(?<![A-Za-z_]\d{0,9}(?:\[[\d, ]+\]){0,9})\[(\d\d?(?:, ?\d\d?)*)\](?!\(|\[(?![\d, ]+\])[^[\]\n]+\]|(?<=^ {0,3}\[[\d, ]+\]):)/gm;
/** Code, in which brackets mean something else: a block, which may lack its end, or a span in a paragraph. */
const code =
  /^ {0,3}(`{3,}|~{3,})[^\n]*\n[^]*?(?:^ {0,3}\1[^\n]*$|(?![^]))|(?<!`)(`+)(?!`)(?:[^\n]|\n(?!\s*\n))*?(?<!`)\2(?!`)/gm;

/** A citation in a text. */
export interface Citation {
  /** The numbers of the sources: `[1, 2]` has two. */
  readonly numbers: readonly number[];
  /** Where its brackets begin and end, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/**
 * Returns the citations in `text`, in their order: `[1][2]` are two. Brackets in code, of links and
 * footnotes, and after a name are none. The caller checks whether a source has the number.
 */
export function findCitations(text: string): readonly Citation[] {
  if (!text.includes("[")) return [];
  // Spaces of the same length keep the places.
  const prose = text.replaceAll(code, (found) => " ".repeat(found.length));
  return Array.from(prose.matchAll(citation), ({ 0: found, 1: numbers = "", index }) => ({
    numbers: numbers.split(",").map(Number),
    start: index,
    end: index + found.length,
  }));
}
