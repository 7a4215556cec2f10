/**
 * Texts of every script, and of shapes that parsers of text are slow on, each of a length in UTF-16 code
 * units.
 */

const fill = (piece: string) => (length: number) =>
  piece.repeat(Math.ceil(length / piece.length)).slice(0, length);
/** Characters from `first` on, all different for as long as there are `count`. */
const spread = (first: number, count: number) => (length: number) =>
  Array.from({ length }, (_, index) =>
    String.fromCharCode(first + ((index * index * 7 + index * 31) % count)),
  ).join("");
const numbered = (prefix: string) => (length: number) =>
  Array.from({ length: Math.ceil(length / prefix.length) }, (_, index) => prefix + index.toString(36))
    .join(" ")
    .slice(0, length);

/** How to make a text of each shape. */
export const hostileTexts: Readonly<Record<string, (length: number) => string>> = {
  "English words": numbered("word"),
  "Russian words": numbered("слово"),
  "Greek words": numbered("λέξη"),
  "Arabic words": numbered("كلمة"),
  "Hindi words": numbered("शब्द"),
  Chinese: spread(0x4e00, 20_000),
  Japanese: spread(0x3041, 170),
  Korean: spread(0xac00, 11_000),
  "Korean jamo": (length) => spread(0xac00, 11_000)(length).normalize("NFD").slice(0, length),
  Thai: spread(0x0e01, 46),
  Burmese: spread(0x1000, 80),
  "one letter": fill("a"),
  "no spaces": spread(0x61, 26),
  URLs: fill("https://example.com/a/b?c=d&e=f#g-"),
  hyphens: fill("-"),
  "hyphenated words": fill("a-"),
  dots: fill("a.b."),
  slashes: fill("/a"),
  digits: fill("1234567890"),
  "numbers like versions": fill("1.2-3e4."),
  "open tags": fill("<a b='c' "),
  "less-than signs": fill("<"),
  "e-mail addresses": fill("a.b@c-d.e@"),
  "emoji joined": fill("👩\u200d👩\u200d👧\u200d"),
  flags: fill("🇩🇪"),
  joiners: fill("\u200d"),
  "combining marks": (length) => `a${fill("\u0301\u0323")(length - 1)}`,
  "Thai marks": (length) => `ก${fill("\u0e48\u0e49")(length - 1)}`,
  "ligatures of 18 letters": fill("\ufdfa"),
  "camel case": fill("aBcDe"),
  "short accented words": fill("é "),
  "mixed scripts": fill("aя漢กअ1 "),
  "a model that loops": fill("I am sorry, I cannot do that. "),
  "minified JSON": numbered('{"key":"value","list":[1,2,3],"x":'),
  base64: (length) => Buffer.from(spread(0x100, 5_000)(length)).toString("base64").slice(0, length),
  "unpaired surrogates": fill("\ud800"),
  "quotes and backslashes": fill("'\\ \\'"),
};
