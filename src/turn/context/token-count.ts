/**
 * Estimates the tokens of a text by its scripts and kinds of text. The weights are fitted to o200k on the
 * corpus of `npm run tokens`, which prints the error.
 */

/** Kinds of characters that tokenizers treat alike. */
const space = 0;
const lineBreak = 1;
const lower = 2;
const upper = 3;
const accented = 4;
const digit = 5;
const punctuation = 6;
// Scripts whose words are not counted one by one.
const cyrillic = 7;
const arabic = 8;
const indic = 9;
const thai = 10;
const han = 11;
const kana = 12;
const hangul = 13;
const symbol = 14;
const other = 15;

/** Tokens per character of these scripts, their spaces included. */
const scriptWeights = new Float64Array(16);
scriptWeights[cyrillic] = 0.35;
scriptWeights[arabic] = 0.37;
scriptWeights[indic] = 0.4;
scriptWeights[thai] = 0.43;
scriptWeights[han] = 0.83;
scriptWeights[kana] = 0.82;
scriptWeights[hangul] = 0.74;
scriptWeights[symbol] = 0.85;
scriptWeights[other] = 1.3;

/** The kinds of ASCII characters. */
const ascii = new Uint8Array(128).fill(punctuation);
ascii.fill(lineBreak, 9, 14);
ascii[32] = space;
ascii.fill(digit, 48, 58);
ascii.fill(upper, 65, 91);
ascii.fill(lower, 97, 123);

/** The kinds of all others, by their first 9 bits: Unicode's blocks begin at multiples of 128, about. */
const blocks = new Uint8Array(512).fill(other);
for (const [from, to, kind] of [
  [0x0080, 0x02ff, accented],
  [0x0370, 0x052f, cyrillic], // and Greek
  [0x0590, 0x08ff, arabic], // and Hebrew
  [0x0900, 0x0dff, indic],
  [0x0e00, 0x0eff, thai],
  [0x1e00, 0x1eff, accented],
  [0x2000, 0x2bff, symbol],
  [0x3000, 0x30ff, kana],
  [0x3100, 0x9fff, han],
  [0xac00, 0xd7af, hangul],
  [0xd800, 0xdfff, symbol], // half an emoji, as a rule
  [0xf900, 0xfaff, han],
  [0xfe00, 0xffff, symbol],
] as const)
  blocks.fill(kind, from >> 7, (to >> 7) + 1);

/** The first letters of a word count together; each further one makes a second token likelier. */
const wordWeight = 0.955;
const shortWord = 4;
const furtherLetter = 0.044;
/** The same beyond all words of any language: such text is made of random letters. */
const longWord = 24;
const randomLetter = 0.5;
/** Tokenizers know English best: words with accents are cut into more tokens. */
const accentWeight = 0.18;
const furtherPerAccent = 4.1;
const maxFurther = 0.28;
/** Letters that touch digits, as in base64 and UUIDs: the first of a row, and the others. */
const mixedFirst = 0.8;
const mixedFurther = 0.6;
/** Up to three digits are one token; a space before them is one of its own, unlike before a word. */
const digitsPerToken = 3;
const spaceBeforeDigits = 1.63;
const punctuationFirst = 0.87;
const punctuationFurther = 0.16;
const lineBreakWeight = 0.78;

/** Returns about how many tokens `text` has: a whole number. */
export function countTokens(text: string): number {
  let tokens = 0;
  let words = 0;
  let further = 0;
  let letters = 0;
  let accents = 0;
  let length = 0; // of the run of letters or digits so far
  let isMixed = false;
  let previous = space;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const kind = (code < 128 ? ascii[code] : blocks[code >> 7]) ?? other;
    if (kind > punctuation) {
      tokens += scriptWeights[kind] ?? 1;
      isMixed = false;
    } else if (kind >= lower && kind <= accented) {
      letters += 1;
      if (kind === accented) accents += 1;
      const isInside = previous >= lower && previous <= accented;
      // A capital letter after small ones starts a new word: camelCase.
      if (isInside && (kind !== upper || previous === upper)) {
        length += 1;
        if (isMixed) tokens += mixedFurther;
        else if (length > longWord) tokens += randomLetter;
        else if (length > shortWord) further += 1;
      } else {
        length = 1;
        isMixed = previous === digit || (isInside && isMixed);
        if (isMixed) tokens += mixedFirst;
        else words += 1;
      }
    } else if (kind === digit) {
      length = previous === digit ? length + 1 : 1;
      if (length % digitsPerToken === 1) tokens += 1;
      if (previous === space) tokens += spaceBeforeDigits;
      else if (previous >= lower && previous <= accented) isMixed = true;
    } else {
      isMixed = false;
      if (kind === punctuation) tokens += previous === punctuation ? punctuationFurther : punctuationFirst;
      else if (kind === lineBreak && previous !== lineBreak) tokens += lineBreakWeight;
    }
    previous = kind;
  }
  const share = letters === 0 ? 0 : accents / letters;
  tokens += words * wordWeight + accents * accentWeight;
  return Math.ceil(tokens + further * (furtherLetter + Math.min(maxFurther, share * furtherPerAccent)));
}

/** How much of many texts is read, in UTF-16 code units. */
const maxSampled = 64 * 1_024;

/** Returns about how many tokens `texts` have in all; of long ones it reads the newest, which come last. */
export function sampleTokens(texts: readonly string[]): number {
  let read = 0;
  let unread = 0;
  let tokens = 0;
  for (const text of texts.toReversed()) {
    const sample = text.length <= maxSampled - read ? text : text.slice(0, maxSampled - read);
    if (sample !== "") tokens += countTokens(sample);
    read += sample.length;
    unread += text.length - sample.length;
  }
  return read === 0 ? 0 : Math.ceil(tokens + (unread * tokens) / read);
}

/** Returns the start of `text`, up to a space, with at most so many tokens. */
export function cutToTokens(text: string, maxTokens: number): string {
  let cut = text;
  for (let tokens = countTokens(cut); tokens > maxTokens; tokens = countTokens(cut)) {
    const length = Math.floor(Math.min(cut.length * 0.97, (cut.length * maxTokens) / tokens));
    const end = cut.slice(0, length).search(/\s\S*$/);
    cut = cut.slice(0, end > length * 0.8 ? end : length);
  }
  return cut.length === text.length ? cut : cut.toWellFormed().trimEnd();
}
