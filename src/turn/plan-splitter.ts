/** Owns the split of a model's text into plan, boundary and answer, whatever the pieces it comes in. */
import {
  findLineStart,
  findPartialToken,
  findToken,
  isDecoration,
  splitAtToken,
  toMirrors,
  type TokenPlace,
} from "./boundary.ts";

/** Text that does not look like a plan is held until its token starts before this many characters, or cannot. */
const holdLimit = 400;
/** A plan this long ends at its next line break … */
const planSoftLimit = 800;
/** … and at this length whatever comes. */
const planHardLimit = 1200;

/** How a plan starts that is streamed at once: a list item, or a heading called plan. */
const planStart =
  /^(?:[-*+•–][ \t]|\d{1,3}[.)][ \t]|(?:#{1,6}[ \t]{0,8})?(?:\*{1,3}|_{1,3})?plan(?![\p{L}\p{N}]))/iu;
/** A text that more text could turn into one that starts so. */
const partialPlanStart =
  /^(?:[-*+•–]|\d{1,3}[.)]?|(?:#{1,6}[ \t]{0,8})?(?:\*{0,3}|_{0,3})(?:p|pl|pla|plan)?)$/i;

/** What the splitter tells, in this order: plan pieces, the boundary once, answer pieces. */
export interface SplitterOutput {
  readonly plan: (text: string) => void;
  readonly boundary: () => void;
  readonly answer: (text: string) => void;
}

/**
 * Takes a reply in pieces, then one of its two ends, which return whether there was a plan: not where none was asked for, nor where
 * it was the whole reply, which then went out as answer too. What went out is not kept: it is in the turn's log.
 */
export interface ReplySplitter {
  /** Takes the next piece of the reply. */
  push(piece: string): void;
  /** The reply is whole. */
  end(): boolean;
  /** The reply broke off. */
  breakOff(): boolean;
}

/**
 * The state is named for what the next character may be: `start`, the first characters, not yet known to be a plan;
 * `prose`, held text that only a boundary makes a plan; `plan`, streamed at once; `cut`, after a plan that grew too
 * long, where a boundary is swallowed; `mirror`, right after the token; `gap`, white space before the answer.
 */
type State = "start" | "prose" | "plan" | "cut" | "mirror" | "gap" | "answer";

/**
 * Splits a reply, fed in pieces that are well-formed Unicode and start at its first character that is not white
 * space. What goes out depends on the text alone, never on how it was cut; the work is linear in its length.
 * Rules: contract/README.md, "Reply".
 */
export class PlanSplitter implements ReplySplitter {
  readonly #output: SplitterOutput;
  #state: State = "start";
  /** Text that came and has not gone out: never longer than the limits above allow, plus one piece. */
  #held = "";
  /** The plan as it went out, and the white space between its pieces. */
  #plan = "";
  /** White space between the end of a plan that was cut and what follows. */
  #cutSpace = "";
  #mirrors: readonly string[] = [];
  #boundarySent = false;

  constructor(output: SplitterOutput) {
    this.#output = output;
  }

  push(piece: string): void {
    if (this.#state === "answer") return this.#output.answer(piece);
    if (piece === "") return;
    this.#held += piece;
    this.#advance();
  }

  /** The reply is whole: sends what was held and makes sure that it has a boundary. */
  end(): boolean {
    this.#settle();
    if (this.#state !== "plan" && this.#state !== "cut") return true;
    this.#repeatPlanAsAnswer();
    return false;
  }

  /** The reply broke off: sends what was held, and the boundary if there was any text. */
  breakOff(): boolean {
    this.#settle();
    if (this.#state === "plan") this.#sendPlan(this.#held.trimEnd());
    if (this.#plan !== "") this.#sendBoundary();
    return true;
  }

  /** Decides what only more text could have decided otherwise. */
  #settle(): void {
    if (this.#state === "start") this.#state = planStart.test(this.#held) ? "plan" : "prose";
    if (this.#state === "mirror") this.#dropMirror();
    if (this.#state === "prose" || this.#state === "gap") this.#startAnswer();
    else if (this.#state === "cut" && this.#held.trim() !== "") this.#startAnswer();
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
        if (!partialPlanStart.test(this.#held)) this.#state = planStart.test(this.#held) ? "plan" : "prose";
        return;
      case "prose":
        return this.#stepProse();
      case "plan":
        return this.#stepPlan();
      case "cut":
        return this.#stepCut();
      case "mirror":
        return this.#stepMirror();
      case "gap":
        return this.#startAnswer();
      case "answer":
        return;
    }
  }

  #stepProse(): void {
    const place = findToken(this.#held);
    if (place !== undefined && place.start < holdLimit) this.#split(place);
    else if (findPartialToken(this.#held) >= holdLimit) this.#startAnswer();
  }

  #stepPlan(): void {
    const cut = this.#findCut();
    const place = findToken(this.#held);
    if (place !== undefined && place.start < cut) return this.#split(place);
    const partial = findPartialToken(this.#held);
    if (cut < this.#held.length && partial >= cut) {
      this.#sendPlan(this.#held.slice(0, cut).trimEnd());
      this.#state = "cut";
      return;
    }
    this.#sendPlan(this.#held.slice(0, this.#findSafeEnd(partial)));
  }

  /** Returns where in the held text the plan must end: at a line break past the soft limit, or at the hard limit. */
  #findCut(): number {
    const sent = this.#plan.length;
    const lineBreak = this.#held.indexOf("\n", Math.max(0, planSoftLimit - sent));
    const hard = planHardLimit - sent;
    if (lineBreak >= 0 && lineBreak < hard) return lineBreak;
    const splitsPair = this.#held.length > hard && (this.#held.codePointAt(hard - 1) ?? 0) > 0xffff;
    return splitsPair ? hard - 1 : hard;
  }

  /** Returns up to where the held text is plan whatever follows: before any white space, decoration or partial token. */
  #findSafeEnd(partial: number): number {
    const lineStart = findLineStart(this.#held);
    const isWholeLine = lineStart > 0 || this.#plan === "";
    const end = isWholeLine && isDecoration(this.#held.slice(lineStart, partial)) ? lineStart : partial;
    return this.#held.slice(0, end).trimEnd().length;
  }

  #stepCut(): void {
    const text = this.#held.trimStart();
    this.#cutSpace += this.#held.slice(0, this.#held.length - text.length);
    this.#held = text;
    const place = findToken(text);
    const start = place?.start ?? findPartialToken(text);
    const mayBeBoundary = start < holdLimit && isDecoration(text.slice(0, start));
    if (!mayBeBoundary) this.#startAnswer();
    else if (place !== undefined) this.#split(place);
  }

  #stepMirror(): void {
    if (this.#mirrors.some((mirror) => mirror.length > this.#held.length && mirror.startsWith(this.#held)))
      return;
    this.#dropMirror();
  }

  #dropMirror(): void {
    const mirror = this.#mirrors.find((candidate) => this.#held.startsWith(candidate)) ?? "";
    this.#held = this.#held.slice(mirror.length);
    this.#state = "gap";
  }

  #split(place: TokenPlace): void {
    const isCut = this.#state === "cut";
    const { before, marks, after } = splitAtToken(this.#held, place, !isCut && this.#plan !== "");
    if (!isCut) this.#sendPlan(before.trimEnd());
    if (this.#plan !== "") this.#sendBoundary();
    this.#held = after;
    this.#mirrors = toMirrors(marks);
    this.#state = "mirror";
  }

  #startAnswer(): void {
    const text = this.#held.trimStart();
    this.#held = "";
    if (text === "") return;
    this.#sendBoundary();
    this.#state = "answer";
    this.#output.answer(text);
  }

  /** Sends the first part of the held text, `text`, as plan, and keeps the rest. */
  #sendPlan(text: string): void {
    if (text === "") return;
    this.#plan += text;
    this.#held = this.#held.slice(text.length);
    this.#output.plan(text);
  }

  #sendBoundary(): void {
    if (this.#boundarySent) return;
    this.#boundarySent = true;
    this.#output.boundary();
  }

  #repeatPlanAsAnswer(): void {
    if (this.#state === "plan") this.#sendPlan(this.#held.trimEnd());
    const text = this.#plan + this.#cutSpace + this.#held;
    this.#held = "";
    this.#sendBoundary();
    this.#output.answer(text);
  }
}
