/** Owns the beginning of a reply: a `<think>` block there is reasoning, not text. */

const openTag = "<think>";
const closeTag = "</think>";
/** So much white space is text, whatever follows. */
const maxSpaceLength = 256;

/** How a reply's reasoning is taken out. */
export interface ReasoningFilterOptions {
  /** Told of what the block holds, in pieces; `undefined` drops it. */
  readonly onReasoning: ((text: string) => void) | undefined;
  /** Whether white space that a reply without such a block starts with is text. */
  readonly keepsSpace: boolean;
}

/** Takes the reasoning out of a reply that starts with it. Fed the pieces in order, it returns what is text. */
export class ReasoningFilter {
  readonly #options: ReasoningFilterOptions;
  /** `start`: nothing but white space came; `inside`: between the tags; `after`: only white space since; `text`. */
  #state: "start" | "inside" | "after" | "text" = "start";
  /** Text whose meaning the next piece decides. */
  #held = "";

  constructor(options: ReasoningFilterOptions) {
    this.#options = options;
  }

  /** Returns the part of `piece`, and of what was held before it, that is text. */
  push(piece: string): string {
    switch (this.#state) {
      case "text":
        return piece;
      case "start":
        return this.#start(this.#held + piece);
      case "inside":
        return this.#inside(this.#held + piece);
      case "after":
        return this.#toText(piece.trimStart());
    }
  }

  /** Returns the text still held when the reply is over: the start of a tag that never came whole. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    if (this.#state === "inside") this.#tell(held);
    return this.#state === "start" ? this.#toText(this.#options.keepsSpace ? held : held.trimStart()) : "";
  }

  #start(text: string): string {
    const trimmed = text.trimStart();
    if (trimmed.startsWith(openTag)) {
      this.#state = "inside";
      return this.#inside(trimmed.slice(openTag.length));
    }
    const kept = this.#options.keepsSpace ? text : trimmed;
    if (!openTag.startsWith(trimmed) || kept.length > maxSpaceLength) return this.#toText(kept);
    this.#held = kept;
    return "";
  }

  #inside(text: string): string {
    const close = text.indexOf(closeTag);
    if (close >= 0) {
      this.#tell(text.slice(0, close));
      this.#state = "after";
      return this.#toText(text.slice(close + closeTag.length).trimStart());
    }
    const held = findPartialEnd(text);
    this.#tell(text.slice(0, held));
    this.#held = text.slice(held);
    return "";
  }

  #tell(reasoning: string): void {
    if (reasoning !== "") this.#options.onReasoning?.(reasoning);
  }

  #toText(text: string): string {
    this.#held = "";
    if (text !== "") this.#state = "text";
    return text;
  }
}

/** Returns where the longest start of a closing tag begins that `text` ends in; its length where there is none. */
function findPartialEnd(text: string): number {
  for (let start = Math.max(0, text.length - closeTag.length + 1); start < text.length; start += 1)
    if (closeTag.startsWith(text.slice(start))) return start;
  return text.length;
}
