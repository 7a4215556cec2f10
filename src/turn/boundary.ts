/** Owns the boundary token: how a model may write it, what on its line goes with it, and how it is found. */

/** What stands between plan and answer on the wire, exactly once in every reply. */
export const boundary = "\n---RESPONSE---\n";

/** The token as a model may write it: any case, at most one space or tab inside. Not sticky, not global. */
const token = /---[ \t]?RESPONSE[ \t]?---/i;

/** The longest text that can still grow into a token. */
const maxPartialLength = "--- RESPONSE ---".length - 1;

/** A text, up to its end, that more text could turn into a token. */
const partialToken = /-{1,2}$|---[ \t]?(?:r|re|res|resp|respo|respon|respons|response[ \t]?-{0,2})?$/i;

/** Only what may decorate a boundary's line: white space, heading, quote and emphasis marks. */
const decoration = /^[\s#>*_`]*$/;

/** Where the first token of a text stands: from `start` to `end`, in UTF-16 code units. */
export interface TokenPlace {
  readonly start: number;
  readonly end: number;
}

/** Returns the first token in `text`, or `undefined`. */
export function findToken(text: string): TokenPlace | undefined {
  const match = token.exec(text);
  return match === null ? undefined : { start: match.index, end: match.index + match[0].length };
}

/** Returns where the earliest text that may yet become a token starts, or `text.length` if there is none. */
export function findPartialToken(text: string): number {
  const from = Math.max(0, text.length - maxPartialLength);
  const match = partialToken.exec(text.slice(from));
  return match === null ? text.length : from + match.index;
}

/** Whether `text` could stand on a boundary's line beside the token. */
export function isDecoration(text: string): boolean {
  return decoration.test(text);
}

/** Returns where the line that `text` ends in starts. */
export function findLineStart(text: string): number {
  return text.lastIndexOf("\n") + 1;
}

/** A text split at its first boundary. `after` still has the marks that mirror `marks`, and its white space. */
export interface BoundarySplit {
  readonly before: string;
  /** The emphasis marks that stood before the token, outermost first; empty when its line held other text. */
  readonly marks: string;
  readonly after: string;
}

/**
 * Splits `text` at `place`.
 * @param isMidLine whether the line that `text` starts in already holds other text.
 */
export function splitAtToken(text: string, place: TokenPlace, isMidLine: boolean): BoundarySplit {
  const before = text.slice(0, place.start);
  const after = text.slice(place.end);
  const lineStart = findLineStart(before);
  const line = before.slice(lineStart);
  if ((lineStart === 0 && isMidLine) || !isDecoration(line)) return { before, marks: "", after };
  return {
    before: before.slice(0, lineStart),
    marks: line.replaceAll(/[\s#>]/g, (mark) => (mark.trim() === "" ? " " : "")),
    after,
  };
}

/** The ways `marks` may be mirrored after the token, longest first: all of them, or those that touch the token. */
export function toMirrors(marks: string): readonly string[] {
  const all = Array.from(marks.replaceAll(" ", "")).toReversed().join("");
  const touching = Array.from(marks.slice(marks.lastIndexOf(" ") + 1))
    .toReversed()
    .join("");
  return [all, touching].filter(
    (mirror, index, mirrors) => mirror !== "" && mirrors.indexOf(mirror) === index,
  );
}

/** Returns the answer of a reply that is sent back with its plan; a text without a boundary as it is. */
export function toAnswer(text: string): string {
  const place = findToken(text);
  if (place === undefined) return text;
  const { marks, after } = splitAtToken(text, place, false);
  const mirror = toMirrors(marks).find((candidate) => after.startsWith(candidate)) ?? "";
  return after.slice(mirror.length).trimStart();
}

/** Returns the plan of a reply that is sent back with it, or `undefined` for a text without a boundary. */
export function toPlan(text: string): string | undefined {
  const place = findToken(text);
  return place === undefined ? undefined : splitAtToken(text, place, false).before.trim();
}
