/** Ends a block that has become so long that reading it again would hold the page up. */
import type { Token, Tokens } from "marked";

/**
 * Where a text is cut, and the beginning that its rest gets, so that it is read as the same kind of
 * block.
 */
export interface BlockCut {
  readonly end: number;
  readonly rest: string;
}

/** How far back from the limit a better place is looked for. */
const searchLength = 2000;

/**
 * Cuts `text`, which begins with the block `token`: between two items or rows if it can be, else between
 * lines or words, soon before `length` or where the block ends.
 */
export function cutBlock(token: Token, text: string, length: number): BlockCut {
  const { raw } = token;
  const isWhole = text.startsWith(raw) && (raw.length <= length || token.type === "code");
  if (isWhole && raw.length < text.length) return { end: raw.length, rest: text.slice(raw.length) };
  if (isList(token)) return cutList(token, text, length);
  if (token.type === "table") return cutTable(text, length);
  const end = token.type === "code" ? findLine(text, length) : findWord(text, length);
  return { end, rest: text.slice(end) };
}

function cutList(list: Tokens.List, text: string, length: number): BlockCut {
  let end = 0;
  let count = 0;
  for (const { raw } of list.items.slice(0, -1)) {
    if (end + raw.length > length || !text.startsWith(raw, end)) break;
    end += raw.length;
    count += 1;
  }
  if (count === 0) {
    const line = findLine(text, length);
    return { end: line, rest: text.slice(line) };
  }
  const rest = text.slice(end);
  // Whatever numbers its items have, the rest goes on with the next one.
  const next = (typeof list.start === "number" ? list.start : 1) + count;
  return { end, rest: list.ordered ? rest.replace(/^( {0,3})\d{1,9}/, `$1${next}`) : rest };
}

/** The rest is a table with the same header. */
function cutTable(text: string, length: number): BlockCut {
  const header = /^[^\n]*\n[^\n]*\n/.exec(text)?.[0] ?? "";
  const end = findLine(text, length);
  if (header.length >= end || header.length > searchLength) return { end, rest: text.slice(end) };
  return { end, rest: header + text.slice(end) };
}

/** Returns the last beginning of a line before `length`, else of a word. */
function findLine(text: string, length: number): number {
  const line = text.lastIndexOf("\n", length - 1) + 1;
  return line > 0 ? line : findWord(text, length);
}

/** Returns the last place before `length` whose word begins with a letter: it cannot begin another block. */
function findWord(text: string, length: number): number {
  const start = length - searchLength;
  const place = /^[\s\S]*\s(?=\p{L})/u.exec(text.slice(start, length + 1));
  if (place !== null) return start + place[0].length;
  const isHalf = /[\uD800-\uDBFF]/.test(text.charAt(length - 1));
  return isHalf ? length - 1 : length;
}

function isList(token: Token): token is Tokens.List {
  return token.type === "list";
}
