/** Finds the end of a JSON object or list that comes in pieces, without parsing it. */

/** Where a text stands in its JSON. */
export class JsonExtent {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #hasEnded = false;

  /** Whether the text so far is a whole object or list, if it is JSON at all. */
  get isWhole(): boolean {
    return this.#hasEnded;
  }

  /** Takes the next characters. */
  push(text: string): void {
    for (const character of text) {
      if (this.#isInString) this.#takeInString(character);
      else this.#take(character);
    }
  }

  #takeInString(character: string): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === "\\") this.#isEscaped = true;
    else if (character === '"') this.#isInString = false;
  }

  #take(character: string): void {
    if (character === '"') this.#isInString = true;
    else if (character === "{" || character === "[") this.#depth += 1;
    else if (character === "}" || character === "]") {
      this.#depth -= 1;
      this.#hasEnded ||= this.#depth === 0;
    }
  }
}
