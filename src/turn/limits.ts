/** Owns what a user may have of a server, and what turns took of it: limits, estimates, usage by day. */
import type { AppError } from "../base/errors.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import type { Caller } from "../base/caller.ts";
import type { Usage } from "./turn-event.ts";

/** The limits of a user. */
export const limitNames = ["requests", "concurrent-turns", "tokens-per-day"] as const;
/** One of a user's limits. */
export type LimitName = (typeof limitNames)[number];

/** What a user may have of turns; `undefined` is as much as there is. */
export interface TurnLimits {
  readonly concurrentTurns: number | undefined;
  /** Input and output together, of the turns that began on one day (UTC). */
  readonly tokensPerDay: number | undefined;
}

/** What a turn may take of its user's limits. */
export interface Allowance extends TurnLimits {
  /** For whom is counted: `user <id>`, or `address <address>` where nobody is known. */
  readonly subject: string;
  /** The limit that is known to be reached: then only a turn that was begun under its key can be had. */
  readonly over: LimitName | undefined;
  /** What is said then to any other, where that is known. */
  readonly refusal?: AppError | undefined;
}

/** Tokens that nobody has counted: about as many as the text makes. */
export type Estimate = Pick<Usage, "inputTokens" | "outputTokens">;

/** Requests of a minute, for as many as were taken at once. */
export interface RequestGrant {
  readonly granted: number;
  /** How many more may be taken. */
  readonly left: number;
  /** In how many milliseconds the next minute begins. */
  readonly resetsInMs: number;
}

/** What the turns of one day took of one model. */
export interface ModelUsage {
  /** ISO 8601, in UTC. */
  readonly day: string;
  readonly model: string;
  readonly turns: number;
  /** Those whose model did not say what they took. */
  readonly estimatedTurns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cachedInputTokens: number;
}

/** What is counted beyond one process. Rejects with a `store_…` code. */
export interface Counters {
  /** Takes up to `wanted` of the `max` requests that `subject` may make in a minute, which begins with its first. */
  takeRequests(subject: string, wanted: number, max: number): Promise<RequestGrant>;
  /** Resolves with what the turns of `caller` took, from one day to another, both included; the newest day first. */
  listUsage(caller: Caller, from: string, to: string): Promise<readonly ModelUsage[]>;
}

/** Bytes of text that make about one token. https://platform.openai.com/tokenizer: 4 characters of English. */
const bytesPerToken = 4;
/** What an image takes, about; servers count between some hundreds and some thousands. */
const tokensPerImage = 1_000;
/** What a message takes beside its text, about: its role, and that it is one. */
const tokensPerMessage = 4;
/** What is reserved for a reply, where its client says nothing of how long it may be. */
const usualOutputTokens = 1_000;

/** Returns how many tokens a text of so many bytes makes, with so many images and in so many messages, about. */
export function toTokens(bytes: number, images = 0, messages = 0): number {
  return Math.ceil(bytes / bytesPerToken) + images * tokensPerImage + messages * tokensPerMessage;
}

/** Returns what is reserved for a reply whose request allows it `maxTokens`, whichever of them its model heeds; of {@link maxReplyBytes} at most. */
export function toReservedOutput(...maxTokens: readonly (number | undefined)[]): number {
  const given = maxTokens.filter((max) => max !== undefined);
  return given.length === 0 ? usualOutputTokens : Math.min(Math.max(...given), toTokens(maxReplyBytes));
}

/** Returns the day (UTC) of `date`, as ISO 8601. */
export function toDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}
