/** Finds the words of a search in a text, to highlight them. */

/** A piece of a text. */
export interface TextPart {
  readonly text: string;
  readonly isMatch: boolean;
}

/** Returns a text in parts: those in `ranges` match. */
export function cutParts(
  text: string,
  ranges: readonly { readonly start: number; readonly end: number }[],
): readonly TextPart[] {
  const parts: TextPart[] = [];
  let place = 0;
  for (const { start, end } of ranges) {
    parts.push({ text: text.slice(place, start), isMatch: false });
    parts.push({ text: text.slice(start, end), isMatch: true });
    place = end;
  }
  return [...parts, { text: text.slice(place), isMatch: false }].filter((part) => part.text !== "");
}

/** How many words of a search count, as on the server. */
const maxWords = 32;

/**
 * Returns `text` in parts. Those match that begin a word and equal a word of `query`, whatever their case and
 * accents. Words with a hyphen before them, which a result must not have, and `or` are not looked for.
 */
export function findWords(text: string, query: string): readonly TextPart[] {
  const words = readWords(query);
  if (words.length === 0) return [{ text, isMatch: false }];
  const { folded, places } = fold(text);
  const parts: TextPart[] = [];
  let end = 0;
  const push = (from: number, to: number, isMatch: boolean): void => {
    if (to > from) parts.push({ text: text.slice(from, to), isMatch });
  };
  const found = new RegExp(words.join("|"), "gu");
  for (const match of folded.matchAll(found)) {
    if (!beginsWord(folded, match.index)) continue;
    const from = places[match.index] ?? 0;
    const to = places[match.index + match[0].length] ?? text.length;
    if (from < end) continue;
    push(end, from, false);
    push(from, to, true);
    end = to;
  }
  push(end, text.length, false);
  return parts;
}

/** Returns the words of a search, the longest first. */
function readWords(query: string): readonly string[] {
  const terms = query.match(/-*"[^"]*"?|[^\s"]+/g) ?? [];
  const words = terms
    .filter((term) => !term.startsWith("-") && !/^or$/i.test(term))
    .flatMap((term) => fold(term).folded.match(/[\p{L}\p{N}\p{M}\p{Extended_Pictographic}]+/gu) ?? []);
  return Array.from(new Set(words.slice(0, maxWords))).toSorted((a, b) => b.length - a.length);
}

/** Returns `text` without case and accents, and the place in `text` of each character and of the end. */
function fold(text: string): { readonly folded: string; readonly places: readonly number[] } {
  let folded = "";
  const places: number[] = [];
  let place = 0;
  for (const character of text) {
    const plain = character.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase().replace("ς", "σ");
    folded += plain;
    for (let count = 0; count < plain.length; count += 1) places.push(place);
    place += character.length;
  }
  places.push(place);
  return { folded, places };
}

/** Scripts without spaces between words have no beginnings of words. */
function beginsWord(text: string, index: number): boolean {
  const before = Array.from(text.slice(Math.max(0, index - 2), index)).at(-1) ?? "";
  return (
    !/[\p{L}\p{N}]/u.test(before) ||
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u.test(
      before,
    )
  );
}
