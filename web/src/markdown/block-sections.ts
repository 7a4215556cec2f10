/** Divides the blocks of a long text into parts, so that a change concerns few of them. */
import type { Block } from "./growing-markdown.ts";

/** Blocks that the page compares together. */
export type BlockGroup = readonly Block[];

/** Groups that Chromium draws together, or skips if they are out of view. */
export type BlockSection = readonly BlockGroup[];

/** A part is full when it has so many children, or so much text. */
const maxCount = 16;
const groupLength = 8000;
/** Chromium's work for a frame grows with the number of sections, and with the length of the last one. */
const sectionLength = 48_000;

/** A part that will get no more children; blocks and groups are counted from the beginning of the text. */
interface FullPart<Child> {
  readonly start: number;
  readonly children: readonly Child[];
  readonly length: number;
}

/** The parts of a text that grows; those that have not changed are the same arrays. */
export class BlockSections {
  readonly #groups: FullPart<Block>[] = [];
  readonly #sections: FullPart<FullPart<Block>>[] = [];
  /** The sections as they are shown. */
  readonly #shown: BlockSection[] = [];

  /**
   * Returns the parts of the `finished` blocks, which only ever get more, and of the `open` ones after
   * them.
   */
  divide(finished: readonly Block[], open: readonly Block[]): readonly BlockSection[] {
    addFull(this.#groups, finished, lengthOf, groupLength);
    addFull(this.#sections, this.#groups, ({ length }) => length, sectionLength);
    for (const { children } of this.#sections.slice(this.#shown.length))
      this.#shown.push(children.map((group) => group.children));
    const rest: FullPart<Block>[] = [];
    const others = [...finished.slice(endOf(this.#groups)), ...open];
    addFull(rest, others, lengthOf, groupLength);
    const last = others.slice(endOf(rest));
    const groups = [...this.#groups.slice(endOf(this.#sections)), ...rest].map(({ children }) => children);
    if (last.length > 0) groups.push(last);
    return groups.length === 0 ? [...this.#shown] : [...this.#shown, groups];
  }

  /** Takes over `finished` blocks from `start` to `end` that have changed. */
  replace(finished: readonly Block[], start: number, end: number): void {
    for (const [index, group] of this.#groups.entries()) {
      const groupEnd = group.start + group.children.length;
      if (groupEnd <= start || group.start >= end) continue;
      const children = finished.slice(group.start, groupEnd);
      if (children.every((block, at) => block === group.children[at])) continue;
      this.#groups[index] = { ...group, children };
      this.#showAgain(index);
    }
  }

  #showAgain(group: number): void {
    const index = this.#sections.findIndex(({ start, children }) => group < start + children.length);
    const section = this.#sections[index];
    if (section === undefined) return;
    const children = this.#groups.slice(section.start, section.start + section.children.length);
    this.#sections[index] = { ...section, children };
    this.#shown[index] = children.map((part) => part.children);
  }
}

/** Adds the parts of `children` that are full and not in `parts` yet. */
function addFull<Child>(
  parts: FullPart<Child>[],
  children: readonly Child[],
  measure: (child: Child) => number,
  maxLength: number,
): void {
  let start = endOf(parts);
  let length = 0;
  for (let end = start; end < children.length;) {
    const child = children[end];
    length += child === undefined ? 0 : measure(child);
    end += 1;
    if (end - start < maxCount && length < maxLength) continue;
    parts.push({ start, children: children.slice(start, end), length });
    start = end;
    length = 0;
  }
}

function endOf<Child>(parts: readonly FullPart<Child>[]): number {
  const last = parts.at(-1);
  return last === undefined ? 0 : last.start + last.children.length;
}

function lengthOf({ token }: Block): number {
  return token.raw.length;
}
