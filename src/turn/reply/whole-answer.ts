/** How a reply is split into its parts, and the splitter for replies without a plan. */
import type { Body } from "../body.ts";

/** The parts of a reply, in this order: plan pieces, the boundary once, answer pieces. */
export interface SplitterOutput {
  readonly plan: (text: string) => void;
  readonly boundary: () => void;
  readonly answer: (text: string) => void;
}

/**
 * Takes a reply in pieces, then one of its two ends, which return whether the reply has a plan of its own: it
 * has none if none was asked for, or if the plan was the whole reply, which then goes out as answer too.
 */
export interface ReplySplitter {
  /** Takes the next piece of the reply. */
  push(piece: string): void;
  /**
   * An item comes next: sends the held text, a started plan as plan, anything else as answer. The plan may go
   * on, or end, after it.
   */
  settle(): void;
  /** The reply is whole. */
  end(): boolean;
  /** The reply was cut off. */
  cutOff(): boolean;
  /** Forgets the text since the start, or since the last item; none of it may have been sent. */
  restart(): void;
  /** No more text comes: whether none is held that {@link end} would send. */
  saysNothing(): boolean;
}

/** A reply without a plan: all of it is answer, byte for byte, after a boundary before its first text. */
export class WholeAnswer implements ReplySplitter {
  readonly #output: Omit<SplitterOutput, "plan">;
  #hasBegun = false;

  /** @param sent the body so far, of a reply that goes on after items. */
  constructor(output: Omit<SplitterOutput, "plan">, sent?: Body) {
    this.#output = output;
    this.#hasBegun = sent?.answer !== undefined;
  }

  push(piece: string): void {
    if (!this.#hasBegun) this.#output.boundary();
    this.#hasBegun = true;
    this.#output.answer(piece);
  }

  settle(): void {}

  end(): boolean {
    return false;
  }

  cutOff(): boolean {
    return false;
  }

  restart(): void {}

  saysNothing(): boolean {
    return true;
  }
}
