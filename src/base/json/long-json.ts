/** JSON with long strings, made a piece at a time: all of it at once would hold up the event loop. */
import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";

/** About the longest text that becomes JSON at once, in UTF-16 code units. */
export const maxAtOnceLength = 1_048_576;
/** The shortest string that stands by itself, in UTF-16 code units. */
const minLongLength = 4_096;
/** How deep long texts are: the URL of an image is in a part of the content of a message in a list. */
const textDepth = 8;
/** The length of a piece of a string, and how many units are encoded in one turn of the event loop. */
const pieceLength = 65_536;
const turnLength = 524_288;

/** A long JSON text in parts. */
export interface JsonParts {
  /** JSON around the long strings; each of these stands between two of its quotes. */
  readonly texts: readonly string[];
  readonly strings: readonly string[];
}

/** A JSON text, or its parts if it is long. */
export type JsonText = string | JsonParts;

/**
 * Returns the JSON text of `value`; in parts if it is long.
 * @param length about how long it is: that of the texts in it, in UTF-16 code units.
 */
export function toJsonText(value: unknown, length: number): JsonText {
  if (length <= maxAtOnceLength) return JSON.stringify(value);
  const mark = randomUUID();
  const strings: string[] = [];
  const text = JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== "string" || member.length < minLongLength) return member;
    strings.push(member);
    return mark;
  });
  return { texts: text.split(mark), strings };
}

/** Returns the text that `JSON.stringify` would return. */
export function joinJson(text: JsonText): string {
  return typeof text === "string" ? text : Array.from(toPieces(text)).join("");
}

/** Resolves with the bytes of that text, in many turns of the event loop. */
export async function toJsonBytes(parts: JsonParts): Promise<Buffer> {
  const bytes: Buffer[] = [];
  let length = 0;
  for (const piece of toPieces(parts)) {
    bytes.push(Buffer.from(piece));
    length += piece.length;
    if (length < turnLength) continue;
    length = 0;
    await nextTurn();
  }
  return Buffer.concat(bytes);
}

/** Returns the length of the texts in `value`, in UTF-16 code units; those very deep in it do not count. */
export function countText(value: unknown, depth = textDepth): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || depth === 0) return 0;
  let length = 0;
  for (const member of Object.values(value)) length += countText(member, depth - 1);
  return length;
}

/** Returns the length of a JSON text, in UTF-16 code units; that of a long one is not exact. */
export function countUnits(text: JsonText): number {
  if (typeof text === "string") return text.length;
  return [...text.texts, ...text.strings].reduce((sum, { length }) => sum + length, 0);
}

function* toPieces({ texts, strings }: JsonParts): Generator<string> {
  for (const [index, text] of texts.entries()) {
    yield text;
    const long = strings[index] ?? "";
    for (let start = 0; start < long.length;) {
      const end = toPieceEnd(long, start);
      yield JSON.stringify(long.slice(start, end)).slice(1, -1);
      start = end;
    }
  }
}

/** Returns the end of a piece, which is not between the halves of a surrogate pair. */
function toPieceEnd(text: string, start: number): number {
  const end = start + pieceLength;
  if (end >= text.length) return text.length;
  return (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 ? end - 1 : end;
}
