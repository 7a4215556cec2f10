/**
 * Removes the reasoning from a reply's text: blocks at its start, or everything before a bare closing mark.
 */
import type { ClosingMarkReader, OpenedReasoning } from "./opened-reasoning.ts";
import {
  anyCloser,
  dropLastMark,
  findCloser,
  findLastMark,
  findOpening,
  findPartialCloser,
  type Closer,
} from "./reasoning-marks.ts";

/** This much white space is text, whatever follows. */
const maxSpaceLength = 256;
/** In a held reply, a closing mark that starts later than this is text. */
const maxHeldBytes = 64 * 1024;

/** How reasoning is taken out. */
export interface ReasoningFilterOptions {
  /** Called with pieces of the reasoning; `undefined` drops it. */
  readonly onReasoning: ((text: string) => void) | undefined;
  /** Whether leading white space of a reply without reasoning is text. */
  readonly keepsSpace: boolean;
  /** Whether the model's chat template opens the reasoning. */
  readonly opened: OpenedReasoning;
}

/**
 * Takes the reasoning out of one reply: takes the pieces in order, and returns the text. The output depends
 * on the reply alone, never on its pieces. Holds a few hundred characters at most; 64 KiB for a model that
 * opens its reasoning.
 */
export class ReasoningFilter {
  readonly #options: ReasoningFilterOptions;
  /**
   * `start`: only white space and reasoning came; `inside`: in a block; `held`: before a bare closing mark.
   */
  #state: "start" | "inside" | "held" | "text" = "start";
  /** The end of the text so far, if more text may make a mark of it. */
  #rest = "";
  #closer: Closer = anyCloser;
  /** Whether a mark came: white space between mark and text is dropped. */
  #hasMark = false;
  /** The reply so far, while it is held for a bare closing mark. */
  #held: string[] = [];
  #heldLength = 0;
  #heldBytes = 0;
  /** Whether the reply is held for a closing mark that has not come. */
  #isMissing: boolean;
  /** Searches the text that is sent for a bare closing mark. */
  #reader: ClosingMarkReader | undefined;

  constructor(options: ReasoningFilterOptions) {
    this.#options = options;
    this.#isMissing = options.opened.isExpected;
    this.#reader = this.#isMissing ? undefined : options.opened.createReader();
  }

  /** Returns the text in `piece` and in the held text before it. */
  push(piece: string): string {
    const text = this.#take(piece);
    this.#reader?.push(text);
    return text;
  }

  /** The reply is over: returns the text still held. @param isWhole whether it was not cut off. */
  end(isWhole: boolean): string {
    const isEmpty = this.#state === "start" && this.#rest.trim() === "";
    if (this.#isMissing && isWhole && !isEmpty) this.#options.opened.miss();
    const text = this.#takeEnd();
    this.#reader?.push(text);
    this.#reader?.end();
    return text;
  }

  #take(piece: string): string {
    switch (this.#state) {
      case "text":
        return this.#toText(piece);
      case "held":
        return this.#hold(piece);
      case "start":
      case "inside":
        return this.#read(this.#rest + piece);
    }
  }

  #takeEnd(): string {
    const rest = this.#rest;
    this.#rest = "";
    switch (this.#state) {
      case "text":
        return dropLastMark(rest);
      case "held":
        return this.#release() + dropLastMark(this.#rest);
      case "start":
        return this.#keepsSpace ? rest : rest.trimStart();
      case "inside":
        this.#tell(rest);
        return "";
    }
  }

  /** Removes the blocks at the start of `text`; returns the text after them, as far as it is known. */
  #read(text: string): string {
    for (let start = 0; ;) {
      if (this.#state === "inside") {
        const mark = findCloser(text, this.#closer, start);
        const end = mark?.start ?? findPartialCloser(text, this.#closer, start);
        this.#tell(text.slice(start, end));
        this.#rest = mark === undefined ? text.slice(end) : "";
        if (mark === undefined) return "";
        start = mark.end;
        this.#state = "start";
      }
      const from = skipSpace(text, start);
      const mark = findOpening(text, from);
      const isSpaceText = this.#keepsSpace && from - start > maxSpaceLength;
      if (mark === undefined || mark === "partial") {
        const rest = text.slice(this.#keepsSpace ? start : from);
        if (mark === undefined || isSpaceText) return this.#begin(rest);
        this.#rest = rest;
        return "";
      }
      this.#hasMark = true;
      start = from + mark.length;
      if (mark.closer !== undefined) this.#open(mark.closer);
    }
  }

  /** A block opens. */
  #open(closer: Closer): void {
    this.#closer = closer;
    this.#state = "inside";
    this.#reader = undefined;
    this.#find();
  }

  /** The text begins, or possibly the reasoning of a model that opens it. */
  #begin(text: string): string {
    this.#rest = "";
    this.#state = this.#isMissing ? "held" : "text";
    return this.#take(text);
  }

  #hold(piece: string): string {
    const text = this.#rest + piece;
    this.#held.push(piece);
    this.#heldLength += piece.length;
    this.#heldBytes += Buffer.byteLength(piece);
    const mark = findCloser(text, anyCloser);
    const start = mark?.start ?? findPartialCloser(text, anyCloser);
    this.#rest = text.slice(start);
    // The size of the text before the mark, or before a possible mark.
    if (this.#heldBytes - Buffer.byteLength(this.#rest) > maxHeldBytes) return this.#release();
    if (mark === undefined) return "";
    const held = this.#held.join("");
    const heldStart = this.#heldLength - this.#rest.length;
    this.#forget();
    this.#find();
    this.#hasMark = true;
    this.#state = "start";
    this.#tell(held.slice(0, heldStart));
    return this.#read(held.slice(heldStart + mark.end - mark.start));
  }

  /** The held reply turns out to be text. */
  #release(): string {
    const held = this.#held.join("");
    this.#forget();
    this.#state = "text";
    return this.#toText(held);
  }

  #forget(): void {
    this.#held = [];
    this.#rest = "";
  }

  /** A mark shows the reply's reasoning. */
  #find(): void {
    if (this.#isMissing) this.#options.opened.hit();
    this.#isMissing = false;
  }

  #tell(reasoning: string): void {
    if (reasoning !== "") this.#options.onReasoning?.(reasoning);
  }

  #toText(piece: string): string {
    const text = this.#rest + piece;
    const end = findLastMark(text);
    this.#rest = text.slice(end);
    return text.slice(0, end);
  }

  get #keepsSpace(): boolean {
    return this.#options.keepsSpace && !this.#hasMark;
  }
}

/** Returns the end of the white space that starts at `start`. */
function skipSpace(text: string, start: number): number {
  let end = start;
  while (/\s/.test(text.charAt(end))) end += 1;
  return end;
}
