/** Decoration around the boundary token: contract rule 3, in any pieces. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { splitSentReply } from "../../../src/turn/reply/sent-reply.ts";
import { arbitraryReply } from "../../support/model/arbitrary-reply.ts";
import { countWork } from "../../support/process/count-work.ts";
import { splitInAllCuttings, splitReply } from "../../support/model/split-reply.ts";

/** Returns plan and answer of `text`, the same in any pieces. */
function parts(text: string, isWhole = true): readonly [plan: string, answer: string] {
  const { plan, answer, boundaries } = splitInAllCuttings(text, isWhole);
  assert.ok(boundaries <= 1);
  return [plan, answer];
}

/** Decoration before a token, with its counterpart after it. */
const dressings: readonly (readonly [before: string, after: string])[] = [
  ["", ""],
  ["-", "--"],
  ["-----", ""],
  ["", "-----------"],
  ["\u200B", "\u200B"],
  ["\u2060\uFEFF\u200B", "\u200B\u2060"],
  ["<!-- ", " -->"],
  ["<!--", "-->"],
  ["<!-- \u200B", "\u200B -->"],
  ["<!--\n", "\n-->"],
  ["<!-- -", "- -->"],
  ["<!-- **", "** -->"],
  ["**<!-- ", " -->**"],
  ["**", "**:"],
  ["**", ":**"],
  ["`", "`"],
  ["### **", "**"],
  ["> ", ""],
  ["**-", "-**"],
  ["*\u200B", "\u200B*"],
  ["** ", " **"],
  ["", ":"],
  ["", "-:"],
  ["", "\u200B:"],
  ["# __", "__"],
];
const tokens = ["---RESPONSE---", "--- Response ---", "---\tresponse---"];
const lineEnds = ["\n", "\r\n", "\n\n"];
const fences: readonly (readonly [open: string, close: string])[] = [
  ["```", "```"],
  ["~~~", "~~~"],
  ["```text", "```"],
  ["~~~~ markdown", "~~~~~"],
  ["  ````", "  ````  "],
  ["> ```", "> ```"],
];
const dressed = fc.record({
  dressing: fc.constantFrom(...dressings),
  token: fc.constantFrom(...tokens),
  lineEnd: fc.constantFrom(...lineEnds),
  fence: fc.option(fc.constantFrom(...fences), { nil: undefined }),
});
const plans = ["- a", "- a\n- b", "Plan: look", "No list, but a plan", "- a\n```\ncode\n```", "- x `y` --"];
const answers = ["Done.", "**Bold** start", "- list", "<b>html</b>", "漢字 🙂", "```ts\nlet a\n```"];

