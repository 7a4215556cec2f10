/** Random replies: texts of fragments that matter to the splitter, and random ways to cut them. */
import fc from "fast-check";

const fragments = fc.constantFrom(
  "-",
  "--",
  "---",
  "---RESPONSE---",
  "--- response ---",
  "---\tResponse---",
  "---RESPONS",
  "RESPONSE---",
  " ",
  "\t",
  "\n",
  "\r\n",
  "**",
  "*",
  "_",
  "`",
  "#",
  "### ",
  "> ",
  "- item\n",
  "* item\n",
  "1. one\n",
  "• dot\n",
  "Plan",
  "**Plan**\n",
  "plans",
  "<think>",
  "</think>",
  "a",
  "word ",
  "ä",
  "漢",
  "😀",
  "\u0301",
  "\uFEFF",
  "\u00A0",
  "\u200B",
  "\u2060",
  ":",
  "<!--",
  " -->",
  "<",
  "```",
  "```\n",
  "\n```",
  "~~~\r\n",
  "---RESPONSE---\n```\n",
  "\n```\n---RESPONSE---\n",
  "\n<!-- ---RESPONSE--- -->\n",
  "[THINK]",
  "[/think]",
  "<|channel|>final<|message|>",
  "<|end|>",
);
const long = fc.tuple(
  fc.constantFrom("x", "word ", "- item\n", "*", "-", " ", "`", "\u200B", "<!--", "```\n", "\n~~~"),
  fc.integer({ min: 60, max: 500 }),
);

/** A reply: fragments, runs long enough to pass every limit, and any Unicode at all. */
export const arbitraryReply: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { arbitrary: fragments, weight: 8 },
      { arbitrary: long.map(([text, count]) => text.repeat(count)), weight: 1 },
      { arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }), weight: 2 },
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(""));

/** A plan, then a boundary amid marks that may or may not belong to its decoration. */
export const arbitraryDressedReply: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("• dot\n\n", "- item\n```\nx\n```\n", "- item\n```\n", `- ${"word ".repeat(158)}\n`, ""),
    fc.array(
      fc.constantFrom(
        "```",
        "~~~",
        "`",
        "-",
        "--",
        "\n",
        " ",
        "\u200B",
        "<",
        "!",
        "<!--",
        " -->",
        "x",
        "*",
        ">",
      ),
      {
        maxLength: 10,
      },
    ),
    fc.constantFrom(
      "\n---RESPONSE---\n",
      "\n<!-- ---RESPONSE--- -->\n",
      "---RESPONSE---",
      "\n**---RESPONSE---**",
    ),
    fc.constantFrom("", "```\n", "\n```", "\n\n", "answer"),
  )
  .map(([head, marks, token, rest]) => `${head}${marks.join("")}${token}${rest}`);

/** A way to cut any text: the lengths of its pieces, over and over. */
export const arbitraryCutting: fc.Arbitrary<readonly number[]> = fc.array(fc.integer({ min: 1, max: 40 }), {
  minLength: 1,
  maxLength: 8,
});

/** Returns `text` in pieces of `lengths` characters. */
export function cut(text: string, lengths: readonly number[]): string[] {
  const characters = Array.from(text);
  const pieces: string[] = [];
  for (let start = 0, next = 0; start < characters.length; next += 1) {
    const length = lengths[next % lengths.length] ?? 1;
    pieces.push(characters.slice(start, start + length).join(""));
    start += length;
  }
  return pieces;
}
