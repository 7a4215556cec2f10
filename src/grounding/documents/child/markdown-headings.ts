/** The headings of a Markdown text. */
import type { DocumentHeading } from "../document.ts";

const fence = /^ {0,3}(`{3,}|~{3,})/;
const hashes = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const underline = /^ {0,3}(=+|-+)[ \t]*$/;
const maxTitleCharacters = 200;

/**
 * Finds headings with `#` and underlined ones, outside fenced code.
 * @see https://spec.commonmark.org/0.31.2/#atx-headings
 */
export function findMarkdownHeadings(text: string): DocumentHeading[] {
  const headings: DocumentHeading[] = [];
  let open: string | undefined;
  let start = 0;
  let before = "";
  let beforeStart = 0;
  for (const line of text.split("\n")) {
    const mark = fence.exec(line)?.[1];
    if (open !== undefined) {
      if (mark?.startsWith(open) === true) open = undefined;
    } else if (mark !== undefined) open = mark;
    else addHeading();
    const isText = open === undefined && mark === undefined && line.length < 2 * maxTitleCharacters;
    before = isText && headings.at(-1)?.start !== start ? line.trim() : "";
    beforeStart = start;
    start += line.length + 1;

    function addHeading(): void {
      const [, signs = "", title] = hashes.exec(line) ?? [];
      const under = before === "" ? undefined : underline.exec(line)?.[1];
      if (title !== undefined) add(start, signs.length, title);
      else if (under !== undefined) add(beforeStart, under.startsWith("=") ? 1 : 2, before);
    }
  }
  return headings;

  function add(at: number, level: number, title: string): void {
    headings.push({ start: at, level, title: title.trim().slice(0, maxTitleCharacters).toWellFormed() });
  }
}
