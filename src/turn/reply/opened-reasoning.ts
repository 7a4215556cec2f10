/** Models whose chat template opens the reasoning, so that their replies hold its closing mark alone. */
import { findPartialToken, findToken, maxTokenLength } from "./boundary.ts";
import { mayStartLikePlan, startsLikePlan } from "./plan-splitter.ts";
import { isClosingLine, mentionsOpening } from "./reasoning-marks.ts";

/** Whether a model's replies start inside its reasoning: `auto` learns it from them. */
export type OpensReasoning = "auto" | "yes" | "no";

/** Whole replies in a row without a closing mark after which a model no longer counts as opening it. */
const maxMisses = 2;

/** The knowledge about one configured model; shared by all its replies, in memory only. */
export class OpenedReasoning {
  readonly #choice: OpensReasoning;
  #isLearned = false;
  /** Whole replies in a row without a closing mark, since it was learned. */
  #misses = 0;

  constructor(choice: OpensReasoning) {
    this.#choice = choice;
  }

  /** Whether a reply that starts now is held until its closing mark. */
  get isExpected(): boolean {
    return this.#choice === "yes" || this.#isLearned;
  }

  /** Returns a reader for a reply that is not held; `undefined` if there is nothing to learn. */
  createReader(): ClosingMarkReader | undefined {
    return this.#choice === "auto" ? new ClosingMarkReader(() => this.#learn()) : undefined;
  }

  /** A held reply had a closing mark. */
  hit(): void {
    this.#misses = 0;
  }

  /** A held reply is whole and had no closing mark. */
  miss(): void {
    this.#misses += 1;
    if (this.#misses >= maxMisses) this.#isLearned = false;
  }

  #learn(): void {
    this.#isLearned = true;
    this.#misses = 0;
  }
}

/** A token must start within this many characters after the closing mark, white space not counted. */
const maxTokenDistance = 400;
/** How much of a line's start is kept, white space not counted: no mark is longer. */
const maxLineStart = 64;
/** How much text is read at once while it cannot hold a closing mark, in characters. */
const batchLength = 1024;
/** Matches every text that holds a mark, a token or a fence, or the start of one. */
const notable = /[<`~]|\[[/T]|---/i;
/** A line that opens or closes a code fence: its backticks or tildes, and the rest. */
const fenceLine = /^[\s>\u200B\u2060]*(`{3,}(?=[^`]*$)|~{3,})([^]*)$/;

/**
 * Searches the text of a reply, fed in pieces, for a closing mark that shows that its model opens the
 * reasoning: alone on its line, before any token, outside code fences, after no opening mark, and followed by
 * the start of a plan or by a token. Keeps a few hundred characters, and about a thousand unread, and reads
 * each a bounded number of times.
 */
export class ClosingMarkReader {
  readonly #onFound: () => void;
  /** The end of the current line, which more text could turn into a token or an opening mark. */
  #lineEnd = "";
  /** The start of the current line, without the white space before it. */
  #lineStart = "";
  #isLineLong = false;
  /** The marks of the code fence that is open; `""` if none is. */
  #fence = "";
  #hasOpening = false;
  /** The text after the newest fitting closing mark; `undefined` if there is none. */
  #after: string | undefined;
  /** Whether the current line starts as a mark does. */
  #mayBeMark = false;
  /** Text that waits to be read at once. */
  #unread = "";
  #isOver = false;

  /** @param onFound called at most once, as soon as it is certain. */
  constructor(onFound: () => void) {
    this.#onFound = onFound;
  }

  /** Takes the next piece of the reply. */
  push(piece: string): void {
    if (this.#isOver) return;
    const isNear = this.#isNear(piece);
    this.#unread += piece;
    if (isNear || this.#unread.length >= batchLength) this.#read(isNear);
  }

  /** The reply is over. */
  end(): void {
    this.#read(true);
    if (!this.#isOver && startsLikePlan(this.#after ?? "")) this.#onFound();
    this.#isOver = true;
  }

  /** Whether `piece`, which comes next, may be part of a closing mark, or follows one. */
  #isNear(piece: string): boolean {
    if (this.#after !== undefined || this.#mayBeMark) return true;
    const slash = piece.indexOf("/");
    return slash === 0 || (slash > 0 && (piece.includes("</") || piece.includes("[/")));
  }

  /** Reads the waiting text. @param isAll whether to read the unfinished line too. */
  #read(isAll: boolean): void {
    const lineBreak = this.#unread.lastIndexOf("\n");
    const end = isAll || lineBreak < 0 ? this.#unread.length : lineBreak + 1;
    const text = this.#unread.slice(0, end);
    this.#unread = this.#unread.slice(end);
    const isBetween = this.#lineEnd === "" && this.#after === undefined && text.endsWith("\n");
    if (!isBetween || notable.test(text)) this.#readLines(text);
    this.#mayBeMark = /^[<[]/.test(this.#lineStart);
  }

  #readLines(text: string): void {
    for (let start = 0; start < text.length && !this.#isOver;) {
      const lineBreak = text.indexOf("\n", start);
      const end = lineBreak < 0 ? text.length : lineBreak + 1;
      this.#take(text.slice(start, end), lineBreak >= 0);
      start = end;
    }
  }

  /** Takes a piece of one line, its line break included. */
  #take(text: string, isLineWhole: boolean): void {
    if (this.#after !== undefined) this.#follow(this.#after + text);
    const end = this.#lineEnd + text;
    this.#hasOpening ||= mentionsOpening(end);
    if (findToken(end) !== undefined || (this.#hasOpening && this.#after === undefined)) this.#isOver = true;
    this.#lineEnd = isLineWhole ? "" : end.slice(-maxTokenLength);
    const room = maxLineStart - this.#lineStart.length;
    const start = this.#lineStart === "" ? text.trimStart() : text;
    this.#lineStart += start.slice(0, room);
    this.#isLineLong ||= start.slice(room).trim() !== "";
    if (isLineWhole) this.#endLine(this.#lineStart.trimEnd());
  }

  #endLine(line: string): void {
    const isMark = !this.#isLineLong && this.#fence === "" && !this.#hasOpening && isClosingLine(line);
    if (isMark) this.#after = "";
    else this.#turnFence(line);
    this.#lineStart = "";
    this.#isLineLong = false;
  }

  /** A fence is closed by at least as many marks of its own kind, alone on their line. */
  #turnFence(line: string): void {
    const [, marks, rest = ""] = fenceLine.exec(line) ?? [];
    if (marks === undefined) return;
    if (this.#fence === "") this.#fence = marks;
    else if (marks.startsWith(this.#fence) && rest.trim() === "" && !this.#isLineLong) this.#fence = "";
  }

  /** Reads the text after the closing mark, without the white space before it. */
  #follow(text: string): void {
    this.#after = text.trimStart();
    const token = findToken(this.#after);
    const isFound =
      (token !== undefined && token.start < maxTokenDistance) ||
      (startsLikePlan(this.#after) && !mayStartLikePlan(this.#after));
    if (isFound) {
      this.#isOver = true;
      this.#onFound();
    } else if (findPartialToken(this.#after) >= maxTokenDistance) this.#after = undefined;
  }
}
