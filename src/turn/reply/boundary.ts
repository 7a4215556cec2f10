/** The boundary token: its form on the wire, the forms that models write, and how to find it. */

/** The line between plan and answer on the wire, exactly once in every reply. */
export const boundary = "\n---RESPONSE---\n";

/** The token as a model may write it: any case, at most one space or tab inside. */
const token = /---[ \t]?RESPONSE[ \t]?---/gi;

/** The longest token, in characters. */
export const maxTokenLength = "--- RESPONSE ---".length;

/** The end of a text that more text could turn into a token. */
const partialToken = /-{1,2}$|---[ \t]?(?:r|re|res|resp|respo|respon|respons|response[ \t]?-{0,2})?$/i;

/** The place of a text's first token: from `start` to `end`, in UTF-16 code units. */
export interface TokenPlace {
  readonly start: number;
  readonly end: number;
}

/** Returns the first token in `text` that starts at `from` or later, or `undefined`. */
export function findToken(text: string, from = 0): TokenPlace | undefined {
  token.lastIndex = from;
  const match = token.exec(text);
  return match === null ? undefined : { start: match.index, end: match.index + match[0].length };
}

/** Returns the start of the end of `text` that may yet become a token, or `text.length` if there is none. */
export function findPartialToken(text: string): number {
  const from = Math.max(0, text.length - maxTokenLength + 1);
  const match = partialToken.exec(text.slice(from));
  return match === null ? text.length : from + match.index;
}

/** Returns the start of the last line of `text` up to `end`. */
export function findLineStart(text: string, end = text.length): number {
  return end === 0 ? 0 : text.lastIndexOf("\n", end - 1) + 1;
}
