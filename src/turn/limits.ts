/** A user's limits, and the tokens that turns take of them. */
import type { AppError } from "../base/errors.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import { tokensPerImage, tokensPerMessage } from "./context/message-size.ts";
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

/** Bytes of text per token, about. https://platform.openai.com/tokenizer: 4 characters of English. */
const bytesPerToken = 4;
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
