/** Writes the events of a run that its client lacks, each with its id. */
import type { AgUiDelta, AgUiEvent } from "./event.ts";
import { comparePlaces, isAtEnd, toEventId, type EventPlace } from "./event-id.ts";

/** Returns an event as its client gets it; without a place it has no id. */
export function toFrame(event: AgUiEvent, place: EventPlace | undefined): string {
  return `${place === undefined ? "" : `id: ${toEventId(place)}\n`}data: ${JSON.stringify(event)}\n\n`;
}

/** Writes events in the order of their places. */
export class EventWriter {
  /** The client has all up to here; `undefined` once it lacks what comes. */
  #after: EventPlace | undefined;
  #out = "";

  constructor(after: EventPlace | undefined) {
    this.#after = after;
  }

  /** Whether the client lacks all that comes. */
  get isPast(): boolean {
    return this.#after === undefined;
  }

  /** Returns the events since the last call. */
  take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }

  /** Writes the start of a run, which a client that has earlier runs of the turn lacks. */
  start(event: AgUiEvent, place: EventPlace): void {
    this.#out += toFrame(event, place);
  }

  /** Writes an event, unless the client has it. One without a place is always written. */
  send(event: AgUiEvent, place: EventPlace | undefined): void {
    if (place === undefined || !this.#isKnown(place)) this.#out += toFrame(event, place);
  }

  /** Writes a piece of a message that ends at a place, without the start that the client has. */
  sendDelta(type: AgUiDelta["type"], messageId: string, text: string, place: EventPlace): void {
    if (this.#isKnown(place)) return;
    const delta = this.#cut(text, place);
    this.#after = undefined;
    this.send({ type, messageId, delta }, place);
  }

  /** The end comes, which a client may lack though it has more text than was stored. */
  reachEnd(): void {
    if (this.#after !== undefined && !isAtEnd(this.#after)) this.#after = undefined;
  }

  #isKnown(place: EventPlace): boolean {
    return this.#after !== undefined && comparePlaces(place, this.#after) <= 0;
  }

  #cut(text: string, { position, ordinal }: EventPlace): string {
    const after = this.#after;
    if (after === undefined) return text;
    const bytes = Buffer.from(text);
    const start = (ordinal === 0 ? position : ordinal) - bytes.length;
    const has = ordinal === 0 ? after.position : after.position === position ? after.ordinal : 0;
    return has <= start ? text : bytes.subarray(toCharacterStart(bytes, has - start)).toString();
  }
}

/** Returns the start of the character that the byte `index` belongs to. */
function toCharacterStart(bytes: Uint8Array, index: number): number {
  let start = index;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}
