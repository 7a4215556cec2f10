/** A user's limits, the tokens that turns take of them, and usage by day. */
import type { AppError } from "../base/errors.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import type { Caller } from "../base/caller.ts";
import type { Usage } from "./turn-event.ts";

/** The limits of a user. */
export const limitNames = ["requests", "concurrent-turns", "tokens-per-day"] as const;
/** One of a user's limits. */
export type LimitName = (typeof limitNames)[number];

/** Limits of a user's turns; `undefined` is unlimited. */
export interface TurnLimits {
  readonly concurrentTurns: number | undefined;
  /** Input and output tokens of the turns that began on one day (UTC). */
  readonly tokensPerDay: number | undefined;
}

/** The limits that a turn counts towards. */
export interface Allowance extends TurnLimits {
  /** The holder of the limits: `user <id>`, or `address <address>` for unauthenticated requests. */
  readonly subject: string;
  /** A limit known to be reached: only an earlier turn under the same key may then be returned. */
  readonly over: LimitName | undefined;
  /** The error for any other turn, if it is known already. */
  readonly refusal?: AppError | undefined;
}

/** Tokens that no model has counted, estimated from the text. */
export type Estimate = Pick<Usage, "inputTokens" | "outputTokens">;

/** The part of a per-minute request window that was granted at once. */
export interface RequestGrant {
  readonly granted: number;
  /** Requests left in the window. */
  readonly left: number;
  /** Milliseconds until the next window. */
  readonly resetsInMs: number;
}

/** Usage of one model by the turns of one day. */
export interface ModelUsage {
  /** ISO 8601, in UTC. */
  readonly day: string;
  readonly model: string;
  readonly turns: number;
  /** Turns whose model did not report usage. */
  readonly estimatedTurns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cachedInputTokens: number;
}

/** Counts shared by all processes. Rejects with a `store_…` code. */
export interface Counters {
  /**
   * Takes up to `wanted` of the subject's `max` requests per minute; the minute starts with its first
   * request.
   */
  takeRequests(subject: string, wanted: number, max: number): Promise<RequestGrant>;
  /** Resolves with the usage of `caller` between two days, both included, newest day first. */
  listUsage(caller: Caller, from: string, to: string): Promise<readonly ModelUsage[]>;
}

/** Bytes of text per token, about. https://platform.openai.com/tokenizer: 4 characters of English. */
const bytesPerToken = 4;
/** Tokens per image, about; servers count from some hundreds to some thousands. */
const tokensPerImage = 1_000;
/** Tokens per message beside its text, about: its role and delimiters. */
const tokensPerMessage = 4;
/** Tokens reserved for a reply whose client sets no maximum. */
const usualOutputTokens = 1_000;

/** Returns the estimated tokens of `bytes` of text, `images` and `messages`. */
export function toTokens(bytes: number, images = 0, messages = 0): number {
  return Math.ceil(bytes / bytesPerToken) + images * tokensPerImage + messages * tokensPerMessage;
}

/**
 * Returns the output tokens reserved for a reply: the largest of `maxTokens`, as models heed one or the
 * other, and at most those of {@link maxReplyBytes}.
 */
export function toReservedOutput(...maxTokens: readonly (number | undefined)[]): number {
  const given = maxTokens.filter((max) => max !== undefined);
  return given.length === 0 ? usualOutputTokens : Math.min(Math.max(...given), toTokens(maxReplyBytes));
}

/** Returns the day (UTC) of `date`, as ISO 8601. */
export function toDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}
