/** Reads a log from a place on, at its follower's pace. */
import { boundaryBytes, toRest } from "../../turn/body.ts";
import {
  isItem,
  utf8,
  type BodyEvent,
  type ItemEvent,
  type TurnEnd,
  type TurnWaiting,
} from "../../turn/turn-event.ts";
import type { TextPage } from "./text-page.ts";

/** An event between the start and the end of a turn. */
export type LoggedEvent = BodyEvent | ItemEvent;

/** A log, as cursors read it. */
export interface ReadableLog {
  /** The last event; `undefined` until it comes. */
  readonly last: TurnEnd | TurnWaiting | undefined;
  /** The number of the first event that is still kept by itself. */
  readonly recentStart: number;
  /** Returns the event with the number `sequence`, if it is recent; `undefined` before it comes. */
  recentAt(sequence: number): LoggedEvent | undefined;
  /**
   * Returns the first joined event that ends after a place.
   * @throws AppError `store_unavailable` if its text cannot be read back from disk.
   */
  joinedAfter(position: number, ordinal: number): LoggedEvent | undefined;
}

/** A place in a log that only moves forward. */
export class LogCursor {
  readonly #log: ReadableLog;
  /** Number of the next event, if it is known to be recent. */
  #sequence = -1;
  #position: number;
  #ordinal: number;
  /** Whether the place is known to lie between two events of the log as it is now. */
  #isAligned = false;
  #skipBytes = 0;
  #isOver = false;

  constructor(log: ReadableLog, position: number, ordinal: number) {
    this.#log = log;
    this.#position = position;
    this.#ordinal = ordinal;
  }

  /**
   * How many bytes of the event that {@link next} returned last the reader already has: of its first
   * character, or of the boundary.
   */
  get skipBytes(): number {
    return this.#skipBytes;
  }

  /** Returns the next event of body or item, then the last one, once; `undefined` while there is none. */
  next(): LoggedEvent | TurnEnd | TurnWaiting | undefined {
    return this.nextLogged() ?? this.#takeLast();
  }

  /** Returns the next event of body or item; `undefined` while there is none. */
  nextLogged(): LoggedEvent | undefined {
    for (;;) {
      if (this.#sequence < this.#log.recentStart) {
        const joined = this.#log.joinedAfter(this.#position, this.#ordinal);
        if (joined !== undefined) return this.#take(joined, false);
        this.#sequence = this.#log.recentStart;
      }
      const event = this.#log.recentAt(this.#sequence);
      if (event === undefined) return undefined;
      this.#sequence += 1;
      if (isAfter(event, this.#position, this.#ordinal)) return this.#take(event, this.#isAligned);
    }
  }

  #take(event: LoggedEvent, isAligned: boolean): LoggedEvent {
    if (isItem(event)) return this.#takeItem(event);
    const rest = toRest(event, isAligned ? 0 : this.#position - (event.position - toBytes(event)));
    this.#skipBytes = rest.skipBytes;
    this.#isAligned = true;
    this.#position = event.position;
    this.#ordinal = 0;
    return rest.event;
  }

  /** A place in the middle of a character of an item's text counts as before it. */
  #takeItem(event: ItemEvent): ItemEvent {
    const start = "text" in event ? event.ordinal - Buffer.byteLength(event.text) : 0;
    const hasBytes = event.position === this.#position ? this.#ordinal - start : 0;
    this.#skipBytes = 0;
    this.#isAligned = true;
    this.#position = event.position;
    this.#ordinal = event.ordinal;
    return "text" in event && hasBytes > 0 ? { ...event, text: cutText(event.text, hasBytes) } : event;
  }

  #takeLast(): TurnEnd | TurnWaiting | undefined {
    if (this.#isOver || this.#log.last === undefined) return undefined;
    this.#isOver = true;
    this.#skipBytes = 0;
    return this.#log.last;
  }
}

function toBytes(event: BodyEvent): number {
  return event.type === "plan-end" ? boundaryBytes : (event[utf8]?.length ?? Buffer.byteLength(event.text));
}

/** Whether an event, or a page of text, ends after a place. */
export function isAfter(event: LoggedEvent | TextPage, position: number, ordinal: number): boolean {
  if (event.position !== position) return event.position > position;
  return "ordinal" in event && event.ordinal > ordinal;
}

/** Returns `text` without its first `bytes`, from the start of a whole character. */
function cutText(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  let start = bytes;
  while (start > 0 && ((encoded[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return encoded.subarray(start).toString();
}
