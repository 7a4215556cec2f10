/** A line of the results: one figure of a scenario, as each peer's rounds gave it, with its targets. */
import type { PeerName } from "../peers/peers.ts";

/** The limit of a figure. */
export interface Target {
  readonly text: string;
  readonly isMet: boolean;
}

/** What each peer's rounds gave. */
export type Samples = Readonly<Partial<Record<PeerName, readonly number[]>>>;

/** A line of the table. */
export interface Row {
  readonly scenario: string;
  /** With its unit. */
  readonly figure: string;
  readonly samples: Samples;
  /** Ratios to another figure of Foreword, which the target names, instead of those to the raw peers. */
  readonly ratios?: Readonly<Partial<Record<PeerName, number>>> | undefined;
  readonly targets?: readonly Target[] | undefined;
}

/** Returns the median; `undefined` for an empty list. */
export function toMedian(numbers: readonly number[]): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** Returns the median of a peer's rounds; `undefined` if it was not measured. */
export function toValue(samples: Samples, peer: PeerName): number | undefined {
  return toMedian(samples[peer] ?? []);
}

/** Returns how often `base`'s figure goes into `peer`'s; `undefined` if one of them is missing or 0. */
export function toRatio(samples: Samples, peer: PeerName, base: PeerName): number | undefined {
  const [value, divisor] = [toValue(samples, peer), toValue(samples, base)];
  return value === undefined || !divisor ? undefined : value / divisor;
}

/** Returns a number with three significant digits. */
export function toFigure(value: number): string {
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/^(-?\d+)\.0+$/, "$1").replace(/\B(?=(?:\d{3})+$)/g, ",");
}
