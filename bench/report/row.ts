/** A line of the results: one figure of a scenario for each peer, with its target. */
import type { PeerName } from "../peers/peers.ts";

/** The limit of a figure. */
export interface Target {
  readonly text: string;
  readonly isMet: boolean;
}

/** A line of the table. */
export interface Row {
  readonly scenario: string;
  /** With its unit. */
  readonly figure: string;
  readonly values: Readonly<Partial<Record<PeerName, number>>>;
  /** Foreword's figure divided by the yardstick's, or by the figure that the target names. */
  readonly ratio?: number | undefined;
  readonly target?: Target | undefined;
  /** Number of rounds behind the median, if it differs from the requested one. */
  readonly rounds?: number;
}

/** Returns the median; `undefined` for an empty list. */
export function toMedian(numbers: readonly number[]): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** Returns a number with three significant digits. */
export function toFigure(value: number): string {
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/^(-?\d+)\.0+$/, "$1").replace(/\B(?=(?:\d{3})+$)/g, ",");
}
