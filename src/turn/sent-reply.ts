/** A reply that is sent back with its plan, split at its first boundary. */
import { findToken } from "./boundary.ts";
import { findDressing, findPlanEnd } from "./boundary-dressing.ts";
import { BoundaryTail } from "./boundary-tail.ts";

/** The parts of a reply; `plan` is `undefined` for a text without a boundary. */
export interface SentReply {
  readonly plan: string | undefined;
  readonly answer: string;
}

/** Returns the parts of a reply. The answer of a text without a boundary is the text as it is. */
export function splitSentReply(text: string): SentReply {
  const place = findToken(text);
  if (place === undefined) return { plan: undefined, answer: text };
  const before = text.slice(0, place.start);
  const dressing = findDressing(before, place);
  const rest = new BoundaryTail(dressing).push(text.slice(place.end), true);
  const planEnd = findPlanEnd(dressing, rest?.isFenceClosed === true);
  return { plan: before.slice(0, planEnd).trim(), answer: (rest?.text ?? "").trimStart() };
}
