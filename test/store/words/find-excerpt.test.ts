/** Excerpts of texts that a search has found: their place, their length, and the words marked in them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createExcerptFinder, type Excerpt } from "../../../src/store/words/find-excerpt.ts";
import { hostileTexts } from "../../support/model/hostile-texts.ts";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Returns the excerpt with brackets around the marked words. */
function show({ text, ranges }: Excerpt): string {
  let shown = text;
  for (const { start, end } of ranges.toReversed())
    shown = `${shown.slice(0, start)}[${shown.slice(start, end)}]${shown.slice(end)}`;
  return shown;
}

const find = (text: string, query: string): string => show(createExcerptFinder(query).find(text));

function assertSound({ text, ranges }: Excerpt): void {
  const borders = new Set([...Array.from(graphemes.segment(text), ({ index }) => index), text.length]);
  assert.ok(text.length <= 160, `${text.length}`);
  assert.doesNotMatch(text, /[\n\t\0]/);
  let last = -1;
  for (const { start, end } of ranges) {
    assert.ok(start > last && end > start && end <= text.length, JSON.stringify({ text, ranges }));
    assert.ok(borders.has(start) && borders.has(end), JSON.stringify({ text, ranges }));
    last = end;
  }
}

describe("createExcerptFinder", () => {
  for (const [text, query, shown] of [
    ["The train to Oslo leaves at noon", "oslo noon", "The train to [Oslo] leaves at [noon]"],
    ["The train to Oslo leaves at noon", "osl", "The train to [Oslo] leaves at noon"],
    ["A CAFÉ, a cafe\u0301 and a café", "cafe", "A [CAFÉ], a [cafe\u0301] and a [café]"],
    ["Die Straße, \ufb01sh ﬀ ½ fish", "strasse fish", "Die [Straße], [\ufb01sh] ﬀ ½ [fish]"],
    ["use node.js, not node or js", '"node.js"', "use [node.js], not node or js"],
    ["a big cat, a cat big", '"big cat"', "a [big cat], a cat big"],
    ["call getUserName now", "name", "call getUser[Name] now"],
    ["我住在東京都，很大", "東京都", "我住在[東京都]，很大"],
    ["我住在東京，京都", "京", "我住在東[京]，[京]都"],
    ["한국어 \u1112\u1161\u11ab국어", "한국", "[한국]어 [\u1112\u1161\u11ab국]어"],
    ["ｶﾞｷﾞｸﾞ", "ガギ", "[ｶﾞｷﾞ]ｸﾞ"],
    ["family 👨\u200d👩\u200d👧 and 🇩🇪 ❤️", "👩", "family [👨\u200d👩\u200d👧] and 🇩🇪 ❤️"],
    ["🇩🇪🇫🇷 ❤️", "🇫🇷 ❤", "🇩🇪[🇫🇷] [❤️]"],
    ["العَرَبِيَّة لغة", "العربية", "[العَرَبِيَّة] لغة"],
    ["one\n\n two\u2028\tthree\0", "three", "one two [three]"],
    ["so\u00adft hy\u00adphen", "hyphen", "so\u00adft [hy\u00adphen]"],
    ["this or that", "that -this", "this or [that]"],
    ["left", "right or left", "[left]"],
    ["no such word", "-other", "no such word"],
    ["no such word", "missing", "no such word"],
    ["", "missing", ""],
  ] as const) {
    test(`finds ${JSON.stringify(query)} in ${JSON.stringify(text)}`, () => {
      assert.equal(find(text, query), shown);
    });
  }

  test("cuts a long text between words, around the place where most words are together", () => {
    const noise = "lorem ipsum dolor ".repeat(50);
    const shown = find(`big ${noise}a big red cat ${noise}cat`, "big cat");
    assert.match(shown, /^…(?:\w+ )+a \[big\] red \[cat\] (?:\w+ ?)+…$/);
    assert.ok(!/…\w*(?:orem|psum|olor)\b/.test(shown.replaceAll(/…(?:lorem|ipsum|dolor)/g, "")));
  });

  test("looks for words in no more of a text than is searchable", () => {
    const text = `${"- ".repeat(50_000)}late`;
    assert.deepEqual(createExcerptFinder("late").find(text).ranges, []);
    assert.equal(find(`${"- ".repeat(49_000)}late`, "late").slice(-6), "[late]");
    assert.match(
      find(`${"é ".repeat(20_000)}ſpät${" e".repeat(50_000)}`, "spat"),
      /^…(?:é )+\[ſpät\](?: e)+…$/,
    );
  });

  test("marks whole characters in any text, within 160 UTF-16 units", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 600 }),
      fc.string({ unit: "grapheme", maxLength: 400 }),
      fc
        .array(
          fc.constantFrom(...Array.from("aé\u0301 \u200dガ\uff76\uff9e\u1100\u1161東京👩🏽🇩👍\ufe0f\ud800\n")),
          {
            maxLength: 500,
          },
        )
        .map((all) => all.join("")),
    );
    fc.assert(
      fc.property(text, fc.nat(), fc.string({ unit: "grapheme", maxLength: 8 }), (all, place, other) => {
        const from = place % (all.length + 1);
        for (const query of [all.slice(from, from + 6), other])
          assertSound(createExcerptFinder(query).find(all));
      }),
    );
  });

  for (const [name, create] of Object.entries(hostileTexts)) {
    test(`marks whole characters in ${name}`, () => {
      const text = create(20_000);
      for (const query of ["e", "東", "a b or c", '"a a a a"', text.slice(0, 200), text.slice(-6)])
        assertSound(createExcerptFinder(query).find(text));
    });
  }
});
