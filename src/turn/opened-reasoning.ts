/** Models whose chat template opens the reasoning, so that their replies hold its closing mark alone. */
import { findPartialToken, findToken, maxTokenLength } from "./boundary.ts";
import { isFence } from "./boundary-dressing.ts";
import { mayStartLikePlan, startsLikePlan } from "./plan-splitter.ts";
import { isClosingLine, mentionsOpening } from "./reasoning-marks.ts";

/** Whether a model's replies start inside its reasoning: `auto` learns it from them. */
export type OpensReasoning = "auto" | "yes" | "no";

/** So many whole replies in a row without a closing mark show that a model no longer opens its reasoning. */
const maxMisses = 2;

/** What is known of one configured model; shared by all its replies, in memory alone. */
export class OpenedReasoning {
  readonly #choice: OpensReasoning;
  #isLearned = false;
  /** Whole replies in a row without a closing mark, since it was learned. */
  #misses = 0;

  constructor(choice: OpensReasoning) {
    this.#choice = choice;
  }

  /** Whether a reply that starts now is to be held until its closing mark. */
  get isExpected(): boolean {
    return this.#choice === "yes" || this.#isLearned;
  }

  /** Returns what reads a reply that is not held; `undefined` if nothing can be learned. */
  createReader(): ClosingMarkReader | undefined {
    return this.#choice === "auto" ? new ClosingMarkReader(() => this.#learn()) : undefined;
  }

  /** A reply that was held had a closing mark. */
  hit(): void {
    this.#misses = 0;
  }

  /** A reply that was held is whole and had none. */
  miss(): void {
    this.#misses += 1;
    if (this.#misses >= maxMisses) this.#isLearned = false;
  }

  #learn(): void {
    this.#isLearned = true;
    this.#misses = 0;
  }
}

/** A token starts fewer characters after the closing mark, white space not counted. */
const maxTokenDistance = 400;
/** The start of a line, without white space, that shows what the line is: no mark is longer. */
const maxLineStart = 64;

/**
 * Reads the text of a reply, in pieces, for a closing mark that shows its model to open the reasoning: alone on its line, before any
 * token, outside code fences, after no opening mark, and followed by what starts like a plan or by a token. It keeps a few hundred
 * characters and reads each a bounded number of times.
 */
export class ClosingMarkReader {
  readonly #onFound: () => void;
  /** The end of the current line, which more text could turn into a token or an opening mark. */
  #lineEnd = "";
  /** The start of the current line, without the white space before it. */
  #lineStart = "";
  #isLineLong = false;
  #isInFence = false;
  #hasOpening = false;
  /** What followed the newest closing mark that fits; `undefined` if there is none. */
  #after: string | undefined;
  #isOver = false;

  /** @param onFound called at most once, as soon as it is certain. */
  constructor(onFound: () => void) {
    this.#onFound = onFound;
  }

  /** Takes the next piece of the reply. */
  push(piece: string): void {
    for (let start = 0; start < piece.length && !this.#isOver;) {
      const lineBreak = piece.indexOf("\n", start);
      const end = lineBreak < 0 ? piece.length : lineBreak + 1;
      this.#take(piece.slice(start, end), lineBreak >= 0);
      start = end;
    }
  }

  /** The reply is over. */
  end(): void {
    if (!this.#isOver && startsLikePlan(this.#after ?? "")) this.#onFound();
    this.#isOver = true;
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
    const isMark = !this.#isLineLong && !this.#isInFence && !this.#hasOpening && isClosingLine(line);
    if (isMark) this.#after = "";
    else if (isFence(line)) this.#isInFence = !this.#isInFence;
    this.#lineStart = "";
    this.#isLineLong = false;
  }

  /** Reads what followed the closing mark, white space before it left out. */
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
