/**
 * Finds how much of a long chat a model is sent. The places where a chat may be cut depend on the chat alone,
 * so that each turn, on each replica and each wire, finds the same one: prompts start with the same bytes for
 * many turns, and servers keep those in their caches.
 */
import type { Message } from "../message.ts";
import { countMessageBytes, measureMessage, tokensPerImage, type MessageSize } from "./message-size.ts";

/** The smallest grid, in bytes. */
export const minGridBytes = 256;
/** A shorter result is not worth a sentence in its place. */
const minResultTokens = 64;
/** Tokens of the sentence in the place of images, or of a result. */
const sentenceTokens = 16;

/** The part of a chat that is sent. Each number is the index of a message. */
export interface PathCut {
  /** The first message that is sent, besides the system messages at the start. */
  readonly firstKept: number;
  /** Images of earlier messages are left out. */
  readonly firstWithImages: number;
  /** Results of earlier messages' tools are left out. */
  readonly firstWithResults: number;
  /** Whether results of the reply in progress are left out, those of its last step only as far as needed. */
  readonly isReplyPruned: boolean;
  /** Whether even this is estimated to be too long: it is the newest message and its reply so far. */
  readonly isTooLong: boolean;
}

/** The limits of a chat. */
export interface PathLimits {
  /** The estimated tokens that there is room for. */
  readonly roomTokens: number;
  /** The distance between places where a chat may be cut, in bytes. */
  readonly gridBytes: number;
  /** Default: {@link tokensPerImage}. */
  readonly imageTokens?: number | undefined;
}

/** Returns the tokens of `messages` that a result or images, once left out, no longer take. */
function countSaved({ images, fileTokens, resultTokens }: MessageSize, imageTokens: number) {
  const pictures = images * imageTokens + fileTokens;
  return {
    images: pictures === 0 ? 0 : Math.max(0, pictures - sentenceTokens),
    results: resultTokens.reduce((sum, tokens) => sum + toSavedResult(tokens), 0),
  };
}

function toSavedResult(tokens: number): number {
  return tokens < minResultTokens ? 0 : tokens - sentenceTokens;
}

/** Whether a result is long enough to be left out. */
export function isPrunable(tokens: number): boolean {
  return toSavedResult(tokens) > 0;
}

/** The tokens of a chat, as sums over all messages before each one. */
class PathSums {
  readonly #tokens: Float64Array;
  readonly #images: Float64Array;
  readonly #results: Float64Array;

  constructor(messages: readonly Message[], imageTokens: number) {
    const count = messages.length + 1;
    this.#tokens = new Float64Array(count);
    this.#images = new Float64Array(count);
    this.#results = new Float64Array(count);
    for (const [index, message] of messages.entries()) {
      const size = measureMessage(message);
      const saved = countSaved(size, imageTokens);
      const results = size.resultTokens.reduce((sum, tokens) => sum + tokens, 0);
      const tokens = size.textTokens + size.images * imageTokens + size.fileTokens + results;
      this.#tokens[index + 1] = (this.#tokens[index] ?? 0) + tokens;
      this.#images[index + 1] = (this.#images[index] ?? 0) + saved.images;
      this.#results[index + 1] = (this.#results[index] ?? 0) + saved.results;
    }
  }

