/** Gives the blocks of a text that is handed over whole each time it has grown. */
import { type Block, GrowingMarkdown } from "./growing-markdown.ts";

/** Blocks in groups, so that the page compares few of them; and text that follows them. */
export interface MarkdownView {
  readonly groups: readonly (readonly Block[])[];
  readonly tail: string;
}

const groupSize = 32;
/** How much of its end tells that a text is the one before, grown. */
const comparedLength = 200;

/** Follows a text from one version to the next. */
export class MarkdownText {
  #markdown = new GrowingMarkdown();
  #text = "";
  #isDone = false;
  /** Groups whose blocks are all finished. */
  #full: (readonly Block[])[] = [];

  /** Returns the blocks of the text; groups that have not changed are the same arrays. */
  update(text: string, isDone: boolean): MarkdownView {
    if (!this.#isGrownTo(text, isDone)) {
      this.#markdown = new GrowingMarkdown();
      this.#text = "";
      this.#isDone = false;
      this.#full = [];
    }
    this.#markdown.append(text.slice(this.#text.length));
    this.#text = text;
    if (isDone && !this.#isDone) {
      this.#markdown.finish();
      if (this.#markdown.hasReadAgain) this.#full = [];
      this.#isDone = true;
    }
    return { groups: this.#toGroups(), tail: this.#markdown.tail };
  }

  #isGrownTo(text: string, isDone: boolean): boolean {
    if (this.#isDone) return isDone && text === this.#text;
    if (isDone) return text.startsWith(this.#text);
    // Comparing all of it would make the work quadratic, and another text hardly ever ends the same.
    const start = Math.max(0, this.#text.length - comparedLength);
    return text.startsWith(this.#text.slice(start), start);
  }

  #toGroups(): (readonly Block[])[] {
    const { finished, open } = this.#markdown;
    while ((this.#full.length + 1) * groupSize <= finished.length) {
      const start = this.#full.length * groupSize;
      this.#full.push(finished.slice(start, start + groupSize));
    }
    const rest = [...finished.slice(this.#full.length * groupSize), ...open];
    const groups = [...this.#full];
    for (let start = 0; start < rest.length; start += groupSize)
      groups.push(rest.slice(start, start + groupSize));
    return groups;
  }
}
