/** Takes reasoning out of a reply's text: the blocks that it starts with, or all before a bare closing mark. */
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

/** So much white space is text, whatever follows. */
const maxSpaceLength = 256;
/** A closing mark that starts later than this in a reply that is held for one is text. */
const maxHeldBytes = 64 * 1024;

/** How a reply's reasoning is taken out. */
export interface ReasoningFilterOptions {
  /** Called with the reasoning, in pieces; `undefined` drops it. */
  readonly onReasoning: ((text: string) => void) | undefined;
  /** Whether white space that a reply without reasoning starts with is text. */
  readonly keepsSpace: boolean;
  /** Whether the model's chat template opens the reasoning. */
  readonly opened: OpenedReasoning;
}

/**
 * Takes the reasoning out of one reply. Fed the pieces in order, it returns the text. What goes out depends on the reply alone,
 * never on how it was cut. It holds a few hundred characters at most; 64 KiB of a model that opens its reasoning.
 */
export class ReasoningFilter {
  readonly #options: ReasoningFilterOptions;
  /** `start`: only white space and reasoning came; `inside`: in a block; `held`: before a bare closing mark. */
  #state: "start" | "inside" | "held" | "text" = "start";
  /** What came last, if more text may make a mark of it. */
  #rest = "";
  #closer: Closer = anyCloser;
  /** Whether a mark came: white space between it and the text goes. */
  #hasMark = false;
  /** The reply so far, while it is held for a bare closing mark. */
  #held: string[] = [];
  #heldLength = 0;
  #heldBytes = 0;
  /** Whether the reply was to be held for a closing mark, and had none so far. */
  #isMissing: boolean;
  /** Reads the text for a bare closing mark that goes out with it. */
  #reader: ClosingMarkReader | undefined;

  constructor(options: ReasoningFilterOptions) {
    this.#options = options;
    this.#isMissing = options.opened.isExpected;
    this.#reader = this.#isMissing ? undefined : options.opened.createReader();
  }

  /** Returns the part of `piece`, and of what was held before it, that is text. */
  push(piece: string): string {
    const text = this.#take(piece);
    this.#reader?.push(text);
    return text;
  }

  /** The reply is over; returns the text still held. `isWhole`: it was not cut off. */
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

  /** Removes the blocks that `text` starts with; returns the text after them, as far as it is known. */
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

  /** The text begins, or what may be the reasoning of a model that opens it. */
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
    // How much stands before the mark, or before what may come to be one.
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

  /** What was held turns out to be text. */
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

/** Returns where white space ends that starts at `start`. */
function skipSpace(text: string, start: number): number {
  let end = start;
  while (/\s/.test(text.charAt(end))) end += 1;
  return end;
}
