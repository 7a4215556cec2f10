/** Owns the promises of the splitter that no list of cases can show: for any text, in any cutting. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PlanSplitter } from "../../src/turn/plan-splitter.ts";
import { ReasoningFilter } from "../../src/turn/reasoning-filter.ts";
import { arbitraryCutting, arbitraryReply, cut } from "../support/arbitrary-reply.ts";

interface Split {
  readonly plan: string;
  readonly answer: string;
  readonly boundaries: number;
  readonly hasPlan: boolean;
}

function split(pieces: readonly string[], isWhole = true): Split {
  const seen = { plan: "", answer: "", boundaries: 0 };
  const splitter = new PlanSplitter({
    plan: (text) => {
      assert.equal(seen.boundaries, 0, "no plan comes after the boundary");
      seen.plan += text;
    },
    boundary: () => void (seen.boundaries += 1),
    answer: (text) => {
      assert.equal(seen.boundaries, 1, "no answer comes before the boundary");
      seen.answer += text;
    },
  });
  const filter = new ReasoningFilter({ onReasoning: undefined, keepsSpace: false });
  for (const piece of pieces) splitter.push(filter.push(piece));
  splitter.push(filter.end());
  const hasPlan = isWhole ? splitter.end() : splitter.breakOff();
  return { ...seen, hasPlan };
}

const token = /---[ \t]?RESPONSE[ \t]?---/i;

describe("PlanSplitter", () => {
  test("makes the same of a text however it is cut", () => {
    fc.assert(
      fc.property(arbitraryReply, arbitraryCutting, (text, lengths) => {
        const whole = split([text]);
        assert.deepEqual(split(cut(text, lengths)), whole);
        assert.deepEqual(split(Array.from(text)), whole);
      }),
      { numRuns: 10_000 },
    );
  });

  test("makes the same of a text that breaks off however it is cut", () => {
    fc.assert(
      fc.property(arbitraryReply, arbitraryCutting, (text, lengths) => {
        assert.deepEqual(split(cut(text, lengths), false), split([text], false));
      }),
      { numRuns: 5_000 },
    );
  });

  test("sends one boundary for any text at all, a trimmed plan without a token, and an answer that starts with text", () => {
    fc.assert(
      fc.property(arbitraryReply, (text) => {
        const { plan, answer, boundaries, hasPlan } = split([text]);
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
    const letters = (text: string): string => text.replaceAll(/[\s#>*_`-]/g, "");
    fc.assert(
      fc.property(
        arbitraryReply.filter((text) => !text.includes("think>")),
        (text) => {
          const { hasPlan, answer, plan } = split([text]);
          const sent = letters(hasPlan ? plan + answer : answer);
          const withoutToken = letters(text.replace(token, ""));
          assert.ok(sent === letters(text) || sent === withoutToken, `${sent} of ${letters(text)}`);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test("sends a listed plan as it comes: never more than a possible boundary and white space is held back", () => {
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

  test("drops the marks that mirror a boundary's, also where they end the reply", () => {
    assert.equal(split(["- a\n* **---RESPONSE---**"]).answer, "");
    assert.equal(split(["- a\n* **---RESPONSE---**\nDone."]).answer, "Done.");
    assert.equal(split(["> **_---RESPONSE---_** Done."]).answer, "Done.");
    assert.equal(split(["- a\n**---RESPONSE---*Done*"]).answer, "*Done*");
  });

  const growing: readonly [string, string][] = [
    ["an answer", `- a\n---RESPONSE---\n${"word ".repeat(4)}`],
    ["white space", " "],
    ["hyphens", "-"],
    ["stars after a plan that was cut", `- ${"x".repeat(1200)}${"*".repeat(10)}`],
    ["reasoning", "<think>hmm"],
    ["tokens", "---RESPONSE---"],
  ];
  for (const [name, start] of growing) {
    test(`takes work in proportion to the length of ${name}, one character at a time`, () => {
      const last = start.at(-1) ?? " ";
      const cost = (length: number): number => {
        const characters = Array.from(start + last.repeat(length));
        const before = process.cpuUsage();
        split(characters);
        const { user, system } = process.cpuUsage(before);
        return user + system;
      };
      const median = (length: number): number =>
        [cost(length), cost(length), cost(length)].toSorted((a, b) => a - b)[1] ?? 0;
      median(20_000);
      const [small, large] = [median(20_000), median(320_000)];
      // 16 times the text: 16 times the work, or 256 times if it were quadratic.
      assert.ok(large < 80 * Math.max(small, 1_000), `${small} µs, then ${large} µs`);
    });
  }
});