  /** Returns the tokens of `start` system messages, and of the messages that are sent after them. */
  count(start: number, firstKept: number, firstWithImages: number, firstWithResults: number): number {
    const last = this.#tokens.length - 1;
    return (
      between(this.#tokens, 0, start) +
      between(this.#tokens, firstKept, last) -
      between(this.#images, firstKept, firstWithImages) -
      between(this.#results, firstKept, firstWithResults)
    );
  }
}

function between(sums: Float64Array, from: number, to: number): number {
  return Math.max(0, (sums[to] ?? 0) - (sums[from] ?? 0));
}

/** Returns how many system messages a chat starts with: they are always sent. */
export function countStart(messages: readonly Message[]): number {
  const start = messages.findIndex(({ role }) => role !== "system");
  return start === -1 ? messages.length : start;
}

/**
 * Returns the messages where a chat may be cut: its first one, and the first message of a user at or after
 * each multiple of `gridBytes`, counted from the root of its path.
 */
export function findCutPlaces(
  messages: readonly Message[],
  start: number,
  gridBytes: number,
): readonly number[] {
  const starts = toStarts(messages);
  const places = [start];
  // Whether earlier messages follow a multiple is unknown if they were not read.
  let passed: number | undefined;
  for (const [index, message] of messages.entries()) {
    if (index < start || message.role !== "user") continue;
    const step = Math.floor((starts[index] ?? 0) / gridBytes);
    if (passed !== undefined && step > passed && index > start) places.push(index);
    passed = Math.max(step, passed ?? step);
  }
  return places;
}

/** Returns the bytes of a path before each of its messages; stored ones know theirs. */
function toStarts(messages: readonly Message[]): Float64Array {
  const starts = new Float64Array(messages.length);
  const first = messages.findIndex(({ pathBytes }) => pathBytes !== undefined);
  let start = 0;
  // Rows of the time before paths were counted may come before those that know.
  if (first > 0) {
    start = messages[first]?.pathBytes ?? 0;
    for (const message of messages.slice(0, first)) start -= countMessageBytes(message);
  }
  for (const [index, message] of messages.entries()) {
    start = message.pathBytes ?? start;
    starts[index] = start;
    start += countMessageBytes(message);
  }
  return starts;
}

/**
 * Returns the end of a path that was not read from its root on, from the first place on where it may be cut:
 * otherwise it would start with another message in each turn.
 */
export function alignStart(messages: readonly Message[], gridBytes: number): readonly Message[] {
  if ((messages[0]?.pathBytes ?? 0) === 0) return messages;
  const [, place] = findCutPlaces(messages, 0, Math.max(minGridBytes, gridBytes));
  return place === undefined ? messages : messages.slice(place);
}

/**
 * Returns the part of a chat that fits; `undefined` if all of it does. Images of old messages are left out
 * first, then results of old tool calls, then the messages: always the fewest steps of the grid that suffice.
 */
export function cutPath(messages: readonly Message[], limits: PathLimits): PathCut | undefined {
  const { roomTokens, imageTokens = tokensPerImage } = limits;
  const start = countStart(messages);
  const sums = new PathSums(messages, imageTokens);
  const fits = (kept: number, images: number, results: number): boolean =>
    sums.count(start, kept, Math.max(kept, images), Math.max(kept, results)) <= roomTokens;
  if (fits(start, start, start)) return undefined;
  const places = findCutPlaces(messages, start, Math.max(minGridBytes, limits.gridBytes));
  const old = places.at(-2) ?? start; // at least one step of the grid is kept whole
  for (const place of places)
    if (place <= old && fits(start, place, start)) return toCut(start, place, start);
  for (const place of places) if (place <= old && fits(start, old, place)) return toCut(start, old, place);
  for (const place of places) if (fits(place, old, old)) return toCut(place, old, old);
  return cutClosely(messages, places.at(-1) ?? start, fits);
}

/** The last step of the grid alone is too long: it is cut before any message of a user. */
function cutClosely(
  messages: readonly Message[],
  from: number,
  fits: (kept: number, images: number, results: number) => boolean,
): PathCut {
  const newest = Math.max(
    from,
    messages.findLastIndex(({ role }) => role === "user"),
  );
  for (let index = from; index <= newest; index += 1)
    if ((index === newest || messages[index]?.role === "user") && fits(index, newest, newest))
      return toCut(index, newest, newest);
  const isTooLong = !fits(newest, newest, messages.length);
  return { ...toCut(newest, newest, newest), isReplyPruned: true, isTooLong };
}

function toCut(kept: number, images: number, results: number): PathCut {
  return {
    firstKept: kept,
    firstWithImages: Math.max(kept, images),
    firstWithResults: Math.max(kept, results),
    isReplyPruned: false,
    isTooLong: false,
  };
}
