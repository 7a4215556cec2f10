/** Owns one line of the results: a figure of a scenario, for each peer, and what it should be. */
import type { PeerName } from "../peers/peers.ts";

/** What a figure of Foreword is held to. */
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
  /** Foreword's over what it is compared with: the yardstick, or what the target says. */
  readonly ratio?: number | undefined;
  readonly target?: Target | undefined;
  /** Of how many rounds it is the median, where that is not what was asked for. */
  readonly rounds?: number;
}

/** Returns the middle one, or the mean of the two in the middle; `undefined` of none. */
export function toMedian(numbers: readonly number[]): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** Returns a number with three digits that mean something. */
export function toFigure(value: number): string {
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/^(-?\d+)\.0+$/, "$1").replace(/\B(?=(?:\d{3})+$)/g, ",");
}
