/** The log of one turn: its events in order, and the cursors of its followers. */
import { boundaryBytes, toBodyText, toRest } from "../turn/body.ts";
import {
  utf8,
  type BodyDelta,
  type BodyEvent,
  type ReasoningDelta,
  type TurnEnd,
  type TurnEvent,
  type TurnStart,
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
  readonly #joined: BodyEvent[] = [];
  #recent: (BodyEvent | ReasoningDelta)[] = [];
  #recentLength = 0;
  /** The number of events before the first recent one. */
  #recentStart = 0;
  #start: TurnStart | undefined;
  #end: TurnEnd | undefined;
  #position = 0;
  #hasReasoning = false;
  readonly #followers = new Set<() => void>();

  /** The first event; `undefined` until it comes. */
  get start(): TurnStart | undefined {
    return this.#start;
  }

  /** The last event; `undefined` until it comes. */
  get end(): TurnEnd | undefined {
    return this.#end;
  }

  /** Bytes of the plain-text body so far. */
  get position(): number {
    return this.#position;
  }

  /** Whether there was any reasoning. */
  get hasReasoning(): boolean {
    return this.#hasReasoning;
  }

  /** Adds an event and tells every follower, in this tick. */
  append(event: TurnEvent): void {
    switch (event.type) {
      case "turn-start":
        this.#start = event;
        break;
      case "turn-end":
        this.#end = event;
        break;
      case "reasoning-delta":
        this.#hasReasoning = true;
        this.#push(event);
        break;
      case "plan-delta":
      case "plan-end":
      case "answer-delta":
        this.#push(event);
        this.#position = event.position;
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

  /**
   * Returns a cursor that starts after the byte `position` of the body. A reader that was here before has the
   * reasoning so far; any other gets the part that is still kept.
   */
  read(position = 0, wasHere = false): LogCursor {
    return new LogCursor(this, position, wasHere ? this.#recentStart + this.#recent.length : 0);
  }

  /** Returns the text after `position`, which must lie between two characters. */
  textAfter(position: number): string {
    const cursor = this.read(position);
    let text = "";
    for (let event = cursor.next(); event !== undefined && event.type !== "turn-end"; event = cursor.next()) {
      if (event.type === "reasoning-delta") continue;
      const { skipBytes } = cursor;
      const whole = toBodyText(event);
      text += skipBytes === 0 ? whole : Buffer.from(whole).subarray(skipBytes).toString();
    }
    return text;
  }

  /** The number of the first event that is still kept by itself. */
  get recentStart(): number {
    return this.#recentStart;
  }

  /** Returns the event with the number `sequence`, if it is recent; `undefined` before it comes. */
  recentAt(sequence: number): BodyEvent | ReasoningDelta | undefined {
    return this.#recent[sequence - this.#recentStart];
  }

  /** Returns the first joined event that ends after `position`. */
  joinedAfter(position: number): BodyEvent | undefined {
    let [low, high] = [0, this.#joined.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#joined[middle]?.position ?? 0) > position) high = middle;
      else low = middle + 1;
    }
    return this.#joined[low];
  }

  #push(event: BodyEvent | ReasoningDelta): void {
    if (this.#recent.length === maxRecent || this.#recentLength > maxRecentLength) this.#join();
    this.#recent.push(event);
    if (event.type === "plan-delta" || event.type === "answer-delta") this.#recentLength += event.text.length;
  }

  /** Joins the recent events and drops their reasoning: a follower that has not read it is too far behind. */
  #join(): void {
    let pieces: string[] = [];
    let length = 0;
    const events = this.#recent.filter((event) => event.type !== "reasoning-delta");
    for (const [index, event] of events.entries()) {
      if (event.type === "plan-end") {
        this.#joined.push(event);
        continue;
      }
      pieces.push(event.text);
      length += event.text.length;
      if (events[index + 1]?.type === event.type && length < maxJoinedLength) continue;
      this.#joined.push(toKept(event, pieces.join("")));
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
  /** Number of the first event whose reasoning the reader lacks. */
  readonly #reasoningFrom: number;
  /** Whether `#position` is known to lie between two events of the log as it is now. */
  #isAligned = false;
  #skipBytes = 0;
  #isOver = false;

  constructor(log: TurnLog, position: number, reasoningFrom: number) {
    this.#log = log;
    this.#position = position;
    this.#reasoningFrom = reasoningFrom;
  }

  /**
   * How many bytes of the event that {@link next} returned last the reader already has: of its first
   * character, or of the boundary.
   */
  get skipBytes(): number {
    return this.#skipBytes;
  }

  /** Returns the next event of body or reasoning, then the end, once; `undefined` while there is none. */
  next(): BodyEvent | ReasoningDelta | TurnEnd | undefined {
    for (;;) {
      if (this.#sequence < this.#log.recentStart) {
        const joined = this.#log.joinedAfter(this.#position);
        if (joined !== undefined) return this.#take(joined, false);
        this.#sequence = this.#log.recentStart;
      }
      const event = this.#log.recentAt(this.#sequence);
      if (event === undefined) return this.#takeEnd();
      this.#sequence += 1;
      if (event.type === "reasoning-delta") {
        if (this.#sequence <= this.#reasoningFrom || event.position < this.#position) continue;
        this.#skipBytes = 0;
        return event;
      }
      if (event.position > this.#position) return this.#take(event, this.#isAligned);
    }
  }

  #take(event: BodyEvent, isAligned: boolean): BodyEvent {
    const rest = toRest(event, isAligned ? 0 : this.#position - (event.position - toBytes(event)));
    this.#skipBytes = rest.skipBytes;
    this.#isAligned = true;
    this.#position = event.position;
    return rest.event;
  }

  #takeEnd(): TurnEnd | undefined {
    if (this.#isOver || this.#log.end === undefined) return undefined;
    this.#isOver = true;
    this.#skipBytes = 0;
    return this.#log.end;
  }
}

function toBytes(event: BodyEvent): number {
  return event.type === "plan-end" ? boundaryBytes : (event[utf8]?.length ?? Buffer.byteLength(event.text));
}
