/** Owns a reply that was asked for without a plan: all of it is answer, to the byte as the model says it. */
import type { ReplySplitter, SplitReply, SplitterOutput } from "./plan-splitter.ts";

/** Sends the boundary before the first text, then every piece as it comes. */
export class WholeAnswer implements ReplySplitter {
  readonly #output: Omit<SplitterOutput, "plan">;
  #answer = "";

  constructor(output: Omit<SplitterOutput, "plan">) {
    this.#output = output;
  }

  push(piece: string): void {
    if (this.#answer === "") this.#output.boundary();
    this.#answer += piece;
    this.#output.answer(piece);
  }

  end(): SplitReply {
    return { plan: "", hasPlan: false, answer: this.#answer };
  }

  breakOff(): SplitReply {
    return this.end();
  }
}
