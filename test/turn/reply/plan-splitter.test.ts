/** The splitter's promises for any text, in any pieces, which no list of cases can show. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PlanSplitter } from "../../../src/turn/reply/plan-splitter.ts";
import {
  arbitraryCutting,
  arbitraryDressedReply,
  arbitraryReply,
  cut,
} from "../../support/model/arbitrary-reply.ts";
import { splitReply } from "../../support/model/split-reply.ts";

const token = /---[ \t]?RESPONSE[ \t]?---/i;
/** Includes the line before it, which opens a fence. */
const fencedToken =
  /(?:`{3,}|~{3,})[ \t]*[^\s`]*\s*\n(?:[\s#>*_`\u200B\u2060-]|<!--)*---[ \t]?RESPONSE[ \t]?---/i;

describe("PlanSplitter", () => {
  for (const [name, reply] of [
    ["a text", arbitraryReply],
    ["a boundary amid fences and comments", arbitraryDressedReply],
  ] as const)
    test(`splits ${name} the same way in whatever pieces it comes`, () => {
      fc.assert(
        fc.property(reply, arbitraryCutting, (text, lengths) => {
          const whole = splitReply([text]);
          assert.deepEqual(splitReply(cut(text, lengths)), whole);
          assert.deepEqual(splitReply(Array.from(text)), whole);
        }),
        { numRuns: 10_000 },
      );
    });

  test("splits a text that is cut off the same way in whatever pieces it comes", () => {
    fc.assert(
      fc.property(arbitraryReply, arbitraryCutting, (text, lengths) => {
        assert.deepEqual(splitReply(cut(text, lengths), false), splitReply([text], false));
      }),
      { numRuns: 5_000 },
    );
  });

  test("sends one boundary for any text at all, a trimmed plan without a token, and an answer that starts with text", () => {
    fc.assert(
      fc.property(arbitraryReply, (text) => {
        const { plan, answer, boundaries, hasPlan } = splitReply([text]);
        const isEmpty = plan === "" && answer === "";
        assert.equal(boundaries, isEmpty ? 0 : 1);
        assert.equal(plan, plan.trim());
        assert.ok(!token.test(plan));
        assert.equal(answer, answer.trimStart());
        if (!hasPlan) assert.equal(plan, answer.trimEnd());
      }),
      { numRuns: 10_000 },
    );
  });

  test("loses nothing but reasoning, a token with its line's decoration, and white space beside them", () => {
    const letters = (text: string): string => text.replaceAll(/[\s#>*_`:~<!\u200B\u2060-]/g, "");
    fc.assert(
      fc.property(
        arbitraryReply.filter((text) => !/think|\|>/i.test(text)),
        (text) => {
          const { hasPlan, answer, plan } = splitReply([text]);
          const sent = letters(hasPlan ? plan + answer : answer);
          const expected = [text, text.replace(token, ""), text.replace(fencedToken, "")].map(letters);
          assert.ok(expected.includes(sent), `${sent} of ${expected[0]}`);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test("sends a listed plan as it comes, holding back only white space and a possible boundary", () => {
    const words = fc.array(fc.constantFrom("look", "then", "say --", "`x`", "**b**", "- ---"), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(words, (items) => {
        let sent = "";
        const splitter = new PlanSplitter({
          plan: (text) => void (sent += text),
          boundary: () => {},
          answer: () => {},
        });
        let told = "";
        for (const item of items) {
          const piece = `- ${item} ok\n`;
          told += piece;
          if (told.length > 800) return;
          splitter.push(piece);
          assert.equal(sent, told.trimEnd());
        }
      }),
    );
  });

  test("drops the marks that mirror a boundary's, even at the end of the reply", () => {
    assert.equal(splitReply(["- a\n* **---RESPONSE---**"]).answer, "");
    assert.equal(splitReply(["- a\n* **---RESPONSE---**\nDone."]).answer, "Done.");
    assert.equal(splitReply(["> **_---RESPONSE---_** Done."]).answer, "Done.");
    assert.equal(splitReply(["- a\n**---RESPONSE---*Done*"]).answer, "*Done*");
  });
});
