/** A turn that goes on after its wait: its events so far, and its state. */
import { BodyReader, toBody } from "../body.ts";
import type { SentReply } from "../reply-events.ts";
import type { BodyEvent, SavedItem } from "../turn-event.ts";
import { interleave } from "../items/items.ts";
import type { WaitingState } from "./waiting-state.ts";

/** A turn that has waited for its user, and goes on. */
export interface ResumedTurn {
  /** Its body so far. */
  readonly text: string;
  /** Its items so far, the responses to its requests for approval included. */
  readonly items: readonly SavedItem[];
  readonly state: WaitingState;
}

/** Returns the events of a turn so far. */
export function toEvents(text: string, items: readonly SavedItem[]): readonly (BodyEvent | SavedItem)[] {
  return interleave(new BodyReader(), text, items).events;
}

/** Returns the place from which the reply goes on. */
export function toSentReply({ text, items }: ResumedTurn): SentReply {
  const last = items.at(-1);
  const ordinal = last?.position === Buffer.byteLength(text) ? last.ordinal : 0;
  return { body: toBody(text), ordinal };
}
