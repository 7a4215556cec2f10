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

/** Words like `31` in `E-31`: if a question has any, it is usually about them. */
const code = /\d/;

/** How well a passage fits a question. */
export interface PassageFit {
  readonly score: number;
  /**
   * How much of the question's words it holds, each by its rarity, from 0 to 1; 1 if it holds all words with
   * digits that the knowledge base knows, and there are some.
   */
  readonly coverage: number;
}

/**
 * Returns how well each passage fits.
 * @param passages the words of each.
 * @param frequencies in how many passages of the knowledge base each word of the question is.
 */
export function scorePassages(
  passages: readonly WordCounts[],
  frequencies: ReadonlyMap<string, number>,
  base: BaseSize,
): readonly PassageFit[] {
  const rarities = Array.from(frequencies, ([word, frequency]) => {
    const count = Math.max(base.passages, frequency);
    return [word, Math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))] as const;
  });
  const codes = Array.from(frequencies).filter(([word, frequency]) => frequency > 0 && code.test(word));
  const whole = sum(rarities.map(([, rarity]) => rarity));
  const meanLength = Math.max(1, base.words / Math.max(1, base.passages));
  return passages.map((words) => {
    const length = sum(words.values()) / meanLength;
    const damping = repetition * (1 - lengthWeight + lengthWeight * length);
    const held = rarities.filter(([word]) => words.has(word));
    const score = sum(
      held.map(([word, rarity]) => {
        const times = words.get(word) ?? 0;
        return (rarity * times * (repetition + 1)) / (times + damping);
      }),
    );
    const holdsCodes = codes.length > 0 && codes.every(([word]) => words.has(word));
    const coverage = holdsCodes ? 1 : sum(held.map(([, rarity]) => rarity)) / (whole || 1);
    return { score, coverage };
  });
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
