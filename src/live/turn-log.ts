/** The log of one turn: its events in order, and the cursors of its followers. */
import { boundaryBytes, toBodyText, toRest } from "../turn/body.ts";
import { pushJoined } from "../turn/items/items.ts";
import {
  isItem,
  isSaved,
  utf8,
  type BodyDelta,
  type BodyEvent,
  type ItemEvent,
  type Place,
  type SavedItem,
  type TurnEnd,
  type TurnEvent,
  type TurnStart,
  type TurnWaiting,
} from "../turn/turn-event.ts";

/**
 * After this many events, or this much text in UTF-16 code units, events are joined, so that a reply costs
 * about its bytes.
 */
const maxRecent = 256;
const maxRecentLength = 64 * 1024;
/** The longest joined text, in UTF-16 code units: a follower that is behind gets one at a time. */
const maxJoinedLength = 16 * 1024;

const encoder = new TextEncoder();

/** An event between the start and the end of a turn. */
export type LoggedEvent = BodyEvent | ItemEvent;

/** An event with text that can be joined with the next one of its kind, and cut. */
type TextEvent = Extract<LoggedEvent, { readonly text: string }>;

/**
 * Returns a piece of the body that is kept in UTF-8: half the size of some strings, and shared by all
 * followers that send it.
 */
function toKept({ type, position }: BodyDelta, text: string): BodyDelta {
  const bytes = Buffer.from(encoder.encode(text).buffer);
  return {
    type,
    get text() {
      return bytes.toString();
    },
    position,
    [utf8]: bytes,
  };
}

/**
 * Appended to by the turn, read by any number of followers, each with its own {@link LogCursor}. A slow
 * follower costs nothing: its unread events are the log itself.
 */
export class TurnLog {
  /** Events before the recent ones; small events of a kind are joined. */
  readonly #joined: LoggedEvent[] = [];
  #recent: LoggedEvent[] = [];
  #recentLength = 0;
  /** The number of events before the first recent one. */
  #recentStart = 0;
  #start: TurnStart | undefined;
  #end: TurnEnd | TurnWaiting | undefined;
  #position = 0;
  #hasItems = false;
  /** The place of the last item that is saved with the turn's progress. */
  #savedPlace: Place | undefined;
  readonly #followers = new Set<() => void>();
  /** Resolves with the title of the conversation; `undefined` unless one is being made, or was. */
  title: Promise<string | undefined> | undefined;

  /** The first event; `undefined` until it comes. */
  get start(): TurnStart | undefined {
    return this.#start;
  }

  /** The last event; `undefined` until it comes. */
  get last(): TurnEnd | TurnWaiting | undefined {
    return this.#end;
  }

  /** The end of the turn; `undefined` until it comes, and while the turn waits for its user. */
  get end(): TurnEnd | undefined {
    return this.#end?.type === "turn-end" ? this.#end : undefined;
  }

  /** Bytes of the plain-text body so far. */
  get position(): number {
    return this.#position;
  }

  /** Whether there was any event beside the text. */
  get hasItems(): boolean {
    return this.#hasItems;
  }

  /** The place of the last item that is saved with the turn's progress; `undefined` if there is none. */
  get savedPlace(): Place | undefined {
    return this.#savedPlace;
  }

