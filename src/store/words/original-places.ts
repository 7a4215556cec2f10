/** Finds the places of a normalized text in the original. */
import { cutAt, maxTextLength, normalize } from "./text-words.ts";

/** A part of a text, in UTF-16 code units. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** The letters that make up Korean syllables. */
const jamo = String.raw`\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\ud7b0-\ud7ff\uffa0-\uffdc`;
/** Parts that normalization changes one by one: ASCII, Korean syllables, and letters with their marks. */
const part = new RegExp(
  String.raw`(?<ascii>[\0-\x7f]+(?=[\0-\x7f]|$))|[${jamo}][${jamo}\p{M}\p{DI}]*|[\s\S][\p{M}\p{DI}\uff9e\uff9f]*`,
  "gu",
);

/**
 * Returns where ranges of `plain`, which {@link toPlain} made of `text`, are in `text`: widened to whole
 * letters. Takes time linear in the text before the last of them.
 */
export function toOriginalRanges(
  text: string,
  plain: string,
  ranges: readonly TextRange[],
): readonly TextRange[] {
  if (text.startsWith(plain)) return ranges;
  const asked = Array.from(new Set(ranges.flatMap(({ start, end }) => [start, end])));
  const left = asked.toSorted((a, b) => b - a);
  const starts = new Map<number, number>();
  const ends = new Map<number, number>();
  const whole = cutAt(text, maxTextLength);
  let place = 0; // in the plain text
  for (const { 0: found, index, groups } of whole.matchAll(part)) {
    if (left.length === 0) break;
    const isAscii = groups?.["ascii"] !== undefined;
    const next = place + (isAscii ? found.length : normalize(found).length);
    for (let at = left.at(-1); at !== undefined && at < next; at = left.at(-1)) {
      left.pop();
      const isWhole = !isAscii && at > place;
      starts.set(at, isWhole ? index : index + at - place);
      ends.set(at, isWhole ? index + found.length : index + at - place);
    }
    place = next;
  }
  return ranges.map(({ start, end }) => ({
    start: starts.get(start) ?? whole.length,
    end: ends.get(end) ?? whole.length,
  }));
}
