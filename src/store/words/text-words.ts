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
/** How much of a run is read at once, in characters. */
const maxRunLength = 1_000;
/** The start of a long run of letters of {@link unspacedScripts}, a whole run, a word, or a sign. */
const unicodeToken = new RegExp(
  String.raw`(${unspaced}{${maxRunLength}}(?=${unspaced}))|(${unspaced}+)|([[\p{L}\p{M}\p{N}]--${unspaced}]+)|\p{RI}{2}|[\p{So}\p{ExtPict}]`,
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

/** How many positions {@link collectWords} reads between two pauses: one or two milliseconds. */
const positionsPerStep = 2_000;
/** The same for {@link readPlainTokens}, whose callers may need only the first tokens. */
const positionsPerYield = 32;

/** Told of each token: its fields one by one, since most texts have hundreds, and few are kept. */
type OnToken = (word: string, position: number, kind: Token["kind"], start: number, end: number) => void;

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
  const tokens: Token[] = [];
  const reader = new TokenReader(plain, (word, position, kind, start, end) =>
    tokens.push({ word, position, kind, start, end }),
  );
  while (reader.read(positionsPerYield)) yield* tokens.splice(0);
  yield* tokens;
}

/**
 * Collects the searchable words of `text`, pausing every millisecond or two: step through it to share the
 * thread. At most {@link maxWords}, none longer than {@link maxWordLength}.
 */
export function* collectWords(text: string): Generator<undefined, Words, undefined> {
  const words = new Map<string, number[]>();
  let bytes = 0;
  const reader = new TokenReader(toPlain(text), (word, position, kind) => {
    const isPlaced = kind !== "part" && position < maxPosition;
    const positions = words.get(word);
    if (positions !== undefined) {
      if (isPlaced && positions.length < maxPositions) positions.push(position);
    } else if (words.size < maxWords && bytes <= maxWordBytes) {
      words.set(word, isPlaced ? [position] : []);
      bytes += 3 * word.length;
    }
  });
  while (reader.read(positionsPerStep)) yield;
  return words;
}

/** Reads the tokens of a plain text, some at a time. */
class TokenReader {
  readonly #plain: string;
  readonly #tell: OnToken;
  readonly #fold = createFold();
  #place = 0;
  #position = 1;

  constructor(plain: string, tell: OnToken) {
    this.#plain = plain;
    this.#tell = tell;
  }

  /** Reads about `count` positions; returns whether there is more. */
  read(count: number): boolean {
    const last = this.#position + count;
    while (this.#position < last && this.#place < this.#plain.length) this.#readNext();
    return this.#place < this.#plain.length;
  }

  #readNext(): void {
    const plain = this.#plain;
    const start = this.#place;
    let end = start;
    let code = plain.charCodeAt(start);
    let classes = 0;
    for (let one = asciiClasses[code]; one !== undefined && one > 0; one = asciiClasses[code]) {
      classes |= one;
      end += 1;
      code = plain.charCodeAt(end); // NaN at the end
    }
    if (code >= 128) return this.#match(start);
    this.#place = Math.max(end, start + 1);
    if (classes === 0) return;
    // Almost every word of almost every text, and so without a regular expression.
    if (classes > 1 || end - start > maxWordLength) return this.#tellWord(plain.slice(start, end), start);
    this.#tell(plain.slice(start, end), this.#position, "word", start, end);
    this.#position += 1;
  }

  #match(from: number): void {
    unicodeToken.lastIndex = from;
    const match = unicodeToken.exec(this.#plain);
    if (match === null) {
      this.#place = this.#plain.length;
      return;
    }
    const [found, longRun, run, word] = match;
    const { index: start } = match;
    const end = start + found.length;
    this.#place = end;
    if (word !== undefined) this.#tellWord(word, start);
    else if (run !== undefined) this.#tellRun(run, start, true);
    // Its last character begins the next pair.
    else if (longRun !== undefined) this.#place = this.#tellRun(longRun, start, false);
    else {
      this.#tell(found, this.#position, "symbol", start, end);
      this.#position += 1;
    }
  }

  #tellWord(raw: string, start: number): void {
    const position = this.#position;
    this.#position += 1;
    const cut = cutAt(raw, maxWordLength);
    const word = this.#fold(cut);
    if (word === "") return;
    this.#tell(word, position, "word", start, start + raw.length);
    if (!hump.test(cut)) return;
    const parts = cut.split(humpStart);
    if (parts.length > maxHumps) return;
    let place = start;
    for (const part of parts) {
      const folded = this.#fold(part);
      const end = place + part.length;
      if (folded.length > 1) this.#tell(folded, position, "part", place, end);
      place = end;
    }
  }

  /** Tells each pair of characters of a run, and the last one if it is whole; returns where that starts. */
  #tellRun(run: string, from: number, isWhole: boolean): number {
    const first = this.#position;
    let last = "";
    let start = from;
    for (const character of run) {
      const end = start + last.length + character.length;
      if (last !== "") this.#tell(last + character, this.#position++, "pair", start, end);
      start += last.length;
      last = character;
    }
    if (!isWhole) return start;
    const kind = this.#position === first ? "single" : "tail";
    this.#tell(last, this.#position, kind, start, start + last.length);
    this.#position += 1;
    return start;
  }
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
