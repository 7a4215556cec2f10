/** Finds mathematics in Markdown: `$…$`, `$$…$$`, `\(…\)` and `\[…\]`, and not prices. */

/** A formula as it was found: its TeX, and whether it is shown in a line of its own. */
export interface Formula {
  readonly raw: string;
  readonly tex: string;
  readonly isBlock: boolean;
}

/** The longest formula. A longer one stays text, and so does a delimiter whose partner is further away. */
const maxLength = 2000;

/** Returns the formula that a block begins with. It has no blank line, and its last line ends with it. */
export function findBlockMath(source: string): Formula | undefined {
  const opening = /^ {0,3}(\$\$|\\\[)/.exec(source);
  if (opening?.[1] === undefined) return undefined;
  const start = opening[0].length;
  const text = source.slice(start, start + maxLength);
  const end = findEnd(text, opening[1] === "$$" ? "$$" : String.raw`\]`);
  if (end === undefined) return undefined;
  const rest = /^[ \t]*(?=\n|$)/.exec(text.slice(end + 2));
  if (rest === null || start + end + 2 + rest[0].length === start + maxLength) return undefined;
  const raw = source.slice(0, start + end + 2 + rest[0].length);
  return { raw, tex: text.slice(0, end).trim(), isBlock: true };
}

/** Returns the formula that begins with the backslash that the text begins with. */
export function findBracketMath(source: string): Formula | undefined {
  const closing = source.startsWith(String.raw`\(`) ? String.raw`\)` : String.raw`\]`;
  if (closing === String.raw`\]` && !source.startsWith(String.raw`\[`)) return undefined;
  const text = source.slice(2, 2 + maxLength);
  const end = findEnd(text, closing);
  if (end === undefined) return undefined;
  return {
    raw: source.slice(0, end + 4),
    tex: text.slice(0, end).trim(),
    isBlock: closing !== String.raw`\)`,
  };
}

/** Returns the formula that begins with the dollar sign that the text begins with. */
export function findDollarMath(source: string): Formula | undefined {
  if (source.startsWith("$$")) {
    const text = source.slice(2, 2 + maxLength);
    const end = findEnd(text, "$$");
    if (end === undefined) return undefined;
    return { raw: source.slice(0, end + 4), tex: text.slice(0, end).trim(), isBlock: true };
  }
  const text = source.slice(1, 1 + maxLength);
  if (!/^[^\s$]/.test(text)) return undefined;
  const end = findEnd(text, "$");
  if (end === undefined) return undefined;
  const tex = text.slice(0, end);
  // A dollar that follows a space, or stands before a digit or a letter, is a currency's.
  if (/\s$/.test(tex) || /^[\p{L}\p{N}$]/u.test(text.slice(end + 1, end + 3)) || isPrice(tex))
    return undefined;
  return { raw: source.slice(0, end + 2), tex, isBlock: false };
}

/** Returns where, after its first character, a text may hold a dollar that begins a formula. */
export function findDollar(source: string): number | undefined {
  for (let at = source.indexOf("$", 1); at !== -1; at = source.indexOf("$", at + 1)) {
    if (!/[\p{L}\p{N}$]/u.test(source.charAt(at - 1))) return at;
  }
  return undefined;
}

function findEnd(text: string, closing: string): number | undefined {
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (text.startsWith(closing, at)) return text.slice(0, at).trim() === "" ? undefined : at;
    if (character === "\\") at += 1;
    else if (character === "\n" && /^[ \t]*\n/.test(text.slice(at + 1))) return undefined;
    else if (character === "$" && closing === "$") return undefined;
  }
  return undefined;
}

/** `5 and 10`, `1,000 per month`: numbers with words, as between the signs of two prices. */
function isPrice(tex: string): boolean {
  return /^\d[\d.,]*(?:[kKmM]|\s*[-–/])?(?:\s+\p{L}{2,}|$)/u.test(tex) && !/[\\^_=+*{]/.test(tex);
}
