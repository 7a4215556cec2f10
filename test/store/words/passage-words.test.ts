/** The words that passages are found by. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { countPassageWords } from "../../../src/store/words/passage-words.ts";

const counted: readonly (readonly [string, Readonly<Record<string, number>>])[] = [
  ["An antenna", { an: 1, antenna: 1, ":ant": 1, ":nte": 1, ":ten": 1, ":enn": 1, ":nna": 1 }],
  ["1234 E-4711", { "1234": 1, e: 1, "4711": 1 }],
  ["工资发放", { 工资: 1, 资发: 1, 发放: 1 }],
  [
    "\u{10428}\u{10429}\u{1042a}\u{1042b}",
    {
      "\u{10428}\u{10429}\u{1042a}\u{1042b}": 1,
      ":\u{10428}\u{10429}\u{1042a}": 1,
      ":\u{10429}\u{1042a}\u{1042b}": 1,
    },
  ],
];

describe("countPassageWords", () => {
  for (const [text, words] of counted)
    test(`counts the words of ${text}, and groups of three whole characters`, () => {
      assert.deepEqual(Object.fromEntries(countPassageWords(text)), words);
    });
});
