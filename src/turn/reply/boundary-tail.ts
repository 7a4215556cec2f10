/** Removes the decoration that models put after a boundary token. */
import { invisible, toMirrors, type Dressing } from "./boundary-dressing.ts";

const commentEnd = "-->";
/** The longest line that closes a fence, in characters. */
const maxFenceLength = 256;
/** A whole line that closes a fence, and a line that may become one. */
const closingFence = /^[\s>\u200B\u2060]*(`{3,}|~{3,})[^\S\n]*(?:\n|$)/;
const partialFence = /^[\s>\u200B\u2060]*(?:`*|~*)[^\S\n]*$/;

/** The text after a boundary. */
export interface BoundaryRest {
  /** The first known text of the answer, or white space before it. */
  readonly text: string;
  /** Whether the fence that opened before the token was closed right after it. */
  readonly isFenceClosed: boolean;
}

/**
 * Takes the text after a token, in pieces, until its decoration is clear. Holds a few hundred characters at
 * most.
 */
export class BoundaryTail {
  readonly #fenceMarks: string | undefined;
  #mirrors: readonly string[];
  /** The mark that may follow white space, as there is white space before the token as well. */
  readonly #spacedMirror: string | undefined;
  #isComment: boolean;
  #hasColon = false;
  /**
   * The part that was read and is removed: hyphens that touch the token, the rest of its line, line breaks.
   */
  #place: "hyphens" | "line" | "lines" = "hyphens";
  #isAfterSpace = false;
  /** Text that is still undecided. */
  #held = "";

  constructor({ marks, isComment, fence }: Dressing) {
    this.#fenceMarks = fence?.marks;
    this.#isComment = isComment;
    this.#mirrors = toMirrors(marks);
    const [all] = this.#mirrors;
    // A single star with white space after it begins a list item, on either side.
    this.#spacedMirror = marks.endsWith(" ") && all !== "*" ? all : undefined;
  }

  /**
   * Returns the text after the boundary; `undefined` while that is undecided. `isEnd`: no more text comes.
   */
  push(piece: string, isEnd: boolean): BoundaryRest | undefined {
    const text = this.#held + piece;
    let start = 0;
    for (;;) {
      const end = this.#skip(text, start, isEnd);
      if (end === start) {
        this.#held = text.slice(start);
        return this.#toRest(isEnd);
      }
      if (end === undefined) break;
      start = end;
    }
    this.#held = text.slice(start);
    return isEnd ? { text: this.#held, isFenceClosed: false } : undefined;
  }

  /**
   * Returns the end of the decoration from `start` on: `start` if there is none, `undefined` while that is
   * undecided.
   */
  #skip(text: string, start: number, isEnd: boolean): number | undefined {
    const next = text.charAt(start);
    if (next === "") return undefined;
    if (this.#place === "hyphens") {
      if (next === "-") return start + 1;
      this.#place = "line";
      // The hyphens were those of the comment's end, too.
      if (this.#isComment && next === ">") {
        this.#isComment = false;
        return start + 1;
      }
    }
    if (invisible.test(next)) return this.#skipInvisible(next, start);
    const isTouching = this.#place === "line" && !this.#isAfterSpace;
    if (next === ":" && isTouching && !this.#hasColon) {
      this.#hasColon = true;
      return start + 1;
    }
    const end = this.#isComment ? this.#skipComment(text, start, isEnd) : start;
    if (end !== start || this.#place === "lines") return end;
    return isTouching ? this.#skipMirror(text, start, isEnd) : this.#skipSpacedMirror(text, start, isEnd);
  }

  #skipInvisible(next: string, start: number): number {
    if (/[\n\r]/.test(next)) this.#place = "lines";
    const isSpace = /[^\S\uFEFF]/.test(next);
    // On a later line an invisible character belongs to the answer.
    if (!isSpace && this.#place === "lines") return start;
    this.#isAfterSpace ||= isSpace;
    return start + 1;
  }

  #skipComment(text: string, start: number, isEnd: boolean): number | undefined {
    const next = text.slice(start, start + commentEnd.length);
    if (next !== commentEnd) return !isEnd && commentEnd.startsWith(next) ? undefined : start;
    this.#isComment = false;
    this.#isAfterSpace = false;
    return start + commentEnd.length;
  }

  #skipMirror(text: string, start: number, isEnd: boolean): number | undefined {
    const next = text.slice(start, start + (this.#mirrors[0]?.length ?? 0));
    const isOpen = this.#mirrors.some((mirror) => mirror.length > next.length && mirror.startsWith(next));
    if (isOpen && !isEnd) return undefined;
    const mirror = this.#mirrors.find((candidate) => next.startsWith(candidate)) ?? "";
    if (mirror !== "") this.#mirrors = [];
    return start + mirror.length;
  }

  #skipSpacedMirror(text: string, start: number, isEnd: boolean): number | undefined {
    const mirror = this.#spacedMirror;
    if (mirror === undefined || this.#mirrors.length === 0) return start;
    const next = text.slice(start, start + mirror.length + 1);
    if (!isEnd && mirror.startsWith(next)) return undefined;
    const isMirror = next.startsWith(mirror) && invisible.test(next.charAt(mirror.length) || "\n");
    if (!isMirror) return start;
    this.#mirrors = [];
    this.#isAfterSpace = false;
    return start + mirror.length;
  }

  /** Returns the held text without the fence's closing line; `undefined` while it may still become one. */
  #toRest(isEnd: boolean): BoundaryRest | undefined {
    const text = this.#held;
    const open = { text, isFenceClosed: false };
    if (this.#fenceMarks === undefined || this.#place !== "lines") return open;
    const line = text.slice(0, maxFenceLength);
    if (!isEnd && text.length < maxFenceLength && partialFence.test(line)) return undefined;
    const [closing, marks = ""] = closingFence.exec(line) ?? [];
    const isWhole = closing?.endsWith("\n") === true || (isEnd && closing === text);
    // Longer than the opening line, or as long, and of the same marks.
    if (closing === undefined || !isWhole || !marks.startsWith(this.#fenceMarks)) return open;
    return { text: text.slice(closing.length), isFenceClosed: true };
  }
}
