/** Which messages, and which paths, count as the same. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addressMessages, digestContent, toSentAnswer } from "../../src/turn/message-tree.ts";
import type { ToolPart } from "../../src/turn/items/tool.ts";
import { toMessages } from "../support/databases/make-turn.ts";

const pathOf = (...lines: string[]): string | undefined =>
  addressMessages(toMessages(lines)).at(-1)?.pathDigest;

describe("addressMessages", () => {
  test("gives equal paths equal digests, and another digest for any difference before or in a message", () => {
    assert.equal(pathOf("u: a", "a: b"), pathOf("u: a", "a: b"));
    assert.notEqual(pathOf("u: a", "a: b"), pathOf("u: a", "u: b"));
    assert.notEqual(pathOf("u: a", "a: b"), pathOf("u: c", "a: b"));
    assert.notEqual(pathOf("u: a", "a: b"), pathOf("a: b"));
    assert.equal(pathOf("u: \u00e9"), pathOf("u: e\u0301"));
  });

  test("tells images apart by their content, not by their place", () => {
    const image = (data: string) => [{ mimeType: "image/png", data } as const];
    assert.equal(digestContent("user", "a", image("AAAA")), digestContent("user", "a", image("AAAA")));
    assert.notEqual(digestContent("user", "a", image("AAAA")), digestContent("user", "a", image("BBBB")));
    assert.notEqual(digestContent("user", "a", image("AAAA")), digestContent("user", "a"));
  });
});

describe("digestContent", () => {
  test("composes a character with up to 30 marks, and leaves one with more as it is, at any place", () => {
    const isComposed = (text: string): boolean =>
      digestContent("user", text) === digestContent("user", text.normalize("NFC"));
    for (let place = 0; place < 70; place += 1) {
      const before = "語".repeat(place);
      for (const mark of ["\u0316\u0301", "\u{1D167}\u0301"]) {
        assert.equal(isComposed(`${before}e${mark.repeat(15)}ö`), true, `${place}`);
        assert.equal(isComposed(`${before}e\u0301${mark.repeat(15)}ö`), false, `${place}`);
      }
    }
  });
});

const call = (more: Partial<ToolPart> = {}): ToolPart => ({
  callId: "call_1",
  name: "get_weather",
  runsOn: "client",
  step: 0,
  at: 0,
  input: '{"city":"Oslo","days":2}',
  outcome: { status: "complete", output: { sky: "clear", degrees: 20 } },
  ...more,
});
const digestOf = (...tools: ToolPart[]): string => digestContent("assistant", "It is sunny.", [], tools);

describe("the digest of tool calls", () => {
  test("leaves the digest of every other message as it was", () => {
    const before = "774cf9c1d2c55c0f6de0287a6367cb87daa7a12c01a9e30ab0e9cd14257283e2";
    assert.equal(digestContent("assistant", "Hello \u00e9"), before);
    assert.equal(digestContent("assistant", "Hello \u00e9", [], []), before);
    assert.equal(digestContent("assistant", "Hello \u00e9", [], [call({ runsOn: "server" })]), before);
    assert.equal(
      digestContent("user", "a", [{ mimeType: "image/png", data: "AAAA" }]),
      "136fb5ecc7fd4e93179b8db66cf2d7b3b5eaf8e1a80280777eb9a6afc06ba090",
    );
  });

  const same: readonly [string, Partial<ToolPart>][] = [
    ["its id, step and place", { callId: "other", step: 3, at: 9 }],
    [
      "the order of keys and the white space of its arguments",
      { input: '{ "days": 2.0,\n"city": "Os\\u006co" }' },
    ],
    [
      "the order of keys in its output",
      { outcome: { status: "complete", output: { degrees: 20, sky: "clear" } } },
    ],
  ];
  for (const [name, more] of same)
    test(`is the same whatever ${name}`, () => assert.equal(digestOf(call(more)), digestOf(call())));

  const other: readonly [string, ToolPart[]][] = [
    ["its name", [call({ name: "get_news" })]],
    ["its arguments", [call({ input: '{"city":"Rome","days":2}' })]],
    ["the order of a list", [call({ input: '{"city":"Oslo","days":[1,2]}' })]],
    ["its output", [call({ outcome: { status: "complete", output: { sky: "clear", degrees: 21 } } })]],
    ["its status", [call({ outcome: { status: "failed", output: { sky: "clear", degrees: 20 } } })]],
    ["whether it has a result", [call({ outcome: undefined })]],
    ["whether it is there twice", [call(), call()]],
    ["whether it is there at all", []],
  ];
  for (const [name, tools] of other)
    test(`tells apart ${name}`, () => assert.notEqual(digestOf(...tools), digestOf(call())));

  test("does not depend on the calls that this server ran", () => {
    assert.equal(digestOf(call({ runsOn: "server", name: "web__search" }), call()), digestOf(call()));
  });

  test("makes white space in the text count as one space, since it stands between the texts of steps", () => {
    const digest = (text: string, ...tools: ToolPart[]) => digestContent("assistant", text, [], tools);
    assert.equal(digest("a \n\n\n b", call()), digest("a\n\nb", call()));
    assert.notEqual(digest("a \n\n\n b"), digest("a\n\nb"));
    assert.notEqual(digest("a b", call()), digest("ab", call()));
  });

  test("compares broken and deeply nested arguments as text", () => {
    const deep = "[".repeat(100_000);
    for (const input of ["{", "not JSON", `${deep}${"]".repeat(100_000)}`, deep]) {
      assert.equal(digestOf(call({ input })), digestOf(call({ input: ` ${input}\n` })));
      assert.notEqual(digestOf(call({ input })), digestOf(call({ input: `${input}1` })));
    }
    assert.equal(digestOf(call({ input: "" })), digestOf(call({ input: "{}" })));
  });
});

describe("toSentAnswer", () => {
  const sent: readonly [string, string][] = [
    ["- p\n---RESPONSE---\nanswer", "answer"],
    ["answer\n[error] model_stalled: It stopped.\n", "answer"],
    ["- p\n---RESPONSE---\n\n[error] model_stalled: It stopped.\n", ""],
    ["[error] model_stalled: It stopped.", ""],
    ["answer [error] model_stalled: It stopped.", "answer [error] model_stalled: It stopped."],
    ["[error] one: a\nanswer", "[error] one: a\nanswer"],
    ["answer\n[error] Not a code", "answer\n[error] Not a code"],
  ];
  for (const [text, answer] of sent) {
    test(`makes ${JSON.stringify(answer)} of ${JSON.stringify(text)}`, () =>
      assert.equal(toSentAnswer(text), answer));
  }

  const hostile: readonly [string, string][] = [
    ["[error] lines without an end", "[error] a: "],
    ["lines that start like one", "\n[error] a"],
    ["tokens that never end", "--- "],
    ["hyphens", "-"],
    ["white space", " \n"],
    ["combining marks", "\u0301\u0316"],
  ];
  for (const [name, piece] of hostile) {
    test(`and its digest take work proportional to the length of ${name}`, () => {
      const cost = (count: number): number => {
        const text = `a${piece.repeat(count)}b`;
        const before = process.cpuUsage();
        digestContent("assistant", toSentAnswer(text));
        const { user, system } = process.cpuUsage(before);
        return user + system;
      };
      const median = (count: number): number =>
        [cost(count), cost(count), cost(count)].toSorted((a, b) => a - b)[1] ?? 0;
      // 16 times the text: 16 times the work, or 256 times if it were quadratic.
      assert.ok(median(160_000) < 80 * Math.max(median(10_000), 1_000));
    });
  }
});