describe("a boundary", () => {
  test("is removed with all decoration of its token, in any pieces", () => {
    for (const [before, after] of dressings)
      assert.deepEqual(
        parts(`- a\n${before}---RESPONSE---${after}\nDone.`),
        ["- a", "Done."],
        JSON.stringify([before, after]),
      );
  });

  test("is removed with its decoration, in a fence or not, with any line ends", () => {
    const property = fc.property(
      dressed,
      fc.constantFrom(...plans),
      fc.constantFrom(...answers),
      ({ dressing: [before, after], token, lineEnd, fence }, plan, answer) => {
        const line = before + token + after;
        const lines = fence === undefined ? line : fence[0] + lineEnd + line + lineEnd + fence[1];
        assert.deepEqual(parts([plan, lines, answer].join(lineEnd)), [plan, answer]);
        assert.deepEqual(parts([plan, lines, answer].join(lineEnd), false), [plan, answer]);
        assert.deepEqual(parts(lines + lineEnd + answer), ["", answer]);
        assert.deepEqual(parts(plan + lineEnd + lines), [plan, ""]);
      },
    );
    fc.assert(property, { numRuns: 400 });
  });

  test("is found in a reply that is sent back, in this server's form or decorated", () => {
    for (const [before, after] of dressings) {
      const dressedText = `- a\n${before}---Response---${after}\nDone.`;
      assert.deepEqual(splitSentReply(dressedText), { plan: "- a", answer: "Done." });
    }
    const fenced = "- a\r\n```\r\n---RESPONSE---\r\n```\r\nDone.";
    assert.deepEqual(splitSentReply(fenced), { plan: "- a", answer: "Done." });
    const property = fc.property(arbitraryReply, (text) => {
      const { plan, answer, boundaries } = splitReply([text]);
      fc.pre(boundaries === 1 && plan === plan.trim());
      const sent = splitSentReply(`${plan}\n---RESPONSE---\n${answer}`);
      assert.deepEqual([sent.plan, sent.answer.trim()], [plan, answer.trim()]);
    });
    fc.assert(property, { numRuns: 5_000 });
  });

  test("inside a line is removed with hyphens, zero-width characters and a comment, but with no marks", () => {
    assert.deepEqual(parts("- a ----RESPONSE----: Done."), ["- a", "Done."]);
    assert.deepEqual(parts("- a \u200B---RESPONSE---\u200BDone."), ["- a", "Done."]);
    assert.deepEqual(parts("- a <!-- ---RESPONSE--- --> Done."), ["- a", "Done."]);
    assert.deepEqual(parts("- a **---RESPONSE---** Done."), ["- a **", "** Done."]);
    assert.deepEqual(parts("- a ---RESPONSE--- -->"), ["- a", "-->"]);
  });

  test("leaves everything that is not its decoration", () => {
    const cases: readonly (readonly [text: string, plan: string, answer: string])[] = [
      ["- a\n---RESPONSE---\n: is a colon", "- a", ": is a colon"],
      ["- a\n---RESPONSE---\n\u200BDone.", "- a", "\u200BDone."],
      ["- a\n---RESPONSE---\n-- Done.", "- a", "-- Done."],
      ["- a\n---RESPONSE---::", "- a", ":"],
      ["- a\n**---RESPONSE---*Done*", "- a", "*Done*"],
      ["- a\n* ---RESPONSE--- *Done*", "- a", "*Done*"],
      ["- a\n** ---RESPONSE--- **Done**", "- a", "**Done**"],
      ["- a\n---RESPONSE--- --> b", "- a", "--> b"],
      ["- a\u200B\n---RESPONSE---\nb", "- a\u200B", "b"],
      ["- a\n- ---RESPONSE---\nb", "- a\n-", "b"],
    ];
    for (const [text, plan, answer] of cases) assert.deepEqual(parts(text), [plan, answer], text);
  });

  test("is removed with its fence only if the fence holds nothing else and was opened in the plan", () => {
    const cases: readonly (readonly [text: string, plan: string, answer: string])[] = [
      ["- a\n```\n---RESPONSE---\ncode\n```", "- a\n```", "code\n```"],
      ["- a\n```\n---RESPONSE---\n```ts\ncode\n```", "- a\n```", "```ts\ncode\n```"],
      ["- a\n```\nx\n---RESPONSE---\n```\nb", "- a\n```\nx", "```\nb"],
      ["- a\n```\nx\n```\n---RESPONSE---\n```\nb\n```", "- a\n```\nx\n```", "```\nb\n```"],
      ["- a\n````\n---RESPONSE---\n```\nb", "- a\n````", "```\nb"],
      ["- a\n```\n---RESPONSE---\n~~~\nb", "- a\n```", "~~~\nb"],
      ["- a\n```some words\n---RESPONSE---\n```\nb", "- a\n```some words", "```\nb"],
      ["- a\n```\n---RESPONSE---", "- a\n```", ""],
      ["- a\n```\n---RESPONSE---\n``", "- a\n```", "``"],
      ["- a\n```\n---RESPONSE---\n```", "- a", ""],
      ["- a\n```\n---RESPONSE--- ```\nb", "- a\n```", "```\nb"],
      ["```\n---RESPONSE---\nb\n```", "```", "b\n```"],
      ["- a\n---RESPONSE---\n```\nb\n```", "- a", "```\nb\n```"],
    ];
    for (const [text, plan, answer] of cases) {
      assert.deepEqual(parts(text), [plan, answer], text);
    }
  });

  test("is swallowed with its decoration after a plan that was cut, or ends a plan that its decoration would have cut", () => {
    for (const length of [795, 796, 797, 798, 799, 800, 801, 1190, 1195, 1199]) {
      const plan = `- ${"x".repeat(length - 2)}`;
      for (const dress of ["```\n---RESPONSE---\n```", "<!-- ---RESPONSE--- -->", "**---RESPONSE---**:"])
        assert.deepEqual(parts(`${plan}\n${dress}\nDone.`), [plan, "Done."], `${length}, ${dress}`);
    }
    const long = `- ${"x".repeat(1198)}`;
    assert.deepEqual(parts(`${long}----RESPONSE----\nDone.`), [long, "Done."]);
    assert.deepEqual(parts(`${long}\n\`\`\`\n---RESPONSE---\nDone.\n\`\`\``), [long, "```\nDone.\n```"]);
  });

  test("counts by the place of its token in text that does not start like a plan", () => {
    const held = (length: number): string => `N${"x".repeat(length - 1)}`;
    assert.deepEqual(parts(`${held(391)}\n<!-- ---RESPONSE--- -->Done.`)[1], "Done.");
    const late = `${held(394)}\n<!-- ---RESPONSE--- -->Done.`;
    assert.deepEqual(parts(late), ["", late]);
  });

  test("is held back until it is decided, and nothing is lost if the reply is cut off there", () => {
    for (const end of ["\u200B", "<!-", "<!-- -", "```", "```te", "~~", "**`", "----", "\r\n```\r\n"]) {
      const { plan, answer } = splitReply([`- a\n${end}`], false);
      assert.deepEqual([plan, answer], [`- a\n${end}`.trimEnd(), ""]);
      const more = splitReply([`- a\n${end}`, "b"], false);
      assert.deepEqual([more.plan, more.answer], [`- a\n${end}b`, ""]);
    }
  });
});

