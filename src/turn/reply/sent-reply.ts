/** Splits a reply that a client sends back at its first boundary. */
import { boundary, findToken } from "./boundary.ts";
import { findDressing, findPlanEnd } from "./boundary-dressing.ts";
import { BoundaryTail } from "./boundary-tail.ts";

/** The parts of a reply; `plan` is `undefined` for a text without a boundary. */
export interface SentReply {
  readonly plan: string | undefined;
  readonly answer: string;
}

/**
 * Returns the parts of a reply. A text without a boundary is all answer. A boundary in the form that this
 * server writes has no decoration: plan and answer were sent as they are.
 */
export function splitSentReply(text: string): SentReply {
  const place = findToken(text);
  if (place === undefined) return { plan: undefined, answer: text };
  const before = text.slice(0, place.start);
  if (text.startsWith(boundary, place.start - 1))
    return { plan: before.trim(), answer: text.slice(place.end).trimStart() };
  const dressing = findDressing(before, place);
  const rest = new BoundaryTail(dressing).push(text.slice(place.end), true);
  const planEnd = findPlanEnd(dressing, rest?.isFenceClosed === true);
  return { plan: before.slice(0, planEnd).trim(), answer: (rest?.text ?? "").trimStart() };
}
