/** The reasoning filter: contract rule 1, in whatever pieces a reply comes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OpenedReasoning } from "../../../src/turn/reply/opened-reasoning.ts";
import { ReasoningFilter } from "../../../src/turn/reply/reasoning-filter.ts";
import { arbitraryCutting, cut } from "../../support/model/arbitrary-reply.ts";

interface Filtered {
  readonly text: string;
  readonly reasoning: string;
}

/** Returns text and reasoning of `pieces`. */
function filter(
  pieces: readonly string[],
  keepsSpace = false,
  opened: OpenedReasoning = new OpenedReasoning("no"),
  isWhole = true,
): Filtered {
  let reasoning = "";
  const onReasoning = (piece: string): void => {
    assert.ok(piece.isWellFormed(), "a character is never told in halves");
    reasoning += piece;
  };
  const reader = new ReasoningFilter({ onReasoning, keepsSpace, opened });
  const text = pieces.map((piece) => reader.push(piece)).join("") + reader.end(isWhole);
  return { text, reasoning };
}

/** `text`, whole and one character at a time. */
function filterInAllCuttings(text: string, keepsSpace = false, choice: "yes" | "no" = "no"): Filtered {
  const whole = filter([text], keepsSpace, new OpenedReasoning(choice));
  assert.deepEqual(filter(Array.from(text), keepsSpace, new OpenedReasoning(choice)), whole, text);
  return whole;
}

const parts = [
  ["<think>", "</think>", "<", "</", "<th", " ", "\n", "a", "🙂", "think>", "<THINKING a>", "</Thinking>"],
  ["[think]", "[/THINK]", "[", "<|channel|>", "analysis<|message|>", "final<|message|>", "<|end|>", "<|"],
  ["<|start|>assistant", "<|return|>", "---RESPONSE---", "- a", "```", "<seed:think", ' b="c', '"', ">"],
].flat();
const part = fc.constantFrom(...parts);
const reply = fc.array(part, { maxLength: 14 }).map((chosen) => chosen.join(""));

