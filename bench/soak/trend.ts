/** Trends of measured values: a robust slope, its noise, and whether a value grows. */
import { toMedian } from "../report/row.ts";

/** A value at a time. */
export interface Point {
  readonly minute: number;
  readonly value: number;
}

/** A trend of points over their time. */
export interface Trend {
  /** Values of the line at the first and last point. */
  readonly start: number;
  readonly end: number;
  /** The Theil–Sen slope: the median of the slopes between all pairs of points, per minute. */
  readonly slope: number;
  /** Bounds of the slope's 95 % confidence interval (Sen 1968, for points without ties). */
  readonly low: number;
  readonly high: number;
  /** Growth from `start` to `end` as a share of `start`, like 0.05; 0 if `start` is not above 0. */
  readonly growth: number;
}

/** The largest growth that passes, as a share. */
export const maxGrowth = 0.05;

/** Returns the trend of `points`, oldest first. @throws Error if there are fewer than four. */
export function findTrend(points: readonly Point[]): Trend {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 4)
    throw new Error(`a trend needs at least four points, not ${points.length}`);
  const slopes = listSlopes(points);
  const slope = toMedian(slopes) ?? 0;
  const noise = 1.96 * Math.sqrt((points.length * (points.length - 1) * (2 * points.length + 5)) / 18);
  const at = (rank: number): number =>
    slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))] ?? slope;
  const offset = toMedian(points.map(({ minute, value }) => value - slope * minute)) ?? 0;
  const [start, end] = [first, last].map(({ minute }) => offset + slope * minute);
  return {
    start: start ?? 0,
    end: end ?? 0,
    slope,
    low: at((slopes.length - noise) / 2 - 1),
    high: at((slopes.length + noise) / 2),
    growth: start === undefined || end === undefined || start <= 0 ? 0 : end / start - 1,
  };
}

/**
 * Whether a trend is growth: more than {@link maxGrowth}, by more than `resolution` (what the value changes
 * by in one step, such as a segment of a log), and more than noise.
 */
export function isGrowing({ start, end, growth, low }: Trend, resolution: number): boolean {
  return growth > maxGrowth && end - start > resolution && low > 0;
}

/** Returns the slopes between all pairs of points, in ascending order. */
function listSlopes(points: readonly Point[]): readonly number[] {
  const slopes = points.flatMap((one, index) =>
    points.slice(index + 1).map((other) => (other.value - one.value) / (other.minute - one.minute)),
  );
  return slopes.toSorted((one, other) => one - other);
}
