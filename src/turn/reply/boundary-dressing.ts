/** Finds the decoration that models put before a boundary token. */
import { findLineStart, findPartialToken, type TokenPlace } from "./boundary.ts";

/**
 * A line of nothing but white space, heading, quote and emphasis marks, zero-width characters, and comment
 * openers.
 */
const dressedLine = /^(?:[\s#>*_`\u200B\u2060]|<!--)*$/;
/** White space, U+FEFF included, and zero-width characters. */
export const invisible = /[\s\u200B\u2060]/;
/** A line that opens a code fence, and may name a language in one word. */
const openingFence = /^[\s>\u200B\u2060]*(`{3,}|~{3,})[ \t]*[^\s`]*\s*$/;
/** A line that more text could turn into the opening line of a fence. */
const partialFence =
  /^[\s>\u200B\u2060]*(?:`{1,2}|~{1,2}|(?:`{3,}|~{3,})[ \t]*[^\s`]*(?:\s[\s\u200B\u2060]*)?)$/;
const fence = /^[\s>\u200B\u2060]*(?:`{3,}[^`]*|~{3,}[^]*)$/;

/** A line that opens a code fence right before the token's line. */
export interface OpeningFence {
  /** Its start and end in the text. */
  readonly start: number;
  readonly end: number;
  /** Its backticks or tildes. */
  readonly marks: string;
}

/** The decoration before a token, removed with it. */
export interface Dressing {
  /** Its start, on the token's line, or on the line of the comment that holds the token. */
  readonly start: number;
  /**
   * Its emphasis marks, outermost first, with a space for white space; empty when the line holds other text.
   */
  readonly marks: string;
  /** Whether it opens a comment. */
  readonly isComment: boolean;
  /** The fence that is removed too, if it holds nothing else. */
  readonly fence: OpeningFence | undefined;
}

/** Whether `text` may be decoration before a token. */
export function isDressing(text: string): boolean {
  return dressedLine.test(text);
}

/** Whether `line` opens or closes a code fence. */
function isFence(line: string): boolean {
  return fence.test(line);
}

/**
 * Returns the decoration before the token at `place`.
 * @param fenceCount the number of fence lines before `text`.
 */
export function findDressing(text: string, place: TokenPlace, fenceCount = 0): Dressing {
  const hyphens = skipHyphens(text, place.start);
  const isComment = place.start - hyphens >= 2 && text.endsWith("<!", hyphens);
  return dress(text, isComment ? hyphens - 2 : hyphens, isComment, fenceCount);
}

/**
 * Returns the end of the plan before a token: before the token's fence if that is removed too, else after its
 * opening line.
 */
export function findPlanEnd({ start, fence: opening }: Dressing, isFenceClosed: boolean): number {
  if (opening === undefined) return start;
  return isFenceClosed ? opening.start : opening.end;
}

/**
 * Returns the end of the part of `text` that is plan whatever follows: it excludes trailing white space, and
 * anything that may become a token or its decoration.
 * @param fenceCount the number of fence lines before `text`.
 */
export function findSafeEnd(text: string, fenceCount = 0): number {
  const start = findPartialStart(text);
  const lineStart = findLineStart(text);
  const mayBeFence =
    partialFence.test(text.slice(lineStart)) && isEven(countFences(text.slice(0, lineStart)) + fenceCount);
  let safeEnd = findPlanEnd(dress(text, start, false, fenceCount), true);
  // An opener that ends the line before may name a fence's language, if a comment opens on the last line.
  if (safeEnd < lineStart)
    safeEnd = Math.min(safeEnd, findPlanEnd(dress(text, start, true, fenceCount), true));
  if (mayBeFence) safeEnd = Math.min(safeEnd, lineStart);
  return text.slice(0, safeEnd).trimEnd().length;
}

/** Returns the number of lines in `text` that open or close a code fence. */
export function countFences(text: string): number {
  return text.split("\n").filter(isFence).length;
}

/**
 * Returns the start of an unfinished token, comment opener, or both, at the end of `text`; its length if
 * there is none.
 */
function findPartialStart(text: string): number {
  const start = skipHyphens(text, findPartialToken(text));
  if (text.endsWith("<!", start)) return start - 2;
  return start === text.length && text.endsWith("<") ? start - 1 : start;
}

function dress(text: string, end: number, isInComment: boolean, fenceCount: number): Dressing {
  let start = end;
  let isComment = isInComment;
  for (;;) {
    const lineStart = findLineStart(text, start);
    const isWholeLine = dressedLine.test(text.slice(lineStart, start));
    const floor = isWholeLine ? lineStart : findTextEnd(text, start, lineStart);
    isComment ||= text.slice(floor, start).includes("<!--");
    if (!isWholeLine) return { start: floor, marks: "", isComment, fence: undefined };
    start = floor;
    // A comment may open on a line before the token's.
    const before = findInvisibleStart(text, start);
    if (isComment || !text.endsWith("<!--", before)) break;
    start = before;
  }
  return {
    start,
    marks: text.slice(start, end).replaceAll(/[^*_`]+/g, (other) => (/\s|<!--/.test(other) ? " " : "")),
    isComment,
    fence: findFence(text, start, fenceCount),
  };
}

/** Returns the fence that opens on the line before `start`. */
function findFence(text: string, start: number, fenceCount: number): OpeningFence | undefined {
  const end = findInvisibleStart(text, start);
  const lineStart = findLineStart(text, end);
  const marks = openingFence.exec(text.slice(lineStart, end))?.[1];
  if (marks === undefined) return undefined;
  const isOpening = isEven(countFences(text.slice(0, lineStart)) + fenceCount);
  return isOpening ? { start: lineStart, end, marks } : undefined;
}

function isEven(count: number): boolean {
  return count % 2 === 0;
}

function skipHyphens(text: string, end: number): number {
  let start = end;
  while (text[start - 1] === "-") start -= 1;
  return start;
}

/** Returns the start of the invisible characters that end at `end`. */
function findInvisibleStart(text: string, end: number): number {
  let start = end;
  while (start > 0 && invisible.test(text.charAt(start - 1))) start -= 1;
  return start;
}

/** Returns the end of the text before invisible characters and comment openers, `floor` at the earliest. */
function findTextEnd(text: string, end: number, floor: number): number {
  let start = end;
  for (;;) {
    const next = findInvisibleStart(text, start);
    if (next <= floor) return floor;
    if (!text.endsWith("<!--", next)) return next;
    start = next - "<!--".length;
  }
}

/**
 * Returns how `marks` may be mirrored after the token, longest first: all of them, or those that touch the
 * token.
 */
export function toMirrors(marks: string): readonly string[] {
  const touching = marks.slice(marks.lastIndexOf(" ") + 1);
  return [marks.replaceAll(" ", ""), touching]
    .map((part) => Array.from(part).toReversed().join(""))
    .filter((mirror, index, mirrors) => mirror !== "" && mirrors.indexOf(mirror) === index);
}
