/** The rows of the page's list: groups by day, highlighted words, and moves by the keyboard. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Conversation } from "../../packages/foreword-client/src/client.ts";
import { findWords } from "../../web/src/history/rows/find-words.ts";
import { groupByDay } from "../../web/src/history/rows/group-by-day.ts";
import { moveInRows } from "../../web/src/history/rows/move-in-rows.ts";

function toConversation(date: Date, id = date.toISOString()): Conversation {
  const updatedAt = date.toISOString();
  return { id, title: id, metadata: {}, leafId: null, archivedAt: null, createdAt: updatedAt, updatedAt };
}

/** Local time, as the browser groups. */
const at = (...parts: [year: number, month: number, day: number, hour?: number]): Date =>
  new Date(parts[0], parts[1] - 1, parts[2], parts[3] ?? 12);

describe("groupByDay", () => {
  const label = (dates: readonly Date[], now: Date, language = "en"): string[] =>
    groupByDay(
      dates.map((date) => toConversation(date)),
      now,
      { language, previousWeek: "Previous 7 days" },
    ).flatMap((row) => (row.type === "heading" ? [row.label] : []));

  test("has headings for today, yesterday, the last week, months of this year, and years", () => {
    const now = at(2026, 11, 29, 0);
    const dates = [
      at(2026, 11, 30), // the server's clock may be ahead
      at(2026, 11, 29, 0),
      at(2026, 11, 28, 23),
      at(2026, 11, 27),
      at(2026, 11, 22, 0),
      at(2026, 11, 21, 23),
      at(2026, 3, 1),
      at(2025, 12, 31),
      at(2025, 1, 1),
      at(2019, 5, 5),
    ];
    const english = ["Today", "Yesterday", "Previous 7 days", "November", "March", "2025", "2019"];
    assert.deepEqual(label(dates, now), english);
    assert.deepEqual(label(dates, now, "de").slice(0, 2), ["Heute", "Gestern"]);
    assert.deepEqual(label(dates, now, "de").slice(4, 5), ["März"]);
  });

  test("counts days of the calendar, also around the change of clocks and of the year", () => {
    for (const [year, month, day] of [
      [2026, 3, 30],
      [2026, 10, 26],
      [2026, 1, 1],
    ] as const)
      assert.deepEqual(
        label([at(year, month, day - 1, 0), at(year, month, day - 1, 23)], at(year, month, day, 1)),
        ["Yesterday"],
      );
  });

  test("keeps every conversation once, in its order, also one of the first year", () => {
    const odd = { ...toConversation(at(2026, 1, 1), "odd"), updatedAt: "0001-01-01T00:00:00.000000Z" };
    const all = [toConversation(at(2026, 1, 2), "a"), toConversation(at(2020, 1, 1), "b"), odd];
    const rows = groupByDay(all, at(2026, 1, 2), { language: "en", previousWeek: "Week" });
    assert.deepEqual(
      rows.flatMap((row) => (row.type === "conversation" ? [row.key] : [])),
      ["a", "b", "odd"],
    );
    assert.equal(new Set(rows.map(({ key }) => key)).size, rows.length);
  });
});

describe("findWords", () => {
  const show = (text: string, query: string): string =>
    findWords(text, query)
      .map((part) => (part.isMatch ? `[${part.text}]` : part.text))
      .join("");

  test("finds words by their beginnings, without case and accents, as the server does", () => {
    assert.equal(show("Café in OSLO, cafeteria", "cafe osl"), "[Café] in [OSL]O, [cafe]teria");
    assert.equal(show("decaf", "caf"), "decaf");
    assert.equal(show("ΟΔΟΣ", "οδος"), "[ΟΔΟΣ]");
    assert.equal(show("Straße 7", "strasse"), "Straße 7");
    assert.equal(show("東京の天気", "天気"), "東京の[天気]");
    assert.equal(show("node.js and Node", "node.js"), "[node].[js] and [Node]");
  });

  test("looks for no operators and no excluded words", () => {
    assert.equal(show("or not this", "this or -not"), "or not [this]");
    assert.equal(show("a phrase", '"a phrase"'), "[a] [phrase]");
    for (const query of ["", "  ", "---", '""', "or", ".*", "(", "\\", "[a-"])
      assert.doesNotThrow(() => show("a (b) [c] .*", query));
  });

  test("returns the whole text, whatever is looked for", () => {
    const text = fc.string({ unit: "binary", maxLength: 60 });
    fc.assert(
      fc.property(text, text, (title, query) => {
        const parts = findWords(title, query);
        assert.equal(parts.map((part) => part.text).join(""), title);
      }),
    );
  });
});

describe("moveInRows", () => {
  const rows = groupByDay(
    [at(2026, 1, 3), at(2026, 1, 2), at(2026, 1, 1)].map((date) => toConversation(date)),
    at(2026, 1, 3),
    { language: "en", previousWeek: "Week" },
  );

  test("moves over headings, and stays at both ends", () => {
    const places = rows.flatMap(({ type }, index) => (type === "conversation" ? [index] : []));
    const [first = -1, second = -1, last = -1] = places;
    assert.equal(moveInRows(rows, first, "ArrowDown"), second);
    assert.equal(moveInRows(rows, second, "ArrowUp"), first);
    assert.equal(moveInRows(rows, first, "ArrowUp"), undefined);
    assert.equal(moveInRows(rows, last, "ArrowDown"), undefined);
    assert.deepEqual([moveInRows(rows, second, "Home"), moveInRows(rows, second, "End")], [first, last]);
    assert.deepEqual([moveInRows(rows, last, "PageUp"), moveInRows(rows, first, "PageDown")], [first, last]);
    for (const key of ["a", "Tab", "toString"]) assert.equal(moveInRows(rows, first, key), undefined);
  });

  test("moves nowhere in an empty list", () => {
    for (const key of ["Home", "End", "ArrowDown", "PageDown", "PageUp"])
      assert.equal(moveInRows([], -1, key), undefined);
  });
});
