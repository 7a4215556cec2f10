/** The marks that models put around reasoning in their text, and how each is recognized. */

import type { TokenPlace } from "./boundary.ts";

const tagNames = "think|thinking|thought|reasoning|seed:think";
/** The most characters that the attributes of a tag may have, and the most white space before them. */
const maxAttributesLength = 256;

/** A tag's name, which nothing but white space or its end may follow. */
const tagName = new RegExp(String.raw`^<(${tagNames})(?=[\s>])`, "i");
/** Whole attributes: each is followed by white space or the tag's end. */
const attributes = /(?:[^\s"'<>/=]+(?:="[^"<\r\n\u2028\u2029]*")?(?:[^\S\r\n\u2028\u2029]+|(?=>)))*/y;
/** The start of an attribute. */
const partialAttribute = /^[^\s"'<>/=]*(?:=?|="[^"<\r\n\u2028\u2029]*"?)$/;

/** Marks that open a block and have one form, with the mark that closes it. */
const blocks: readonly (readonly [open: string, close: string])[] = [
  ["[think]", "[/think]"],
  ["<|channel|>analysis<|message|>", "<|end|>"],
];
/** Marks before text that enclose nothing. */
const prefixes = ["<|start|>assistant", "<|channel|>final<|message|>"];
const tags = tagNames.split("|").map((name) => `<${name}`);
const starts = [...tags, ...blocks.map(([open]) => open), ...prefixes];
const maxPlainLength = Math.max(...starts.map(({ length }) => length));
/** No mark is longer. */
const maxOpeningLength = maxPlainLength + 2 * maxAttributesLength + 1;

/** The marks that close reasoning which a chat template opens. */
const bareClosers = [...tagNames.split("|").map((name) => `</${name}>`), "[/think]"];
const bareCloser = new RegExp(String.raw`</(?:${tagNames})>|\[/THINK\]`, "gi");
const closingLine = new RegExp(`^(?:${bareCloser.source})$`, "i");
const anyOpening = new RegExp(String.raw`<(?:${tagNames})[\s>]|\[THINK\]`, "i");
/** The longest mark that closes a block, in characters. */
const maxCloserLength = Math.max(...bareClosers.map(({ length }) => length));

/** A mark at the start of a text. */
export interface OpeningMark {
  readonly length: number;
  /** The mark that closes the block; `undefined` for a mark that encloses nothing. */
  readonly closer: Closer | undefined;
}

/** The marks that end a block. */
export interface Closer {
  /** Global. */
  readonly pattern: RegExp;
  /** In lower case; each has its first character nowhere else. */
  readonly marks: readonly string[];
}

/** The marks that end reasoning which a chat template opens. */
export const anyCloser: Closer = { pattern: bareCloser, marks: bareClosers };

/** Returns the mark that starts at `start` of `text`; `partial` if more text could make one. */
export function findOpening(text: string, start: number): OpeningMark | "partial" | undefined {
  const head = text.slice(start, start + maxOpeningLength);
  // Marks are ASCII: none holds a character that has another length in lower case.
  const plain = head.slice(0, maxPlainLength).toLowerCase();
  for (const [open, close] of blocks)
    if (plain.startsWith(open)) return { length: open.length, closer: toCloser(close) };
  const prefix = prefixes.find((mark) => plain.startsWith(mark));
  if (prefix !== undefined) return { length: prefix.length, closer: undefined };
  const name = tagName.exec(head)?.[1];
  if (name !== undefined) return findTagEnd(head, name);
  return starts.some((mark) => mark.startsWith(plain)) ? "partial" : undefined;
}

/** Returns the tag called `name` that `text` starts with, up to the end of its attributes. */
function findTagEnd(text: string, name: string): OpeningMark | "partial" | undefined {
  const nameEnd = name.length + 1;
  let from = nameEnd;
  while (/\s/.test(text.charAt(from))) from += 1;
  if (from - nameEnd > maxAttributesLength) return undefined;
  attributes.lastIndex = from;
  const end = from + (attributes.exec(text)?.[0].length ?? 0);
  if (text.charAt(end) === ">")
    return end - from > maxAttributesLength
      ? undefined
      : { length: end + 1, closer: toCloser(`</${name.toLowerCase()}>`) };
  const isPartial = text.length - from <= maxAttributesLength && partialAttribute.test(text.slice(end));
  return isPartial ? "partial" : undefined;
}

function toCloser(mark: string): Closer {
  return { pattern: new RegExp(mark.replaceAll(/[|[\]]/g, String.raw`\$&`), "gi"), marks: [mark] };
}

/** Whether a line, without white space around it, is nothing but a mark that closes opened reasoning. */
export function isClosingLine(line: string): boolean {
  return closingLine.test(line);
}

/** Whether `text` may hold a mark that opens a block. */
export function mentionsOpening(text: string): boolean {
  return anyOpening.test(text);
}

/** Returns the first closing mark in `text` that starts at `start` or later. */
export function findCloser(text: string, { pattern }: Closer, start = 0): TokenPlace | undefined {
  pattern.lastIndex = start;
  const match = pattern.exec(text);
  return match === null ? undefined : { start: match.index, end: match.index + match[0].length };
}

/**
 * Returns the start of an unfinished closing mark at the end of `text`, from `start` on; its length if there
 * is none.
 */
export function findPartialCloser(text: string, { marks }: Closer, start = 0): number {
  const from = Math.max(start, text.length - maxCloserLength + 1);
  const end = text.slice(from);
  const place = Math.max(end.lastIndexOf("<"), end.lastIndexOf("["));
  if (place < 0) return text.length;
  const partial = end.slice(place).toLowerCase();
  return marks.some((mark) => mark.startsWith(partial)) ? from + place : text.length;
}

/** The most white space after the last mark of a reply, in characters; after more, the mark is text. */
const maxTrailingSpace = 256;
const lastMarks = ["<|return|>", "<|end|>"];
const lastMark = /^<\|(?:return|end)\|>(?=\s*$)/i;

/**
 * Returns the start of a final mark, or of text that may become one, which is not sent if it ends the reply;
 * the text's length if there is none.
 */
export function findLastMark(text: string): number {
  const start = text.lastIndexOf("<");
  if (start < 0 || text.length - start > maxTrailingSpace) return text.length;
  const end = text.slice(start);
  const isPartial = lastMarks.some((mark) => mark.startsWith(end.toLowerCase()));
  return isPartial || lastMark.test(end) ? start : text.length;
}

/** Returns `text`, the end of a reply that {@link findLastMark} found, without its mark. */
export function dropLastMark(text: string): string {
  return text.replace(lastMark, "");
}
