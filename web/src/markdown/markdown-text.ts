/** Gives the blocks of a text that is handed over whole each time it has grown. */
import { type Block, GrowingMarkdown } from "./growing-markdown.ts";

/** Blocks that the page compares, and lays out, together. */
export type BlockGroup = readonly Block[];

/** Blocks in groups, and these in sections, so that each change concerns few of them; and text after them. */
export interface MarkdownView {
  readonly sections: readonly (readonly BlockGroup[])[];
  readonly tail: string;
}

/** How many blocks are in a group, and groups in a section. */
const groupSize = 32;
/** How much of its end tells that a text is the one before, grown. */
const comparedLength = 200;

/** Follows a text from one version to the next. */
export class MarkdownText {
  #markdown = new GrowingMarkdown();
  #text = "";
  #isDone = false;
  /** Groups whose blocks are all finished. */
  #groups: BlockGroup[] = [];
  /** Sections whose groups are. */
  #sections: (readonly BlockGroup[])[] = [];

  /** Returns the blocks of the text; groups that have not changed are the same arrays. */
  update(text: string, isDone: boolean): MarkdownView {
    if (!this.#isGrownTo(text, isDone)) {
      this.#markdown = new GrowingMarkdown();
      this.#text = "";
      this.#isDone = false;
      this.#forgetGroups();
    }
    this.#markdown.append(text.slice(this.#text.length));
    this.#text = text;
    if (isDone && !this.#isDone) {
      this.#markdown.finish();
      if (this.#markdown.hasReadAgain) this.#forgetGroups();
      this.#isDone = true;
    }
    return { sections: this.#toSections(), tail: this.#markdown.tail };
  }

  #isGrownTo(text: string, isDone: boolean): boolean {
    if (this.#isDone) return isDone && text === this.#text;
    if (isDone) return text.startsWith(this.#text);
    // Comparing all of it would make the work quadratic, and another text hardly ever ends the same.
    const start = Math.max(0, this.#text.length - comparedLength);
    return text.startsWith(this.#text.slice(start), start);
  }

  #forgetGroups(): void {
    this.#groups = [];
    this.#sections = [];
  }

  #toSections(): (readonly BlockGroup[])[] {
    const { finished, open } = this.#markdown;
    addFull(this.#groups, finished);
    addFull(this.#sections, this.#groups);
    const rest = [...finished.slice(this.#groups.length * groupSize), ...open];
    const groups = [...this.#groups.slice(this.#sections.length * groupSize), ...split(rest)];
    return [...this.#sections, ...split(groups)];
  }
}

/** Adds the parts of `items` that are full and not in `parts` yet. */
function addFull<Item>(parts: (readonly Item[])[], items: readonly Item[]): void {
  while ((parts.length + 1) * groupSize <= items.length) {
    const start = parts.length * groupSize;
    parts.push(items.slice(start, start + groupSize));
  }
}

function split<Item>(items: readonly Item[]): (readonly Item[])[] {
  const parts: (readonly Item[])[] = [];
  for (let start = 0; start < items.length; start += groupSize)
    parts.push(items.slice(start, start + groupSize));
  return parts;
}
