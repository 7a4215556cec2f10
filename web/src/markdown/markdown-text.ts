/** Gives the blocks of a text that is handed over whole each time it has grown. */
import { type BlockSection, BlockSections } from "./block-sections.ts";
import { GrowingMarkdown } from "./growing-markdown.ts";

/** The blocks so far, in groups and sections, and text after them. */
export interface MarkdownView {
  readonly sections: readonly BlockSection[];
  readonly tail: string;
  /** Whether there is more to read: the same text must be handed over again. */
  readonly isBehind: boolean;
}

/** How many characters are read at once: that takes well under 50 ms. */
const stepLength = 8000;
/** How much of its end tells that a text is the one before, grown. */
const comparedLength = 200;

/** Follows a text from one version to the next. */
export class MarkdownText {
  #markdown = new GrowingMarkdown();
  /** What has been read. */
  #text = "";
  #isDone = false;
  #isBehind = false;
  #parts = new BlockSections();

  /** Reads on in the text. Returns its blocks so far; groups that have not changed are the same arrays. */
  update(text: string, isDone: boolean): MarkdownView {
    if (!this.#isGrownTo(text, isDone)) {
      this.#markdown = new GrowingMarkdown();
      this.#text = "";
      this.#isDone = false;
      this.#parts = new BlockSections();
    }
    if (!this.#isDone) this.#read(text, isDone);
    else if (this.#isBehind) this.#readLinks();
    const { finished, open, tail } = this.#markdown;
    return { sections: this.#parts.divide(finished, open), tail, isBehind: this.#isBehind };
  }

  #read(text: string, isDone: boolean): void {
    const end = this.#text.length + stepLength;
    this.#markdown.append(text.slice(this.#text.length, end));
    this.#isBehind = end < text.length;
    this.#text = this.#isBehind ? text.slice(0, end) : text;
    if (this.#isBehind || !isDone) return;
    this.#markdown.finish();
    this.#isDone = true;
    this.#readLinks();
  }

  #readLinks(): void {
    const { start, end } = this.#markdown.readLinks(stepLength);
    this.#isBehind = end < this.#markdown.finished.length;
    this.#parts.replace(this.#markdown.finished, start, end);
  }

  #isGrownTo(text: string, isDone: boolean): boolean {
    if (this.#isDone) return isDone && text === this.#text;
    if (isDone) return text.startsWith(this.#text);
    // Comparing all of it would make the work quadratic, and another text hardly ever ends the same.
    const start = Math.max(0, this.#text.length - comparedLength);
    return text.startsWith(this.#text.slice(start), start);
  }
}
