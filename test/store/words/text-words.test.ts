/** The words of a text: which they are, that their number is bounded, and that finding them is linear. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toVector } from "../../../src/store/words/lexemes.ts";
import {
  collectWords,
  maxTextLength,
  maxWordLength,
  maxWords,
  type Words,
} from "../../../src/store/words/text-words.ts";
import { hostileTexts } from "../../support/model/hostile-texts.ts";

/** How many places of a word Postgres stores. */
const maxPositions = 255;
/** The most that Postgres stores in a `tsvector`. */
const maxVectorBytes = 1024 * 1024;

function readWords(text: string): Words {
  const reading = collectWords(text);
  for (let step = reading.next(); ; step = reading.next()) if (step.done === true) return step.value;
}

const wordsOf = (text: string): string[] => Array.from(readWords(text).keys());

function assertBounded(text: string): void {
  const words = readWords(text);
  assert.ok(words.size <= maxWords);
  for (const word of words.keys()) {
    assert.ok(word.length > 0 && word.length <= maxWordLength && word.isWellFormed(), JSON.stringify(word));
  }
  assert.ok(Buffer.byteLength(toVector(words, undefined, "")) < maxVectorBytes);
}

describe("collectWords", () => {
  for (const [text, words] of [
    ["CAFÉ cafe\u0301 Straße ΟΔΟΣ οδός İstanbul Łódź", "cafe strasse οδοσ istanbul lodz"],
    ["node.js, /usr/local/bin: a_b https://x.org?y=1", "node js usr local bin a b https x org y 1"],
    ["getUserName HTTPServer utf8", "getusername get user name httpserver http server utf8"],
    ["東京都 ｶﾞｷﾞ", "東京 京都 都 ガギ ギ"],
    ["👩🏽\u200d🚀 🇩🇪 ❤️ x²", "👩 🚀 🇩🇪 ❤ x2"],
    ["й ё العَرَبِيَّة हिन्दी", "и е العربية हिन्दी"],
    ["-- < > ' \\ ... \u200d \u0301 \ud800", ""],
  ] as const) {
    test(`finds in ${JSON.stringify(text)}: ${words}`, () => {
      assert.deepEqual(wordsOf(text), words.split(" ").filter(Boolean));
    });
  }

  for (const length of [1, 2, 999, 1_000, 1_001, 1_999, 2_000, 5_001]) {
    test(`finds every pair of a run of ${length} characters, each at its place`, () => {
      const run = Array.from({ length }, (_, index) => Array.from("東京都世𠮷界")[(index * index) % 6] ?? "");
      const expected = new Map<string, number[]>();
      for (const [index, character] of run.entries()) {
        const pair = character + (run[index + 1] ?? "");
        const positions = expected.get(pair) ?? [];
        expected.set(pair, positions.length < maxPositions ? [...positions, index + 1] : positions);
      }
      assert.deepEqual(readWords(run.join("")), expected);
    });
  }

  test("finds the words of ASCII where a search by letters and digits finds them", () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from("abz019 _-.'\"\\é")), maxLength: 200 });
    fc.assert(
      fc.property(text, (mixed) => {
        const plain = mixed.replaceAll("é", "");
        const expected = new Map<string, number[]>();
        for (const [index, [word]] of [...plain.matchAll(/[0-9a-z]+/g)].entries()) {
          const short = word.slice(0, maxWordLength);
          expected.set(short, [...(expected.get(short) ?? []), index + 1]);
        }
        assert.deepEqual(readWords(plain), expected);
        // Beside other letters it takes another way, to the same words.
        const other = readWords(mixed);
        const folded = Array.from(mixed.matchAll(/[0-9a-zé]+/g), ([word]) => word.replaceAll("é", "e"));
        assert.deepEqual(new Set(other.keys()), new Set(folded.map((word) => word.slice(0, maxWordLength))));
      }),
    );
  });

  test("reads only the start of a long text, and of a long word", () => {
    assert.deepEqual(wordsOf(`${"- ".repeat(maxTextLength / 2)}late`), []);
    assert.deepEqual(wordsOf("x".repeat(1_000)), ["x".repeat(maxWordLength)]);
    assert.deepEqual(wordsOf("𝒳".repeat(1_000)), ["x".repeat(maxWordLength)]);
  });

  test("finds the same words in every form of a text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
        for (const form of ["NFD", "NFKC"]) assert.deepEqual(wordsOf(text.normalize(form)), wordsOf(text));
      }),
    );
  });

  test("is bounded for any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 5_000 }), assertBounded));
  });

  for (const [shape, make] of Object.entries(hostileTexts)) {
    test(`is bounded for ${shape}, and takes linear time`, () => {
      assertBounded(make(4 * maxTextLength));
      // Quadratic growth would be 16 at each attempt; times under a millisecond are not meaningful. A busy
      // machine disturbs some attempts.
      const attempts: string[] = [];
      const isInProportion = (): boolean => {
        const [quarter = 0, half = 0, whole = 0] = [0.25, 0.5, 1].map((part) =>
          measureMs(make(maxTextLength * part)),
        );
        attempts.push([quarter, half, whole].map((ms) => ms.toFixed(2)).join(", "));
        return whole < Math.max(quarter, 0.5) * 13;
      };
      const isLinear = isInProportion() || isInProportion() || isInProportion() || isInProportion();
      console.log(`  ${shape}: ${attempts.at(-1)} ms for 25, 50 and 100 thousand characters`);
      assert.ok(isLinear, attempts.join("; "));
    });
  }
});

/** The shortest of several processor times, each of enough rounds to exceed the clock's own resolution. */
function measureMs(text: string): number {
  const times = Array.from({ length: 4 }, () => {
    const start = process.cpuUsage();
    for (let rounds = 1; ; rounds += 1) {
      readWords(text);
      const ms = process.cpuUsage(start).user / 1_000;
      if (ms > 20) return ms / rounds;
    }
  });
  return Math.min(...times);
}
