/** Tells which blocks of a growing text will stay as they are, whatever follows. */
import type { Token } from "marked";

/** A definition up to the first character of its title. */
const titleOpening =
  /^ {0,3}\[(?:\\[\s\S]|[^[\]\\])+\]:[ ]*(?:\n[ \t]*)?(?:<(?:\\.|[^<>\n\\])*>|[^\s<]\S*)(?: +(?:\n[ \t]*)?| *\n[ \t]*)(["'(])/;

/** Returns how many blocks at the beginning of `blocks`, which were read from `text`, will not change. */
export function countFinishedBlocks(blocks: readonly Token[], text: string): number {
  let count = 0;
  let start = 0;
  for (const [index, block] of blocks.entries()) {
    if (!text.startsWith(block.raw, start)) return count; // a block that marked put together
    if (block.type !== "space" && index > 0) {
      // The lines that make this a block of its own must be complete.
      if (!hasLines(text, start, block.type === "table" ? 2 : 1)) return count;
      count = index;
    }
    start += block.raw.length;
    if (mayGrow(block, text, start)) return count;
  }
  return count;
}

function hasLines(text: string, start: number, count: number): boolean {
  let at = start - 1;
  for (let line = 0; line < count; line += 1) {
    at = text.indexOf("\n", at + 1);
    if (at === -1) return false;
  }
  return true;
}

/** Whether a block that ends before `end` may take up lines that look like other blocks now. */
function mayGrow(block: Token, text: string, end: number): boolean {
  if (block.type !== "paragraph" && block.type !== "def" && block.type !== "heading") return false;
  // A formula, or the label of a definition, may go on until a blank line.
  const mayGoOn = /^ {0,3}\[|^ {0,3}(?:\$\$|\\\[)/m.test(block.raw);
  return (mayGoOn && !/\n[ \t]*\n/.test(text.slice(end - 1))) || hasOpenTitle(block, text, end);
}

/** Whether a definition's title, which may hold blank lines, has begun and not ended. */
function hasOpenTitle(block: Token, text: string, end: number): boolean {
  const start = end - block.raw.length;
  if (!/^ {0,3}\[/.test(block.raw)) return false;
  const opening = titleOpening.exec(text.slice(start, end + 200));
  if (opening?.[1] === undefined) return false;
  const closing = opening[1] === "(" ? ")" : opening[1];
  for (let at = start + opening[0].length; at < text.length; at += 1) {
    if (text.charAt(at) === "\\") at += 1;
    else if (text.charAt(at) === closing) return !text.includes("\n", at);
  }
  return true;
}