  /** Adds an event and tells every follower, in this tick. */
  append(event: TurnEvent): void {
    switch (event.type) {
      case "turn-start":
        this.#start = event;
        break;
      case "turn-end":
      case "turn-waiting":
        this.#end = event;
        break;
      case "plan-delta":
      case "plan-end":
      case "answer-delta":
        this.#push(event);
        this.#position = event.position;
        break;
      case "reasoning-delta":
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
      case "search":
      case "source":
        this.#hasItems = true;
        if (isSaved(event)) this.#savedPlace = event;
        this.#push(event);
    }
    for (const tell of this.#followers) tell();
  }

  /** Calls `tell` after every event from now on; returns a function that ends that. */
  follow(tell: () => void): () => void {
    this.#followers.add(tell);
    return () => void this.#followers.delete(tell);
  }

  /** Resolves once `isIt`, called now and after every event, returns true, or once `givenUp` resolves. */
  async until(isIt: () => boolean, givenUp?: Promise<void>): Promise<void> {
    if (isIt()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const unfollow = this.follow(() => {
      if (isIt()) resolve();
    });
    await (givenUp === undefined ? promise : Promise.race([promise, givenUp]));
    unfollow();
  }

  /** Returns a cursor that starts after the byte `position` of the body, and after `ordinal` there. */
  read(position = 0, ordinal = 0): LogCursor {
    return new LogCursor(this, position, ordinal);
  }

  /** Returns the text after `position`, which must lie between two characters. */
  textAfter(position: number): string {
    const cursor = this.read(position);
    let text = "";
    for (let event = cursor.nextLogged(); event !== undefined; event = cursor.nextLogged()) {
      if (isItem(event)) continue;
      const { skipBytes } = cursor;
      const whole = toBodyText(event);
      text += skipBytes === 0 ? whole : Buffer.from(whole).subarray(skipBytes).toString();
    }
    return text;
  }

  /** Returns the items after `place` that are saved with the turn's progress, consecutive texts joined. */
  itemsAfter(place?: Place): readonly SavedItem[] {
    if (!this.#hasItems) return [];
    const cursor = this.read(place?.position, place?.ordinal);
    const items: SavedItem[] = [];
    for (let event = cursor.nextLogged(); event !== undefined; event = cursor.nextLogged()) {
      if (isItem(event) && isSaved(event)) pushJoined(items, event);
    }
    return items;
  }

  /** The number of the first event that is still kept by itself. */
  get recentStart(): number {
    return this.#recentStart;
  }

  /** Returns the event with the number `sequence`, if it is recent; `undefined` before it comes. */
  recentAt(sequence: number): LoggedEvent | undefined {
    return this.#recent[sequence - this.#recentStart];
  }

  /** Returns the first joined event that ends after a place. */
  joinedAfter(position: number, ordinal: number): LoggedEvent | undefined {
    let [low, high] = [0, this.#joined.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const event = this.#joined[middle];
      if (event !== undefined && isAfter(event, position, ordinal)) high = middle;
      else low = middle + 1;
    }
    return this.#joined[low];
  }

  #push(event: LoggedEvent): void {
    if (this.#recent.length === maxRecent || this.#recentLength > maxRecentLength) this.#join();
    this.#recent.push(event);
    if ("text" in event) this.#recentLength += event.text.length;
  }

  /** Joins the recent events. */
  #join(): void {
    let pieces: string[] = [];
    let length = 0;
    for (const [index, event] of this.#recent.entries()) {
      if (!("text" in event)) {
        this.#joined.push(event);
        continue;
      }
      pieces.push(event.text);
      length += event.text.length;
      if (continues(event, this.#recent[index + 1]) && length < maxJoinedLength) continue;
      const text = pieces.length === 1 ? event.text : pieces.join("");
      this.#joined.push(isItem(event) ? { ...event, text } : toKept(event, text));
      pieces = [];
      length = 0;
    }
    this.#recentStart += this.#recent.length;
    this.#recent = [];
    this.#recentLength = 0;
  }
}

/** A place in a log that only moves forward. */
export class LogCursor {
  readonly #log: TurnLog;
  /** Number of the next event, if it is known to be recent. */
  #sequence = -1;
  #position: number;
  #ordinal: number;
  /** Whether the place is known to lie between two events of the log as it is now. */
  #isAligned = false;
  #skipBytes = 0;
  #isOver = false;

  constructor(log: TurnLog, position: number, ordinal: number) {
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

/** Whether an event ends after a place. */
function isAfter(event: LoggedEvent, position: number, ordinal: number): boolean {
  if (event.position !== position) return event.position > position;
  return isItem(event) && event.ordinal > ordinal;
}

/** Whether `next` is a text of the same kind, at the same place. */
function continues(event: TextEvent, next: LoggedEvent | undefined): boolean {
  if (next?.type !== event.type) return false;
  if (!isItem(event) || !isItem(next)) return true;
  const isSameCall = "callId" in event ? "callId" in next && event.callId === next.callId : true;
  return isSameCall && event.position === next.position;
}

/** Returns `text` without its first `bytes`, from the start of a whole character. */
function cutText(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  let start = bytes;
  while (start > 0 && ((encoded[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return encoded.subarray(start).toString();
}
