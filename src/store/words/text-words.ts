/** Splits texts into searchable words: alike for messages, titles and searches, on every version of Node. */

/** How much of a text is read, in UTF-16 code units. */
export const maxTextLength = 100_000;
/** The longest word, in UTF-16 code units; longer ones are cut. */
export const maxWordLength = 64;
/** How many different words of a text count, from the start. */
export const maxWords = 8_000;
/**
 * The most bytes of UTF-8 that a text's different words take: Postgres stores a mebibyte, including its
 * overhead.
 */
const maxWordBytes = 400_000;
/** The last position that Postgres stores, and how many it stores for one word. */
const maxPosition = 16_383;
const maxPositions = 255;

/** A word of a text. */
export interface Token {
  /** Letters, digits, marks or a sign: never a quote or a backslash. */
  readonly word: string;
  /** Its place among the text's words, from 1. Words with the same position overlap. */
  readonly position: number;
  /**
   * `word`: letters and digits. `part`: a hump of the `camelCase` word at its position. `pair`: two
   * neighbouring characters of a script without spaces; the last of a run is a `tail`, a lone one a `single`.
   * `symbol`: an emoji, flag or other sign.
   */
  readonly kind: "word" | "part" | "pair" | "tail" | "single" | "symbol";
  /** Where it begins and ends in the plain text, in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
}

/** Words with their positions; no positions for words past the last position, and for parts of words. */
export type Words = ReadonlyMap<string, readonly number[]>;

// eslint-disable-next-line no-control-regex
const ascii = /^[\u0000-\u007f]*$/;
/** What each code of ASCII is: 1 for a digit or a small letter, 2 for a capital letter, 0 for all others. */
const asciiClasses = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[0-9a-z]/.test(character) ? 1 : /[A-Z]/.test(character) ? 2 : 0;
});

/** Scripts without spaces, and Korean, whose words carry endings: indexed by pairs of characters. */
const unspacedScripts =
  "Han Hira Kana Bopo Hang Thai Laoo Khmr Mymr Tibt Yiii Lana Tale Talu Tavt Bali Java".split(" ");
/** Kana marks shared by several scripts: of the lengthened vowel, of voice, and of a closed letter. */
const kanaMarks = String.raw`\u3006\u3099\u309a\u30fc`;
const unspaced = `[[${unspacedScripts.map((script) => `\\p{sc=${script}}`).join("")}${kanaMarks}]&&[\\p{L}\\p{M}\\p{N}]]`;
/** A run of letters of {@link unspacedScripts}, a word, or a sign. */
const unicodeToken = new RegExp(
  String.raw`(${unspaced}+)|([[\p{L}\p{M}\p{N}]--${unspaced}]+)|\p{RI}{2}|[\p{So}\p{ExtPict}]`,
  "gv",
);

/**
 * Invisible characters that are no part of a word: joiners, soft hyphens, direction marks, variation
 * selectors.
 */
const ignorable = /\p{DI}+/gu;
/** Sorting the marks of one character takes quadratic time, and no language stacks so many. */
const stackedMarks = /(\p{M}{8})\p{M}+/gu;
/** Latin, Greek and Cyrillic accents, Hebrew and Arabic vowel signs. Other marks are part of the letter. */
const accents =
  /[[\p{M}&&[\p{sc=Inherited}\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Hebrew}\p{sc=Arabic}]]\u0640]+/gv;
/** Letters whose stroke or ligature Unicode does not decompose, and the final sigma. */
const likeLetters: ReadonlyMap<string, string> = new Map([
  ["æ", "ae"],
  ["œ", "oe"],
  ["ø", "o"],
  ["ł", "l"],
  ["đ", "d"],
  ["ħ", "h"],
  ["ŧ", "t"],
  ["ð", "d"],
  ["þ", "th"],
  ["ς", "σ"],
]);
const likeLetter = new RegExp(`[${Array.from(likeLetters.keys()).join("")}]`, "g");

