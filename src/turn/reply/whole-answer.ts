/** Owns a reply that was asked for without a plan: all of it is answer, to the byte as the model says it. */
import type { ReplySplitter, SplitterOutput } from "./plan-splitter.ts";

/** Sends the boundary before the first text, then every piece as it comes. */
export class WholeAnswer implements ReplySplitter {
  readonly #output: Omit<SplitterOutput, "plan">;
  #hasBegun = false;

  constructor(output: Omit<SplitterOutput, "plan">) {
    this.#output = output;
  }

  push(piece: string): void {
    if (!this.#hasBegun) this.#output.boundary();
    this.#hasBegun = true;
    this.#output.answer(piece);
  }

  end(): boolean {
    return false;
  }

  breakOff(): boolean {
    return false;
  }
}
