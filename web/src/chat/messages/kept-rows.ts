/**
 * Which messages out of view stay in the document: long ones, whose text would be read and laid out again,
 * piece by piece, each time they come back into view.
 */
import { defaultRangeExtractor, type Range } from "@tanstack/virtual-core";

/** A message is long if its text is read in several tasks, in UTF-16 code units. */
const minLength = 8_000;
/** How much stays in all: the longest reply, and as many messages as make no difference. */
const maxLength = 2 * 1024 * 1024;
const maxCount = 20;

/** A message in the list. */
interface Row {
  readonly key: string;
  readonly length: number;
}

/** The long messages that were in view, the last one last. */
export class KeptRows {
  #kept: readonly Row[] = [];

  /** Returns which of `count` messages to render: those in `range`, and long ones that were in it before. */
  extract(range: Range, getRow: (index: number) => Row | undefined): number[] {
    const shown = defaultRangeExtractor(range);
    const rows = shown.flatMap((index) => getRow(index) ?? []);
    const keys = new Set(rows.map(({ key }) => key));
    const earlier = this.#kept.filter(({ key }) => !keys.has(key));
    this.#kept = takeLast([...earlier, ...rows.filter(({ length }) => length > minLength)]);
    const kept = new Set(this.#kept.map(({ key }) => key).filter((key) => !keys.has(key)));
    if (kept.size === 0) return shown;
    const added: number[] = [];
    for (let index = 0; index < range.count && added.length < kept.size; index += 1)
      if (kept.has(getRow(index)?.key ?? "")) added.push(index);
    return [...shown, ...added].toSorted((one, other) => one - other);
  }
}

/** Returns the last rows that fit within the limits. */
function takeLast(rows: readonly Row[]): readonly Row[] {
  let length = 0;
  const start = rows.findLastIndex((row, index) => {
    length += row.length;
    return length > maxLength || index < rows.length - maxCount;
  });
  return rows.slice(start + 1);
}
