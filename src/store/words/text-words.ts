/** Decides which words a text is found by: the same for a message, a title and a search, on every version of Node. */

/** How much of a text is looked at, in UTF-16 code units. */
export const maxTextLength = 100_000;
/** How long a word is at most, in UTF-16 code units: of a longer one its beginning counts. */
export const maxWordLength = 64;
/** How many different words of a text count: its first ones. */
export const maxWords = 8_000;
/** How large a text's different words are together, in bytes of UTF-8 at most: Postgres stores a mebibyte, with all that it adds. */
const maxWordBytes = 400_000;
/** The last position that Postgres keeps, and how many it keeps of one word. */
const maxPosition = 16_383;
const maxPositions = 255;

/** A word of a text. */
export interface Token {
  readonly word: string;
  /** Its place among the text's words, from 1. Words of one place overlap. */
  readonly position: number;
  /**
   * `word`: letters and digits. `part`: a hump of the `camelCase` word at its position. `pair`: two neighbours in a run of characters
   * without spaces, whose last one, or only one, is a `tail` or a `single`. `symbol`: an emoji, a flag, or another sign.
   */
  readonly kind: "word" | "part" | "pair" | "tail" | "single" | "symbol";
}

/** Words, each with its positions; none of a word that has only places past the last that counts, or is but a part of others. */
export type Words = ReadonlyMap<string, readonly number[]>;

// eslint-disable-next-line no-control-regex
const ascii = /^[\u0000-\u007f]*$/;
const asciiWord = /[0-9A-Za-z]+/g;

/** Letters of languages that do without spaces between words, and Korean, whose words carry endings: found by pairs of characters. */
const unspacedScripts =
  "Han Hira Kana Bopo Hang Thai Laoo Khmr Mymr Tibt Yiii Lana Tale Talu Tavt Bali Java".split(" ");
/** Marks of kana, which several scripts share: of the lengthened vowel, of voice, and of a closed letter. */
const kanaMarks = String.raw`\u3006\u3099\u309a\u30fc`;
const unspaced = `[[${unspacedScripts.map((script) => `\\p{sc=${script}}`).join("")}${kanaMarks}]&&[\\p{L}\\p{M}\\p{N}]]`;
const unicodeToken = new RegExp(
  String.raw`(?<run>${unspaced}+)|(?<word>[[\p{L}\p{M}\p{N}]--${unspaced}]+)|(?<symbol>\p{RI}{2}|[\p{So}\p{ExtPict}])`,
  "gv",
);

/** Invisible, and no part of a word: joiners, soft hyphens, marks of direction, variation selectors. */
const ignorable = /\p{DI}+/gu;
/** To order the marks of one character takes quadratic time, and no language writes so many. */
const stackedMarks = /(\p{M}{8})\p{M}+/gu;
/** Accents of Latin, Greek and Cyrillic letters, vowel signs of Hebrew and Arabic. What else is a mark is a letter's other half. */
const accents =
  /[[\p{M}&&[\p{sc=Inherited}\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Hebrew}\p{sc=Arabic}]]\u0640]+/gv;
/** Letters whose stroke or ligature Unicode takes for a letter's own, and the sigma at a word's end. */
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
/** A name has no more humps than that; a longer one is a key, a digest or noise. */
const maxHumps = 6;

/** How many tokens {@link collectWords} reads between two pauses: one or two milliseconds. */
const tokensPerStep = 2_000;

/** Yields the words of a text's first {@link maxTextLength} characters, in order. Takes time in proportion to their number. */
export function* readTokens(text: string): Generator<Token, void, undefined> {
  const whole = cutAt(text, maxTextLength);
  let position = 1;
  if (ascii.test(whole)) {
    for (const [word] of whole.matchAll(asciiWord)) yield* readWord(word, position++, toLowerCase);
    return;
  }
  const fold = createFold();
  const plain = whole.replace(ignorable, "").replace(stackedMarks, "$1").normalize("NFKC");
  for (const { 0: found, groups } of cutAt(plain, maxTextLength).matchAll(unicodeToken)) {
    if (groups?.["run"] !== undefined) position = yield* readRun(found, position);
    else if (groups?.["word"] !== undefined) yield* readWord(found, position++, fold);
    else yield { word: found, position: position++, kind: "symbol" };
  }
}

/**
 * Collects the words that `text` is found by, pausing every millisecond or two: step through it if other work shares the thread.
 * At most {@link maxWords}, none longer than {@link maxWordLength}.
 */
export function* collectWords(text: string): Generator<undefined, Words, undefined> {
  const words = new Map<string, number[]>();
  let bytes = 0;
  let count = 0;
  for (const { word, position, kind } of readTokens(text)) {
    if (++count % tokensPerStep === 0) yield;
    let positions = words.get(word);
    if (positions === undefined) {
      if (words.size === maxWords || bytes > maxWordBytes) continue;
      positions = [];
      words.set(word, positions);
      bytes += 3 * word.length;
    }
    if (kind !== "part" && position < maxPosition && positions.length < maxPositions)
      positions.push(position);
  }
  return words;
}

function* readWord(
  raw: string,
  position: number,
  fold: (word: string) => string,
): Generator<Token, void, undefined> {
  const cut = cutAt(raw, maxWordLength);
  const word = fold(cut);
  if (word === "") return;
  yield { word, position, kind: "word" };
  if (!hump.test(cut)) return;
  const parts = cut.split(humpStart);
  if (parts.length > maxHumps) return;
  for (const part of parts) {
    const folded = fold(part);
    if (folded.length > 1) yield { word: folded, position, kind: "part" };
  }
}

/** Yields each pair of characters of a run, and its last character; returns the position after it. */
function* readRun(run: string, start: number): Generator<Token, number, undefined> {
  let position = start;
  let last = "";
  for (const character of run) {
    if (last !== "") yield { word: last + character, position: position++, kind: "pair" };
    last = character;
  }
  yield { word: last, position, kind: position === start ? "single" : "tail" };
  return position + 1;
}

function toLowerCase(word: string): string {
  return word.toLowerCase();
}

/** Returns {@link foldWord}, which then knows the words that it has folded before. */
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
  const lower = bare.toUpperCase().toLowerCase().normalize("NFD").replace(accents, ""); // ß is ss, and İ has a dot only here
  return cutAt(
    lower.replace(likeLetter, (letter) => likeLetters.get(letter) ?? letter).normalize("NFC"),
    maxWordLength,
  );
}

/** Never cuts a character in two. */
function cutAt(text: string, length: number): string {
  if (text.length <= length) return text;
  const isInside = /[\ud800-\udbff]/.test(text.charAt(length - 1));
  return text.slice(0, isInside ? length - 1 : length);
}
