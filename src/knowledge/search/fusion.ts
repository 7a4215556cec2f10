/** Ranks passages by their words and by their vectors together. */
import type { SimilarPassage } from "../embeddings/vector-rows.ts";
import type { ScoredPassage } from "./passage-search.ts";

/**
 * From this coverage of the question on, words decide alone, and less and less below it: a passage that holds
 * the rare words of a question, or its codes, answers a question of keywords, about which vectors know
 * little; one in other words than the text's shares only common ones with it.
 */
const decisiveCoverage = 0.5;

/**
 * Returns all passages, the best first, with scores from 0 to 1.
 * @param byWords those found by words, the best first.
 * @param similar those found by vectors, and the similarity of those found by words that have a vector.
 */
export function fusePassages(
  byWords: readonly ScoredPassage[],
  similar: readonly SimilarPassage[],
): readonly ScoredPassage[] {
  if (similar.length === 0) return byWords;
  const [best] = byWords;
  const wordWeight = Math.min(1, (best?.coverage ?? 0) / decisiveCoverage);
  const similarities = new Map(similar.map((passage) => [toKey(passage), passage.similarity]));
  const most = Math.max(...similarities.values());
  const least = Math.min(...similarities.values());
  const found = similar.flatMap(({ passage }) =>
    passage === undefined ? [] : { ...passage, score: 0, coverage: 0 },
  );
  const all = [...byWords, ...found].map((passage) => {
    const words = best === undefined || best.score === 0 ? 0 : passage.score / best.score;
    const similarity = similarities.get(toKey(passage));
    // A passage that has no vector yet is as good as its words say.
    const vectors =
      similarity === undefined ? words : most === least ? 1 : (similarity - least) / (most - least);
    return { ...passage, score: wordWeight * words + (1 - wordWeight) * vectors };
  });
  return all.toSorted((a, b) => b.score - a.score); // stable: words decide between equals
}

function toKey({ documentId, ordinal }: Pick<SimilarPassage, "documentId" | "ordinal">): string {
  return `${documentId}/${ordinal}`;
}
