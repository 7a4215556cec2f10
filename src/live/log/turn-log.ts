/** The log of one turn: its events in order, and the cursors of its followers. */
import { textPageBytes } from "../../base/sizes.ts";
import { toBodyText } from "../../turn/body.ts";
import { pushJoined } from "../../turn/items/items.ts";
import type { TextSpill } from "../../turn/records.ts";
import {
  isItem,
  isSaved,
  type BodyDelta,
  type Place,
  type SavedItem,
  type TurnEnd,
  type TurnEvent,
  type TurnStart,
  type TurnWaiting,
} from "../../turn/turn-event.ts";
import { isAfter, LogCursor, type LoggedEvent, type ReadableLog } from "./log-cursor.ts";
import { TextPage } from "./text-page.ts";

/**
 * After this many events, or this much text in UTF-16 code units, events are joined, so that a reply costs
 * about its bytes.
 */
const maxRecent = 256;
const maxRecentLength = 16 * 1024;
/** The longest joined text, in UTF-16 code units: a follower that is behind gets one at a time. */
const maxJoinedLength = 16 * 1024;

/** An event with text that can be joined with the next one of its kind, and cut. */
type TextEvent = Extract<LoggedEvent, { readonly text: string }>;

/** An event before the recent ones: text of the body is in pages. */
type JoinedEvent = TextPage | Exclude<LoggedEvent, BodyDelta>;

/**
 * Appended to by the turn, read by any number of followers, each with its own {@link LogCursor}. A slow
 * follower costs nothing: its unread events are the log itself. Of a long reply only the newest text is in
 * memory, if there is a place on disk for the rest.
 */
export class TurnLog implements ReadableLog {
  readonly #spill: TextSpill | undefined;
  /** Events before the recent ones; small events of a kind are joined. */
  readonly #joined: JoinedEvent[] = [];
  /** Bytes of the body in them. */
  #joinedBytes = 0;
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

  /** @param spill takes full pages of its text; `undefined` if they stay in memory. */
  constructor(spill?: TextSpill) {
    this.#spill = spill;
  }

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

  /** The bytes of the body's text that are in memory, about. */
  get heldBytes(): number {
    const pages = this.#joined.filter((event) => event instanceof TextPage);
    return pages.reduce((sum, { heldBytes }) => sum + heldBytes, this.#position - this.#joinedBytes);
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
    const found = this.#joined[low];
    return found instanceof TextPage ? found.toEvent() : found;
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
        if (!isItem(event)) this.#joinedBytes = event.position;
        continue;
      }
      pieces.push(event.text);
      length += event.text.length;
      if (continues(event, this.#recent[index + 1]) && length < maxJoinedLength) continue;
      const text = pieces.length === 1 ? event.text : pieces.join("");
      if (isItem(event)) this.#joined.push({ ...event, text });
      else this.#addText(event.type, text);
      pieces = [];
      length = 0;
    }
    this.#recentStart += this.#recent.length;
    this.#recent = [];
    this.#recentLength = 0;
  }

  #addText(type: BodyDelta["type"], text: string): void {
    for (let rest = text; rest !== "";) {
      const page = this.#findOpenPage(type, rest);
      rest = page.add(rest);
      this.#joinedBytes = page.position;
      if (page.isFull && this.#spill !== undefined) void page.spill(this.#spill);
    }
  }

  /** Returns the last event if it is a page that takes more text of this type, else a new page. */
  #findOpenPage(type: BodyDelta["type"], text: string): TextPage {
    const last = this.#joined.at(-1);
    const isPage = last instanceof TextPage && last.type === type;
    if (isPage && !last.isFull) return last;
    // Most replies are short: only a second page is expected to be filled.
    const page = new TextPage(type, this.#joinedBytes, isPage ? textPageBytes : 2 * text.length);
    this.#joined.push(page);
    return page;
  }
}

/** Whether `next` is a text of the same kind, at the same place. */
function continues(event: TextEvent, next: LoggedEvent | undefined): boolean {
  if (next?.type !== event.type) return false;
  if (!isItem(event) || !isItem(next)) return true;
  const isSameCall = "callId" in event ? "callId" in next && event.callId === next.callId : true;
  return isSameCall && event.position === next.position;
}