describe("ReasoningFilter", () => {
  test("returns the same text and reasoning in whatever pieces the reply comes", () => {
    const choice = fc.constantFrom("auto", "yes", "no");
    const property = fc.property(
      reply,
      arbitraryCutting,
      fc.boolean(),
      choice,
      (text, lengths, keeps, set) => {
        const whole = filter([text], keeps, new OpenedReasoning(set));
        assert.deepEqual(filter(cut(text, lengths), keeps, new OpenedReasoning(set)), whole);
        assert.deepEqual(filter(Array.from(text), keeps, new OpenedReasoning(set)), whole);
      },
    );
    fc.assert(property, { numRuns: 10_000 });
  });

  test("takes out a block with a plain tag, and everything in one that never closes", () => {
    const plain = fc.constantFrom("<think>", "</think>", "<", "</", "<th", " ", "\n", "a", "🙂", "think>");
    const property = fc.property(
      fc.array(plain, { maxLength: 12 }).map((chosen) => chosen.join("")),
      fc.boolean(),
      (text, keepsSpace) => {
        let rest = keepsSpace ? text : text.trimStart();
        let reasoning = "";
        for (let block; (block = /^\s*<think>([^]*?)(?:<\/think>\s*|$)/.exec(rest)) !== null;) {
          reasoning += block[1];
          rest = rest.slice(block[0].length);
        }
        assert.deepEqual(filter([text], keepsSpace), { text: rest, reasoning });
      },
    );
    fc.assert(property, { numRuns: 5_000 });
  });

  const names = ["think", "thinking", "thought", "reasoning", "seed:think"];
  const blocks = [
    ...names.map((name) => [`<${name}>`, `</${name}>`]),
    ...names.map((name) => [`<${name.toUpperCase()}>`, `</${name}>`]),
    ["[THINK]", "[/THINK]"],
    ["[Think]", "[/think]"],
    ["<|channel|>analysis<|message|>", "<|end|>"],
    ["<|start|>assistant<|channel|>analysis<|message|>", "<|end|>"],
    ['<think duration="3">', "</think>"],
    ['<think a b="x > y" c>', "</think>"],
    ["<think >", "</think>"],
    ["<think\n\ta>", "</think>"],
    [`<think ${"a".repeat(256)}>`, "</think>"],
    [`<thought a="${"b".repeat(252)}">`, "</thought>"],
  ];
  test("takes out the blocks of every mark, in any case, with attributes, one after another", () => {
    for (const [open, close] of blocks) {
      const block = `${open}one </other> ${close}`;
      const expected = { text: "Hi <think>b</think>", reasoning: "one </other> " };
      assert.deepEqual(filterInAllCuttings(` \n${block}\n\nHi <think>b</think>`), expected, open);
      const twice = filterInAllCuttings(`${block} \n${block}Hi`, true);
      assert.deepEqual(twice, { text: "Hi", reasoning: expected.reasoning.repeat(2) }, open);
      assert.deepEqual(filterInAllCuttings(`${open}never`), { text: "", reasoning: "never" }, open);
    }
  });

  test("closes a block only by the mark with its own name", () => {
    const { text, reasoning } = filterInAllCuttings("<think>a</thinking>b[/THINK]<|end|></think>c");
    assert.deepEqual([text, reasoning], ["c", "a</thinking>b[/THINK]<|end|>"]);
  });

  test("leaves everything that is not a mark", () => {
    const texts = [
      "<thinker>a</thinker>",
      "<think/>a",
      "<think a=b>c",
      "<think a='b'>c",
      '<think a="<">c',
      "<think a\nb>c",
      '<think a="b\nc">d',
      `<think ${"a".repeat(257)}>b`,
      "[THINK a]b[/THINK]",
      "<|channel|>commentary<|message|>a",
      "<thin\u212A>a",
      "a <think>b</think>",
      "</think>a",
      "<think",
      '<think a="',
    ];
    for (const text of texts) assert.deepEqual(filterInAllCuttings(text), { text, reasoning: "" });
  });

  test("takes out harmony's frame of the final message, and its last mark", () => {
    const frames = ["<|start|>assistant<|channel|>final<|message|>", "<|channel|>final<|message|>", ""];
    for (const frame of frames)
      for (const last of ["<|return|>", "<|end|>", "<|RETURN|>", ""]) {
        const { text } = filterInAllCuttings(`${frame}Use <|end|> and <|return|>, a < b.${last}`);
        assert.equal(text, "Use <|end|> and <|return|>, a < b.");
      }
    assert.equal(filterInAllCuttings("Hi<|return|>\n").text, "Hi\n");
    assert.equal(filterInAllCuttings("Hi<|retur").text, "Hi<|retur");
    const both = filterInAllCuttings(
      "<|channel|>analysis<|message|>a<|end|>\n<|start|>assistant<|channel|>analysis<|message|>b<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>",
    );
    assert.deepEqual(both, { text: "Hi", reasoning: "ab" });
  });

  test("passes reasoning on as it comes, and holds back only a possible start of the tag", () => {
    const told: string[] = [];
    const onReasoning = (piece: string): void => void told.push(piece);
    const reader = new ReasoningFilter({ onReasoning, keepsSpace: false, opened: new OpenedReasoning("no") });
    for (const piece of [" <think>One ", "two </th", "ree ", "</think", ">  Text"]) reader.push(piece);
    assert.deepEqual(told, ["One ", "two ", "</three "]);
  });

  test("keeps a long white space as text if space is kept", () => {
    const spaces = " ".repeat(20_000);
    assert.equal(filter(Array.from(spaces), true).text, spaces);
    assert.equal(filter(Array.from(spaces)).text, "");
  });
});

