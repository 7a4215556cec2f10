/** Puts the pieces of text on a page of a PDF document in reading order. */
import type { DocumentHeading, DocumentText } from "../document.ts";

/** A piece of text, as pdf.js returns it. */
export interface PdfPiece {
  readonly str: string;
  readonly dir: string;
  /** The piece's matrix: its place is at 4 and 5, in points from the lower left corner. */
  readonly transform: readonly number[];
  readonly width: number;
  readonly height: number;
  readonly hasEOL: boolean;
}

interface Line {
  readonly text: string;
  readonly y: number;
  /** Where it ends on the right. */
  readonly end: number;
  readonly height: number;
}

/** Forms of letters that only print needs: ligatures, Arabic letters by their neighbours, Kangxi radicals. */
const printForms = /[\u2e80-\u2fdf\ufb00-\ufdff\ufe70-\ufefc]+/g;
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/g;
/** Dots that lead to a page's number. */
const leader = /(?:\. ?){4,}/g;
/** A word that a line's end divides. */
const dividedWord = /(\p{L})[-\u00ad\u2010]\n(?=\p{Ll})/gu;
/** The same of Chinese and Japanese, which divide words between any two characters. */
const dividedIdeographs =
  /[\p{L}&&[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}]]\n[\p{L}&&[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}]]/v;
/** A line that is larger than most of the page by this factor, and short, is a heading. */
const headingFactor = 1.15;
const maxHeadingCharacters = 120;
/** A gap between lines that is wider than this many heights of the text separates paragraphs. */
const paragraphGap = 1.7;

/** Returns a page's text, with an empty line between paragraphs, and its headings by their size. */
export function toPageText(pieces: readonly PdfPiece[]): DocumentText {
  const found = toLines(pieces);
  const bodyHeight = findBodyHeight(found);
  const headings: DocumentHeading[] = [];
  const sizes = Array.from(new Set(found.filter(isHeading).map(toSize))).toSorted(
    (one, other) => other - one,
  );
  let text = "";
  let before: Line | undefined;
  for (const line of found) {
    if (before !== undefined) {
      const isParagraph =
        Math.abs(before.y - line.y) > paragraphGap * Math.max(before.height, line.height, 1);
      text += isParagraph ? "\n\n" : "\n";
      text = joinDivided(text, line.text);
      if (isDivided(before, line, text)) text = text.slice(0, -1);
    }
    if (isHeading(line))
      headings.push({ start: text.length, level: sizes.indexOf(toSize(line)) + 1, title: line.text });
    text += line.text;
    before = line;
  }
  return { text: text === "" ? "" : `${text}\n`, headings };

  function isHeading(line: Line): boolean {
    return (
      line.height > bodyHeight * headingFactor &&
      line.text.length <= maxHeadingCharacters &&
      /\p{L}/u.test(line.text)
    );
  }
}

/** Takes away the hyphen and the line's end if the next line goes on with the word. */
function joinDivided(text: string, next: string): string {
  const end = text.slice(-3) + next.slice(0, 2);
  dividedWord.lastIndex = 0;
  return dividedWord.test(end) && !end.includes("\n\n") ? text.slice(0, -2) : text;
}

/** Whether `line` goes on with a word of Chinese or Japanese: then the line before is not shorter. */
function isDivided(before: Line, line: Line, text: string): boolean {
  return (
    dividedIdeographs.test(text.slice(-3) + line.text.slice(0, 2)) &&
    toSize(before) === toSize(line) &&
    before.end + line.height >= line.end
  );
}

function toSize({ height }: Line): number {
  return Math.round(height);
}

/** The height of most characters. */
function findBodyHeight(found: readonly Line[]): number {
  const counts = new Map<number, number>();
  for (const line of found) counts.set(line.height, (counts.get(line.height) ?? 0) + line.text.length);
  const [most] = Array.from(counts).toSorted(([, one], [, other]) => other - one);
  return most?.[0] ?? 0;
}

function toLines(pieces: readonly PdfPiece[]): Line[] {
  const found: Line[] = [];
  let line: PdfPiece[] = [];
  for (const piece of pieces) {
    line.push(piece);
    if (piece.hasEOL) end();
  }
  end();
  return found;

  function end(): void {
    const text = toOrder(line)
      .map(({ str }) => str)
      .join("")
      .replaceAll(printForms, (form) => form.normalize("NFKC"))
      .replaceAll(/[\0\s]+/g, " ")
      .replaceAll(leader, "… ")
      .trim()
      .toWellFormed();
    const visible = line.filter(({ str }) => str.trim() !== "");
    const height = Math.round(Math.max(...visible.map((piece) => piece.height)) * 10) / 10;
    const y = visible[0]?.transform[5] ?? 0;
    const right = Math.max(...visible.map(({ transform, width }) => (transform[4] ?? 0) + width));
    line = [];
    if (text !== "") found.push({ text, y, end: right, height });
  }
}

/** Puts the words of a line that runs from right to left in that order, if they come from left to right. */
function toOrder(line: readonly PdfPiece[]): readonly PdfPiece[] {
  const words = line.filter(({ str }) => str.trim() !== "");
  const text = words.map(({ str }) => str).join("");
  const count = text.match(rightToLeft)?.length ?? 0;
  if (count * 2 < text.replaceAll(/[\s\d\p{P}]/gu, "").length || count === 0) return line;
  const first = words[0]?.transform[4] ?? 0;
  const last = words.at(-1)?.transform[4] ?? 0;
  if (first >= last) return line;
  return keepRuns(line.toReversed());
}

/** Turns runs of words from left to right back to their order within a reversed line. */
function keepRuns(line: readonly PdfPiece[]): PdfPiece[] {
  const ordered: PdfPiece[] = [];
  let run: PdfPiece[] = [];
  for (const piece of line) {
    const isLeftToRight = /[\p{L}\p{N}]/u.test(piece.str) && piece.str.match(rightToLeft) === null;
    if (isLeftToRight || (run.length > 0 && piece.str.trim() === "")) run.push(piece);
    else {
      ordered.push(...turn(run), piece);
      run = [];
    }
  }
  return [...ordered, ...turn(run)];
}

/** Reverses a run, but for the space after it. */
function turn(run: readonly PdfPiece[]): PdfPiece[] {
  const end = run.findLastIndex(({ str }) => str.trim() !== "") + 1;
  return [...run.slice(0, end).toReversed(), ...run.slice(end)];
}
