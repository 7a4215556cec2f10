/** Scores passages for a question by BM25: rare words count most, and repeated ones less and less. */
import type { WordCounts } from "../../store/words/passage-words.ts";

/** How much repetition counts, and how much the length of a passage: the usual values. */
const repetition = 1.2;
const lengthWeight = 0.75;

/** The size of a knowledge base. */
interface BaseSize {
  readonly passages: number;
  /** Of all passages. */
  readonly words: number;
}

/**
 * Returns the score of each passage.
 * @param passages the words of each.
 * @param frequencies in how many passages of the knowledge base each word of the question is.
 */
export function scorePassages(
  passages: readonly WordCounts[],
  frequencies: ReadonlyMap<string, number>,
  base: BaseSize,
): readonly number[] {
  const rarities = Array.from(frequencies, ([word, frequency]) => {
    const count = Math.max(base.passages, frequency);
    return [word, Math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))] as const;
  });
  const meanLength = Math.max(1, base.words / Math.max(1, base.passages));
  return passages.map((words) => {
    const length = sum(words.values()) / meanLength;
    const damping = repetition * (1 - lengthWeight + lengthWeight * length);
    return sum(
      rarities.map(([word, rarity]) => {
        const times = words.get(word) ?? 0;
        return (rarity * times * (repetition + 1)) / (times + damping);
      }),
    );
  });
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