describe("the work on a reply", () => {
  const growing: readonly (readonly [name: string, start: string, repeated: string])[] = [
    ["an answer", "- a\n---RESPONSE---\n", "word "],
    ["text that is no plan", "", "word "],
    ["a plan", "- a\n", "- word\n"],
    ["reasoning", "<think>", "hm. "],
    ["hyphens", "- a\n", "-"],
    ["hyphens after a token", "- a\n---RESPONSE---", "-"],
    ["backticks", "- a\n", "`"],
    ["backticks after a fenced token", "- a\n```\n---RESPONSE---\n", "`"],
    ["<", "- a\n", "<"],
    ["< after the plan", "- a\n---RESPONSE---\nb", "<"],
    ["stars", "- a\n", "*"],
    ["stars after a token in stars", `- a\n${"*".repeat(700)}---RESPONSE---`, "*"],
    ["zero-width characters", "- a\n", "\u200B"],
    ["zero-width characters after a token", "- a\n---RESPONSE---", "\u200B"],
    ["white space", "- a", "\n"],
    ["white space after a plan that was cut", `- ${"x".repeat(1300)}`, " "],
    ["white space after a token in a comment", "- a\n<!-- ---RESPONSE---", " "],
    ["starts of comments", "- a\n", "<!--"],
    ["fences", "- a\n", "```\n"],
    ["fences in fences", "- a\n```\n---RESPONSE---\n", "~~~\n```\n"],
    ["tokens", "", "---RESPONSE---"],
    ["opening marks", "", "<think>"],
    ["blocks of reasoning", "", "<think></think>"],
    ["ends of reasoning", "<think>", "</think"],
    ["attributes", "<think ", "a "],
    ["last marks", "a", "<|end|>"],
    ["white space after a last mark", "a<|end|>", " "],
  ];
  for (const [name, start, repeated] of growing)
    test(`grows with the length of ${name}, whole or one character at a time`, () => {
      const cost = (length: number, cut: (text: string) => string[]): number => {
        const pieces = cut(start + repeated.repeat(length / repeated.length));
        return countWork(() => void splitReply(pieces));
      };
      for (const cut of [Array.from<string>, (text: string) => [text]]) {
        // The bounded part is paid for by then: twice as much further text is twice as much further work.
        const [small, middle, large] = [8_000, 16_000, 32_000].map((length) => cost(length, cut));
        assert.ok(
          (large ?? 0) - (middle ?? 0) <= 2.2 * ((middle ?? 0) - (small ?? 0)) + 5_000,
          `${small}, ${middle}, ${large}`,
        );
      }
    });
});
