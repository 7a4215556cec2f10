/** Whether the rounds of two peers differ by more than noise: the exact rank-sum test of Wilcoxon. */

/** A difference with a smaller probability counts as beyond noise. */
const mostChance = 0.05;

/** The comparison of two lists of rounds. */
export interface Difference {
  /** The probability that equal peers would differ so much or more, in either direction. */
  readonly chance: number;
  readonly verdict: "beyond noise" | "noise" | "too few rounds";
}

/** Compares two lists. With fewer than four rounds each, no difference could be told from noise. */
export function compare(first: readonly number[], second: readonly number[]): Difference {
  const ranks = toDoubledRanks([...first, ...second]);
  const counts = countRankSums(ranks, first.length);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const toSum = (list: readonly number[]): number => list.reduce((sum, rank) => sum + rank, 0);
  const sum = toSum(ranks.slice(0, first.length));
  const middle = (toSum(ranks) * first.length) / ranks.length;
  const distance = Math.abs(sum - middle) - 1e-9;
  const asFar = counts.filter((_, at) => Math.abs(at - middle) >= distance);
  const chance = asFar.reduce((part, count) => part + count, 0) / all;
  // The most distant ranks are at one end of all ways to choose them, or at the other.
  if (2 / all > mostChance) return { chance, verdict: "too few rounds" };
  return { chance, verdict: chance <= mostChance ? "beyond noise" : "noise" };
}

/** Returns twice the rank of each number, so that the mean rank of equal ones is whole. */
function toDoubledRanks(numbers: readonly number[]): readonly number[] {
  return numbers.map(
    (value) =>
      numbers.filter((other) => other < value).length + numbers.filter((other) => other <= value).length + 1,
  );
}

/** Returns how many ways of choosing `size` of the ranks have each sum. */
function countRankSums(ranks: readonly number[], size: number): readonly number[] {
  const most = ranks.reduce((sum, rank) => sum + rank, 0);
  const counts = Array.from({ length: size + 1 }, () => new Float64Array(most + 1));
  const [none] = counts;
  if (none !== undefined) none[0] = 1;
  for (const rank of ranks)
    for (let chosen = size; chosen > 0; chosen -= 1) {
      const [fewer, same] = [counts[chosen - 1], counts[chosen]];
      for (let sum = most; sum >= rank; sum -= 1)
        if (fewer !== undefined && same !== undefined)
          same[sum] = (same[sum] ?? 0) + (fewer[sum - rank] ?? 0);
    }
  return Array.from(counts[size] ?? []);
}
