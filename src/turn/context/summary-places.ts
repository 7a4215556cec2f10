/** The places of a chat up to which it is summarised: those where it is cut, or is about to be. */
import type { Message } from "../message.ts";
import { countStart, cutPath, findCutPlaces, minGridBytes, type PathLimits } from "./path-cut.ts";

/** A chat that fills more of its room is likely to be cut soon. */
const dueShare = 0.75;

/** Returns the indexes of messages before which a chat may be cut, up to `last`, the newest first. */
export function listSummaryPlaces(
  messages: readonly Message[],
  gridBytes: number,
  last: number,
): readonly number[] {
  const start = countStart(messages);
  return findCutPlaces(messages, start, Math.max(minGridBytes, gridBytes))
    .filter((place) => place > start && place <= last)
    .toReversed();
}

/**
 * Returns the indexes of the messages before which `messages` are cut, and will be cut next: up to there a
 * summary is needed. Empty while there is much room.
 */
export function findDueSummaries(messages: readonly Message[], limits: PathLimits): readonly number[] {
  const start = countStart(messages);
  const cut = cutPath(messages, limits)?.firstKept ?? start;
  const early =
    cutPath(messages, { ...limits, roomTokens: limits.roomTokens * dueShare })?.firstKept ?? start;
  const places = listSummaryPlaces(messages, limits.gridBytes, messages.length).toReversed();
  const current = places.findLast((place) => place <= cut);
  const next = early > cut ? places.find((place) => place > cut) : undefined;
  return [current, next].filter((place) => place !== undefined);
}
