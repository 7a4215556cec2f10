/** The summaries of one turn's chat: read with its path, or looked up by the digests of a whole history. */
import type { Clock } from "../../base/clock.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { ChatSummaries } from "../../turn/context/chat-summaries.ts";
import { findDueSummaries } from "../../turn/context/summary-places.ts";
import type { PathLimits } from "../../turn/context/path-cut.ts";
import { addressMessages, type Digest } from "../../turn/message-tree.ts";
import type { Message } from "../../turn/message.ts";
import type { SummaryRecords } from "../../turn/records.ts";
import { toChat, type TurnRequest } from "../../turn/turn-request.ts";
import type { KnownSummaries } from "./known-summaries.ts";

/** How long a reply waits for a summary, in milliseconds: it then goes without. */
const maxWaitMs = 300;
/** How many places of cuts are looked up. */
const maxPlaces = 8;

/**
 * A chat is cut at fewer tokens than are read of its path, or a part that is not read would have no summary.
 * Up to a quarter of the characters is left out to read from the same message for many turns.
 */
const maxTokensPerReadChar = 0.75 / 5;

/** The dependencies of {@link TurnSummaries}. */
export interface TurnSummariesOptions {
  readonly records: SummaryRecords;
  readonly known: KnownSummaries;
  readonly clock: Clock;
  /** How much of a stored path is read, in characters. */
  readonly maxReadChars: number;
}

/** The summaries of one turn's chat. */
export class TurnSummaries implements ChatSummaries {
  readonly #options: TurnSummariesOptions;
  readonly #request: TurnRequest;
  /** By the digest of the path up to the cut: the steps of a turn look it up once. */
  readonly #found = new Map<Digest, Promise<string | undefined>>();
  #limits: PathLimits | undefined;

  constructor(request: TurnRequest, options: TurnSummariesOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** The limits by which the chat was cut; `undefined` if the model's window is unknown. */
  get limits(): PathLimits | undefined {
    return this.#limits;
  }

  get maxTokens(): number | undefined {
    const isRead = this.#request.stored?.messages.some(({ rowId }) => rowId !== undefined) === true;
    return isRead ? Math.floor(this.#options.maxReadChars * maxTokensPerReadChar) : undefined;
  }

  /** Whether the chat is cut, or about to be, at a place whose summary is not known. */
  get isDue(): boolean {
    if (this.#limits === undefined) return false;
    const chat = toChat(this.#request);
    const due = findDueSummaries(chat, this.#limits).filter(
      (place) => chat[place - 1]?.summary === undefined,
    );
    if (due.length === 0 || chat.some(({ rowId }) => rowId !== undefined)) return due.length > 0;
    const { caller } = this.#request;
    const digests = this.#toDigests(due.map((place) => chat[place]));
    return digests.some((digest) => this.#options.known.find(caller, digest) === undefined);
  }

  takeLimits(limits: PathLimits): void {
    this.#limits = limits;
  }

  find(
    messages: readonly Message[],
    places: readonly number[],
  ): string | undefined | Promise<string | undefined> {
    const [last] = places;
    if (last === undefined) return undefined;
    const read = messages.slice(0, last).findLast(({ summary }) => summary !== undefined);
    const isStored = messages.some(({ rowId }) => rowId !== undefined);
    if (read !== undefined || isStored) return read?.summary;
    const digests = this.#toDigests(places.slice(0, maxPlaces).map((place) => messages[place]));
    const [first] = digests;
    if (first === undefined) return undefined;
    const { known } = this.#options;
    const { caller } = this.#request;
    // Once the summary that ends at the cut is known, it stays.
    const summary = known.find(caller, first);
    if (summary !== undefined) return summary;
    const found = this.#found.get(first) ?? this.#lookUp(digests);
    this.#found.set(first, found);
    return found;
  }

  /** Returns the digests of the paths that end right before each of `messages`. */
  #toDigests(messages: readonly (Message | undefined)[]): readonly Digest[] {
    const chat = toChat(this.#request);
    const ends = messages.map((message) => (message === undefined ? -1 : chat.indexOf(message)) - 1);
    const path = addressMessages(chat.slice(0, Math.max(0, ...ends.map((end) => end + 1))));
    return ends.map((end) => path[end]?.pathDigest).filter((digest) => digest !== undefined);
  }

  async #lookUp(digests: readonly Digest[]): Promise<string | undefined> {
    const { records, known, clock } = this.#options;
    const { caller } = this.#request;
    const found = await settleWithin(clock, records.find(digests, caller), maxWaitMs);
    if (found.type !== "value") return undefined;
    for (const [digest, text] of found.value) known.add(caller, digest, text);
    return digests.map((digest) => found.value.get(digest)).find((text) => text !== undefined);
  }
}
