/** Splits a model's text into plan, boundary and answer, in whatever pieces it comes. */
import type { Body } from "../body.ts";
import type { ReplySplitter, SplitterOutput } from "./whole-answer.ts";
import { findPartialToken, findToken, type TokenPlace } from "./boundary.ts";
import {
  countFences,
  findDressing,
  findPlanEnd,
  findSafeEnd,
  isDressing,
  type Dressing,
} from "./boundary-dressing.ts";
import { BoundaryTail, type BoundaryRest } from "./boundary-tail.ts";

/**
 * Text that does not look like a plan is held until a token starts within this many characters, or cannot.
 */
const holdLimit = 400;
/** A plan this long ends at its next line break … */
const planSoftLimit = 800;
/** … and at this length whatever comes. */
const planHardLimit = 1200;
/**
 * A token this many characters past a plan's limit still ends it, if its decoration starts before the limit.
 */
const maxDressingLength = 256;
/** How much white space is kept after a plan that was cut, in characters, in case the reply ends there. */
const maxCutSpaceLength = 1200;

/** The start of a plan that is streamed at once: a list item, or a heading called plan. */
const planStart =
  /^(?:[-*+•–][ \t]|\d{1,3}[.)][ \t]|(?:#{1,6}[ \t]{0,8})?(?:\*{1,3}|_{1,3})?plan(?![\p{L}\p{N}]))/iu;
/** A text that more text could turn into such a start. */
const partialPlanStart =
  /^(?:[-*+•–]|\d{1,3}[.)]?|(?:#{1,6}[ \t]{0,8})?(?:\*{0,3}|_{0,3})(?:p|pl|pla|plan)?)$/i;

/** Whether a reply that starts with `text` has a plan that is streamed at once. */
export function startsLikePlan(text: string): boolean {
  return planStart.test(text);
}

/** Whether more text decides whether a reply that starts with `text` starts like a plan. */
export function mayStartLikePlan(text: string): boolean {
  return partialPlanStart.test(text);
}

/**
 * A state names the part that the next character may belong to: `start`, the first characters, not yet known
 * to be a plan; `prose`, held text that only a boundary makes a plan; `plan`, streamed at once; `cut`, after
 * a plan that grew too long, when a boundary is swallowed; `tail`, after the token; `gap`, white space before
 * the answer.
 */
type State = "start" | "prose" | "plan" | "cut" | "tail" | "gap" | "answer";

/**
 * Splits a reply, fed in well-formed pieces from its first character that is not white space. The output
 * depends on the text alone, never on its pieces; the work is linear in its length; the held text is shorter
 * than the limits above and a token together, plus one piece. Rules: test/contract/README.md, "Reply".
 */
export class PlanSplitter implements ReplySplitter {
  readonly #output: SplitterOutput;
  #state: State = "start";
  /** Before the token: the reply so far, from its start or, after a cut, from the first text after it. */
  #text = "";
  /** The plan that was sent: the start of the reply. */
  #plan = "";
  /** White space after a plan that was cut. */
  #cutSpace = "";
  #dressing: Dressing | undefined;
  #tail: BoundaryTail | undefined;
  #isCut = false;
  /** The fence lines of a plan that was cut. */
  #fenceCount = 0;
  #boundarySent = false;
  /** Whether items stand in the reply, and whether plan was sent before the last of them. */
  #hasItems = false;
  #hasEarlierPlan = false;
  /** The state, and the white space after a plan that was cut, at the start or after the last items. */
  #settled: { readonly state: State; readonly cutSpace: string };

  /** @param sent the body so far, of a reply that goes on after items. */
  constructor(output: SplitterOutput, sent?: Body) {
    this.#output = output;
    if (sent?.answer !== undefined) this.#state = sent.answer === "" ? "gap" : "answer";
    this.#settled = { state: this.#state, cutSpace: "" };
    if (sent === undefined) return;
    this.#hasItems = true;
    this.#hasEarlierPlan = sent.plan !== "";
    this.#boundarySent = sent.answer !== undefined;
  }

  push(piece: string): void {
    if (piece === "") return;
    switch (this.#state) {
      case "answer":
        return this.#output.answer(piece);
      case "gap":
        return this.#startAnswer(piece);
      case "tail":
        return this.#pushTail(piece, false);
      case "start":
      case "prose":
      case "plan":
      case "cut":
        this.#text += piece;
        this.#advance();
    }
  }

  settle(): void {
    this.#hasItems = true;
    this.#settle();
    if (this.#state === "plan") this.#sendPlan(this.#text.length);
    if (this.#state === "plan") this.#state = "start";
    if (this.#state === "prose") this.#state = "start"; // nothing but white space
    this.#settled = { state: this.#state, cutSpace: this.#cutSpace };
    if (this.#state !== "start") return;
    this.#hasEarlierPlan ||= this.#plan !== "";
    this.#text = "";
    this.#plan = "";
  }

  /** The reply is whole: sends the held text, and the boundary if it has not gone out. */
  end(): boolean {
    this.#settle();
    const isPlanOnly = this.#state === "plan" || this.#state === "cut";
    // A plan before items that no text follows is no answer: the reply ends in calls of tools.
    const repeatsPlan = isPlanOnly && (!this.#hasItems || this.#text !== "");
    if (repeatsPlan) this.#repeatPlanAsAnswer();
    else if (this.#hasItems) this.#sendBoundary();
    return !repeatsPlan || this.#hasEarlierPlan;
  }

  /** The reply was cut off: sends the held text, and the boundary if there was any text. */
  cutOff(): boolean {
    this.#settle();
    if (this.#state === "plan") this.#sendPlan(this.#text.length);
    this.#endPlan();
    return true;
  }

  restart(): void {
    this.#state = this.#settled.state;
    this.#cutSpace = this.#settled.cutSpace;
    this.#text = "";
    this.#dressing = undefined;
    this.#tail = undefined;
  }

  saysNothing(): boolean {
    if (this.#state === "tail") this.#pushTail("", true);
    return this.#state === "gap" || (this.#state !== "answer" && this.#text.trim() === "");
  }

  /** Decides everything that more text could have decided otherwise. */
  #settle(): void {
    if (this.#state === "start") this.#state = startsLikePlan(this.#text) ? "plan" : "prose";
    if (this.#state === "tail") this.#pushTail("", true);
    else if (this.#state === "prose" || (this.#state === "cut" && this.#text !== ""))
      this.#startAnswer(this.#text);
  }

  #advance(): void {
    let before: State;
    do {
      before = this.#state;
      this.#step();
    } while (this.#state !== before);
  }

  #step(): void {
    switch (this.#state) {
      case "start":
        if (!mayStartLikePlan(this.#text)) this.#state = startsLikePlan(this.#text) ? "plan" : "prose";
        return;
      case "prose":
        return this.#stepProse();
      case "plan":
        return this.#stepPlan();
      case "cut":
        return this.#stepCut();
      case "tail":
      case "gap":
      case "answer":
        return;
    }
  }

  #stepProse(): void {
    const place = findToken(this.#text);
    if (place !== undefined && place.start < holdLimit) this.#split(place);
    else if (findPartialToken(this.#text) >= holdLimit) this.#startAnswer(this.#text);
  }

  #stepPlan(): void {
    const limit = this.#findLimit();
    const place = findToken(this.#text, this.#plan.length);
    if (place !== undefined) {
      const start = findPlanEnd(findDressing(this.#text, place), true);
      return isBefore(limit, start, place.start) ? this.#split(place) : this.#cut(limit);
    }
    const safeEnd = findSafeEnd(this.#text);
    const mayEndPlan = isBefore(limit, safeEnd, findPartialToken(this.#text));
    if (limit < this.#text.length && !mayEndPlan) this.#cut(limit);
    else this.#sendPlan(Math.min(safeEnd, limit));
  }

  /** Returns the latest end of the plan: a line break past the soft limit, or the hard limit. */
  #findLimit(): number {
    const lineBreak = this.#text.indexOf("\n", planSoftLimit);
    if (lineBreak >= 0 && lineBreak < planHardLimit) return lineBreak;
    const splitsPair =
      this.#text.length > planHardLimit && (this.#text.codePointAt(planHardLimit - 1) ?? 0) > 0xffff;
    return splitsPair ? planHardLimit - 1 : planHardLimit;
  }

  #cut(limit: number): void {
    this.#sendPlan(limit);
    this.#text = this.#text.slice(this.#plan.length);
    this.#fenceCount = countFences(this.#plan);
    this.#isCut = true;
    this.#state = "cut";
  }

  #stepCut(): void {
    const text = this.#text.trimStart();
    const space = this.#text.slice(0, this.#text.length - text.length);
    this.#cutSpace += space.slice(0, maxCutSpaceLength - this.#cutSpace.length);
    this.#text = text;
    if (text === "") return;
    const place = findToken(text);
    const start = place?.start ?? findPartialToken(text);
    const end =
      place === undefined
        ? findSafeEnd(text, this.#fenceCount)
        : findPlanEnd(findDressing(text, place, this.#fenceCount), true);
    if (start >= holdLimit || !isDressing(text.slice(0, end))) this.#startAnswer(text);
    else if (place !== undefined) this.#split(place);
  }

  #split(place: TokenPlace): void {
    const dressing = findDressing(this.#text, place, this.#fenceCount);
    const after = this.#text.slice(place.end);
    if (!this.#isCut) this.#sendPlan(findPlanEnd(dressing, true));
    // The line after the fence's opening line decides whether that is plan.
    if (dressing.fence === undefined) this.#endPlan();
    this.#dressing = dressing;
    this.#tail = new BoundaryTail(dressing);
    this.#state = "tail";
    this.#pushTail(after, false);
  }

  #pushTail(piece: string, isEnd: boolean): void {
    const rest = this.#tail?.push(piece, isEnd);
    if (rest !== undefined) this.#endTail(rest);
  }

  #endTail({ text, isFenceClosed }: BoundaryRest): void {
    const fence = isFenceClosed ? undefined : this.#dressing?.fence;
    this.#state = "gap";
    if (fence !== undefined && this.#isCut)
      return this.#startAnswer(`${this.#text.slice(fence.start, fence.end)}\n${text}`);
    if (fence !== undefined) this.#sendPlan(fence.end);
    this.#endPlan();
    this.#startAnswer(text);
  }

  #startAnswer(held: string): void {
    const text = held.trimStart();
    if (text === "") return;
    this.#text = "";
    this.#sendBoundary();
    this.#state = "answer";
    this.#output.answer(text);
  }

  /** Sends the unsent text up to `end` as plan, without trailing white space. */
  #sendPlan(end: number): void {
    const text = this.#text.slice(this.#plan.length, end).trimEnd();
    if (text === "") return;
    const isContinued = this.#plan === "" && this.#hasEarlierPlan;
    this.#plan += text;
    this.#output.plan(isContinued ? `\n${text}` : text);
  }

  #endPlan(): void {
    if (this.#plan !== "" || this.#hasEarlierPlan) this.#sendBoundary();
  }

  #sendBoundary(): void {
    if (this.#boundarySent) return;
    this.#boundarySent = true;
    this.#output.boundary();
  }

  #repeatPlanAsAnswer(): void {
    if (this.#state === "plan") this.#sendPlan(this.#text.length);
    const text = this.#isCut ? this.#plan + this.#cutSpace : this.#text;
    this.#text = "";
    this.#sendBoundary();
    this.#output.answer(text);
  }
}

/**
 * Whether a token at `tokenStart`, with its decoration from `start` on, ends a plan that may not pass
 * `limit`.
 */
function isBefore(limit: number, start: number, tokenStart: number): boolean {
  return tokenStart < limit || (start < limit && tokenStart < limit + maxDressingLength);
}
