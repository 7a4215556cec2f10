/** Owns the beginning of a reply: leading white space and a `<think>` block, neither of which is text. */

const openTag = "<think>";
const closeTag = "</think>";

/**
 * Takes the reasoning out of a reply that starts with it. Fed the pieces in order, it returns what is text; white
 * space at the very start of the text is dropped.
 */
export class ReasoningFilter {
  /** `start`: nothing but white space came; `inside`: between the tags; `after`: only white space since; `text`. */
  #state: "start" | "inside" | "after" | "text" = "start";
  /** Text whose meaning the next piece decides. */
  #held = "";

  /** Returns the part of `piece`, and of what was held before it, that is text. */
  push(piece: string): string {
    switch (this.#state) {
      case "text":
        return piece;
      case "start":
        return this.#start((this.#held + piece).trimStart());
      case "inside":
        return this.#inside(this.#held + piece);
      case "after":
        return this.#toText(piece.trimStart());
    }
  }

  /** Returns the text still held when the reply is over: the start of a tag that never came whole. */
  end(): string {
    return this.#state === "start" ? this.#toText(this.#held) : "";
  }

  #start(text: string): string {
    if (text.startsWith(openTag)) {
      this.#state = "inside";
      return this.#inside(text.slice(openTag.length));
    }
    if (!openTag.startsWith(text)) return this.#toText(text);
    this.#held = text;
    return "";
  }

  #inside(text: string): string {
    const close = text.indexOf(closeTag);
    if (close >= 0) {
      this.#state = "after";
      return this.#toText(text.slice(close + closeTag.length).trimStart());
    }
    this.#held = text.slice(-(closeTag.length - 1));
    return "";
  }

  #toText(text: string): string {
    this.#held = "";
    if (text !== "") this.#state = "text";
    return text;
  }
}
