/** Titles in the replies of models, tidy and hostile. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toTitleText } from "../../../src/turn/titles/title-text.ts";

describe("toTitleText", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["Weather in Oslo", "Weather in Oslo"],
    ['"Weather in Oslo."', "Weather in Oslo"],
    ["“Weather in Oslo”", "Weather in Oslo"],
    ["「東京の天気」", "東京の天気"],
    ["« Météo à Oslo »", "Météo à Oslo"],
    ["\n\n  ## **Title:** *Weather* in `Oslo`  \n\nIt is about weather.", "Weather in Oslo"],
    ["Title: Weather", "Weather"],
    ["TITLE：天气", "天气"],
    ["- Weather", "Weather"],
    ["1. Weather", "Weather"],
    ["```\nWeather in Oslo\n```", "Weather in Oslo"],
    ["- Think\n---RESPONSE---\nWeather", "Weather"],
    ["Tabs\tand  spaces", "Tabs and spaces"],
    ["2 * 3 * 4 = 24", "2 * 3 * 4 = 24"],
    ["snake_case_name in C", "snake_case_name in C"],
    ["What is C++?", "What is C++?"],
    ["And so on...", "And so on..."],
    ["<b>Bold</b> <script>alert(1)</script>", "Bold alert(1)"],
    ["<img src=x onerror=alert(1)>\nA picture", "A picture"],
    ["a < b and c > d", "a < b and c > d"],
    ["\u202Eevil\u202C \u200Bhid\u0007den\u0000", "evil hidden\uFFFD"],
    ["🙂🙂", "🙂🙂"],
    ["\uD800 half", "\uFFFD half"],
    ["", ""],
    [" \n\t\n", ""],
    ["***", ""],
    ['""', ""],
    ["---", ""],
    ["<p></p>", ""],
  ];
  for (const [reply, title] of cases)
    test(`${JSON.stringify(reply)} gives ${JSON.stringify(title)}`, () =>
      assert.equal(toTitleText(reply), title));

  test("a long title is cut between characters to 80 code points", () => {
    assert.equal(toTitleText("x".repeat(10_000)), "x".repeat(80));
    const family = "👨‍👩‍👧‍👦";
    const title = toTitleText(family.repeat(50));
    assert.equal(title, family.repeat(11));
  });

  test("reading takes linear time, whatever a model says", () => {
    for (const piece of ["<", "*", "_", "`", "<a ", '"', "**a", "# ", "\u202E", "\n", "---RESPONSE---"])
      assert.ok(Array.from(toTitleText(piece.repeat(1_000_000))).length <= 80);
  });
});