describe("a model that opens its reasoning", () => {
  const bare = "Let me see.\n</think>\n\n- Greet\n---RESPONSE---\nHi!";

  test("loses everything before the closing mark, in one piece, once the mark has come", () => {
    assert.deepEqual(filterInAllCuttings(bare, false, "yes"), {
      text: "- Greet\n---RESPONSE---\nHi!",
      reasoning: "Let me see.\n",
    });
    const twice = filterInAllCuttings("a[/THINK] <think>b</think>c</think>d", true, "yes");
    assert.deepEqual(twice, { text: "c</think>d", reasoning: "ab" });
    const block = filterInAllCuttings("<think>a</think>b</think>c", false, "yes");
    assert.deepEqual(block, { text: "b</think>c", reasoning: "a" });
  });

  test("is held for 64 KiB of UTF-8, then all of it is text", () => {
    const limit = 64 * 1024;
    for (const [character, size] of [
      ["a", 1],
      ["ä", 2],
    ] as const) {
      const fits = character.repeat(limit / size);
      assert.deepEqual(filterInAllCuttings(`${fits}</think>b`, false, "yes"), { text: "b", reasoning: fits });
      const late = `${fits}${character}</think>b`;
      assert.deepEqual(filterInAllCuttings(late, false, "yes"), { text: late, reasoning: "" });
    }
    const reader = new ReasoningFilter({
      onReasoning: undefined,
      keepsSpace: false,
      opened: new OpenedReasoning("yes"),
    });
    assert.equal(reader.push("a".repeat(limit)), "");
    assert.equal(reader.push("b"), `${"a".repeat(limit)}b`);
    assert.equal(reader.push("c"), "c");
  });

  test("passes its reply as text if that ends, or is cut off, without the mark", () => {
    for (const isWhole of [true, false])
      assert.deepEqual(filter(["- a", "\n--", "-"], false, new OpenedReasoning("yes"), isWhole), {
        text: "- a\n---",
        reasoning: "",
      });
  });

  /**
   * Whether a model is known to open its reasoning after `text`, in any pieces; the text goes out unchanged.
   */
  function isLearned(text: string, choice: "auto" | "no" = "auto"): boolean {
    const results = [[text], Array.from(text), cut(text, [7])].map((pieces) => {
      const opened = new OpenedReasoning(choice);
      const filtered = filter(pieces, false, opened);
      if (opened.isExpected) assert.equal(filtered.text, text.trimStart());
      return opened.isExpected;
    });
    assert.equal(new Set(results).size, 1, text);
    return results[0] === true;
  }

  test("is recognized by a closing mark alone on its line, and by the text after it", () => {
    const learned = [
      bare,
      "a\n</think>\nPlan: b",
      "a\n</THINK>\n- b",
      "a\n</thinking>\r\n\r\n1. b",
      "a\n \t[/THINK]  \n\n**Plan**\n- b",
      "</think>\n- b",
      `a\n</seed:think>\n${"b".repeat(399)}---RESPONSE---`,
      "```\ncode\n```\n</reasoning>\n- b",
      "```\n~~~\n```\n</reasoning>\n- b",
      "~~~ a ` b\ncode\n~~~~\n</reasoning>\n- b",
      "a </think> b\n</think>\n- c",
      "a\n</think>\nb\n</think>\n- c",
      `${"long ".repeat(30_000)}\n</think>\n- c`,
    ];
    for (const text of learned) assert.ok(isLearned(text), text.slice(0, 80));
    assert.ok(!isLearned(bare, "no"));
  });

  test("is not recognized by any other mark", () => {
    const others = [
      "- a\n---RESPONSE---\nClose it with </think> at the end.",
      "- a\n---RESPONSE---\nb\n</think>\n- c",
      "a </think>\n- b",
      "a\n</think> b\n- c",
      "a\n</think>- b",
      "a\n```\n</think>\n- b\n```",
      "a\n~~~ts\n</think>\n- b",
      "a\n```\n~~~\n</think>\n- b\n```",
      "a\n````\n```\n</think>\n```\n````\n- b",
      "a\n```\n```ts\n</think>\n- b",
      "> ```\n</think>\n- b",
      "a <think>\nb\n</think>\n- c",
      '<think a="b">x</think>y\n</think>\n- c',
      "[THINK]x[/THINK]y\n[/THINK]\n- c",
      "a\n</think>\nb",
      "a\n</think>\nplans are",
      "a\n</think>",
      `a\n</think>\n${"b".repeat(400)}---RESPONSE---`,
      `a\n</think>\nb\n<think>\n${"c".repeat(400)}\n</think>\n- d`,
      "a\n<|end|>\n- b",
    ];
    for (const text of others) assert.ok(!isLearned(text), text.slice(0, 80));
  });

  test("is forgotten after two whole replies in a row without a closing mark", () => {
    const opened = new OpenedReasoning("auto");
    const say = (text: string, isWhole = true): Filtered => filter([text], false, opened, isWhole);
    say(bare);
    say("- a");
    say(bare);
    say("- a");
    say("- a", false); // a reply that was cut off might have had its mark later
    say(""); // an empty reply proves nothing
    say("<think>a</think>b");
    say("- a");
    assert.ok(opened.isExpected);
    say("- a");
    assert.ok(!opened.isExpected);
    say(bare);
    assert.ok(opened.isExpected, "and learned again");
  });

  test("is not forgotten after replies that began before it was recognized, nor if it is configured", () => {
    const opened = new OpenedReasoning("auto");
    const options = { onReasoning: undefined, keepsSpace: false, opened };
    const early = [1, 2, 3].map(() => new ReasoningFilter(options));
    filter([bare], false, opened);
    for (const reader of early) {
      assert.equal(reader.push("- a"), "- a");
      reader.end(true);
    }
    assert.ok(opened.isExpected);
    const set = new OpenedReasoning("yes");
    for (const text of ["a", "b", "c"]) filter([text], false, set);
    assert.ok(set.isExpected);
  });
});
