/** Long replies in Markdown, of several kinds. */

const sentence =
  "The **quick** brown [fox](https://a.example/fox) jumps over the `lazy` dog, and *nothing* else. ";
const code =
  "export function add(left: number, right: number): number {\n  return left + right; // a sum\n}\n\n";
const row = "| quick | brown fox | jumps over | 1,234 |\n";

/** A chapter with one block of each kind. */
function writeChapter(index: number): string {
  const parts = [
    `## Chapter ${index}\n`,
    `${sentence.repeat(6)}\n`,
    `- a first item, with \`code\`\n- a second item\n  - and one below it\n- a third item\n`,
    `\`\`\`ts\n${code.repeat(6)}\`\`\`\n`,
    `| a | b | c | d |\n|---|---|---|--:|\n${row.repeat(6)}`,
    `> ${sentence.repeat(2)}\n`,
    `The sum is $a^2 + b^2 = c^2$ here.\n`,
    `1. one\n2. two\n3. three\n`,
  ];
  return `${parts.join("\n")}\n`;
}

/** What the text of a reply consists of. */
export const textKinds = ["mixed", "prose", "code", "list", "table", "line"] as const;
/** A kind of text. */
export type TextKind = (typeof textKinds)[number];

const writers: Readonly<Record<TextKind, (index: number) => string>> = {
  mixed: writeChapter,
  prose: () => `${sentence.repeat(5)}\n\n`,
  code: (index) => (index === 0 ? "```ts\n" : "") + code,
  list: () => `- ${sentence}\n`,
  table: (index) => (index === 0 ? "| a | b | c | d |\n|---|---|---|--:|\n" : "") + row,
  line: () => sentence,
};

/** Returns a text of exactly `length` characters. */
export function writeLongText(kind: TextKind, length: number): string {
  const parts: string[] = [];
  for (let written = 0, index = 0; written < length; index += 1) {
    const part = writers[kind](index);
    parts.push(part);
    written += part.length;
  }
  return parts.join("").slice(0, length);
}