const hump = /\p{Ll}\p{N}*\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u;
const humpStart = /(?<=\p{Ll}\p{N}*)(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;
/** No name has more humps; longer ones are keys, digests or noise. */
const maxHumps = 6;

/** How many tokens {@link collectWords} reads between two pauses: one or two milliseconds. */
const tokensPerStep = 2_000;

/** Yields the words in a text's first {@link maxTextLength} characters, in order and in linear time. */
export function readTokens(text: string): Generator<Token, void, undefined> {
  return readPlainTokens(toPlain(text));
}

/** Returns the part of a text that is searchable, normalized as words are compared. */
export function toPlain(text: string): string {
  const whole = cutAt(text, maxTextLength);
  return ascii.test(whole) ? whole : cutAt(normalize(whole), maxTextLength);
}

/** Returns a text of any length without invisible characters, in Unicode's compatibility form. */
export function normalize(text: string): string {
  return text.replace(ignorable, "").replace(stackedMarks, "$1").normalize("NFKC");
}

/** Yields the words of a text that {@link toPlain} has returned. */
export function* readPlainTokens(plain: string): Generator<Token, void, undefined> {
  const fold = createFold();
  let position = 1;
  for (let start = 0, end = 0; start < plain.length; start = end) {
    end = start;
    let code = plain.charCodeAt(start);
    let classes = 0;
    for (let one = asciiClasses[code]; one !== undefined && one > 0; one = asciiClasses[code]) {
      classes |= one;
      end += 1;
      code = plain.charCodeAt(end); // NaN at the end
    }
    if (!(code >= 128)) {
      // Almost every word of almost every text, and so without a regular expression.
      const word = plain.slice(start, end);
      if (classes === 1 && word.length <= maxWordLength)
        yield { word, position: position++, kind: "word", start, end };
      else if (classes > 0) yield* readWord(word, start, position++, fold);
      else end += 1;
      continue;
    }
    unicodeToken.lastIndex = start;
    const match = unicodeToken.exec(plain);
    if (match === null) return;
    const [found, run, word] = match;
    end = match.index + found.length;
    if (run !== undefined) position = yield* readRun(run, match.index, position);
    else if (word !== undefined) yield* readWord(word, match.index, position++, fold);
    else yield { word: found, position: position++, kind: "symbol", start: match.index, end };
  }
}

/**
 * Collects the searchable words of `text`, pausing every millisecond or two: step through it to share the
 * thread. At most {@link maxWords}, none longer than {@link maxWordLength}.
 */
export function* collectWords(text: string): Generator<undefined, Words, undefined> {
  const words = new Map<string, number[]>();
  let bytes = 0;
  let count = 0;
  for (const { word, position, kind } of readTokens(text)) {
    if (++count % tokensPerStep === 0) yield;
    const isPlaced = kind !== "part" && position < maxPosition;
    const positions = words.get(word);
    if (positions !== undefined) {
      if (isPlaced && positions.length < maxPositions) positions.push(position);
      continue;
    }
    if (words.size === maxWords || bytes > maxWordBytes) continue;
    words.set(word, isPlaced ? [position] : []);
    bytes += 3 * word.length;
  }
  return words;
}

function* readWord(
  raw: string,
  start: number,
  position: number,
  fold: (word: string) => string,
): Generator<Token, void, undefined> {
  const cut = cutAt(raw, maxWordLength);
  const word = fold(cut);
  if (word === "") return;
  yield { word, position, kind: "word", start, end: start + raw.length };
  if (!hump.test(cut)) return;
  const parts = cut.split(humpStart);
  if (parts.length > maxHumps) return;
  let place = start;
  for (const part of parts) {
    const folded = fold(part);
    const end = place + part.length;
    if (folded.length > 1) yield { word: folded, position, kind: "part", start: place, end };
    place = end;
  }
}

/** Yields each pair of characters of a run, and its last character; returns the next position. */
function* readRun(run: string, index: number, first: number): Generator<Token, number, undefined> {
  let position = first;
  let last = "";
  let start = index;
  for (const character of run) {
    const end = start + last.length + character.length;
    if (last !== "") yield { word: last + character, position: position++, kind: "pair", start, end };
    start += last.length;
    last = character;
  }
  const kind = position === first ? "single" : "tail";
  yield { word: last, position, kind, start, end: start + last.length };
  return position + 1;
}

/** Returns {@link foldWord} with a cache. */
function createFold(): (word: string) => string {
  const known = new Map<string, string>();
  return (word) => {
    let folded = known.get(word);
    if (folded === undefined) known.set(word, (folded = foldWord(word)));
    return folded;
  };
}

function foldWord(word: string): string {
  if (ascii.test(word)) return word.toLowerCase();
  const bare = word.normalize("NFD").replace(accents, "");
  // ß becomes ss, and only now İ has a separate dot.
  const lower = bare.toUpperCase().toLowerCase().normalize("NFD").replace(accents, "");
  return cutAt(
    lower.replace(likeLetter, (letter) => likeLetters.get(letter) ?? letter).normalize("NFC"),
    maxWordLength,
  );
}

/** Returns the first `length` UTF-16 code units of a text, or one fewer: it splits no surrogate pair. */
export function cutAt(text: string, length: number): string {
  if (text.length <= length) return text;
  const isInside = /[\ud800-\udbff]/.test(text.charAt(length - 1));
  return text.slice(0, isInside ? length - 1 : length);
}
