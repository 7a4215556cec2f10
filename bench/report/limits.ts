/** The limits of figures, and whether a run keeps them. */
import { counterparts, yardstick, type ForewordPeer } from "../peers/peers.ts";
import { toFigure, toRatio, toValue, type Samples, type Target } from "./row.ts";

/** A limit for Foreword on one store. */
export interface Limit<Figure extends string = string> {
  readonly figure: Figure;
  readonly peer: ForewordPeer;
  readonly bound: "most" | "least";
  readonly value: number;
  /** The peer whose figure `value` multiplies: the yardstick, or the same store in the other checkout. */
  readonly of?: "yardstick" | "against";
}

/** Returns the limits of both stores. */
export function onBoth<Figure extends string>(
  figure: Figure,
  value: number,
  of?: Limit["of"],
): readonly Limit<Figure>[] {
  const limit = { figure, bound: "most", value, ...(of !== undefined && { of }) } as const;
  return [
    { ...limit, peer: "foreword" },
    { ...limit, peer: "foreword-postgres" },
  ];
}

/** Returns the targets of a figure; none for peers that were not measured. */
export function toTargets(limits: readonly Limit[], figure: string, samples: Samples): readonly Target[] {
  return limits.filter((limit) => limit.figure === figure).flatMap((limit) => toTarget(limit, samples));
}

function toTarget({ peer, bound, value, of }: Limit, samples: Samples): readonly Target[] {
  const base = of === "against" ? counterparts[peer] : yardstick;
  const held = of === undefined ? toValue(samples, peer) : toRatio(samples, peer, base);
  if (held === undefined) return [];
  const [sign, isMet] = bound === "most" ? ["≤", held <= value] : ["≥", held >= value];
  const times = of === undefined ? toFigure(value) : `${value} × ${base}`;
  return [{ text: `${peer} ${sign} ${times}`, isMet }];
}
