/** A conversation's title in the words of a model: one plain line. */
import { cutTitle, toStorable } from "../message.ts";
import { splitSentReply } from "../reply/sent-reply.ts";

/** The longest title, in code points. */
const maxTitleLength = 80;
/** How much of a reply is read, in UTF-16 code units: no title starts later. */
const maxReadLength = 2_000;

/** Characters that are invisible, or change the direction of the text around them. */
const invisible = /[\p{Cc}\p{Zl}\p{Zp}\u00AD\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF]/gu;
const tag = /<[/!]?[a-z][^<>]*>|<!--[^>]*-->/gi;
/** The decoration of a line: heading, list, quotation, and a label. */
const lineStart =
  /^(?:#{1,6}\s+|[-*+>•]\s+|\d{1,2}[.)]\s+|(?:\*\*|__)?title(?:\*\*|__)?\s*[:：](?:\*\*|__)?\s*)+/i;
const emphasis = /(?<![\p{L}\p{N}])(\*\*|__|\*|_|`+|~~)(?=\S)([^]*?\S)\1(?![\p{L}\p{N}])/gu;
const quotes: readonly (readonly [string, string])[] = [
  ['"', '"'],
  ["'", "'"],
  ["`", "`"],
  ["“", "”"],
  ["„", "“"],
  ["‘", "’"],
  ["«", "»"],
  ["»", "«"],
  ["「", "」"],
  ["『", "』"],
  ["《", "》"],
];

/**
 * Returns the title in a reply, which lacks its reasoning: its first line with text, without markup,
 * quotation marks and invisible characters, cut to 80 code points. Empty if there is none.
 */
export function toTitleText(reply: string): string {
  const { answer } = splitSentReply(toStorable(reply.slice(0, maxReadLength)));
  for (const line of answer.split(/[\n\r\u2028\u2029]/)) {
    if (/^\s*(?:```|~~~)/.test(line)) continue;
    const title = cutTitle(toPlainLine(line), maxTitleLength).trim();
    if (/[\p{L}\p{N}\p{S}]/u.test(title)) return title;
  }
  return "";
}

function toPlainLine(line: string): string {
  const visible = line.replaceAll("\t", " ").replaceAll(invisible, "").replaceAll(tag, " ");
  let text = visible.trim().replace(lineStart, "");
  text = text.replaceAll(emphasis, "$2");
  for (const [open, close] of quotes)
    if (text.length > 1 && text.startsWith(open) && text.endsWith(close)) text = text.slice(1, -1);
  return text
    .replaceAll(/\s+/g, " ")
    .trim()
    .replace(/(?<=[^.])\.$/, "");
}
