/** A user's limits, and the tokens that turns take of them. */
import type { AppError } from "../base/errors.ts";
import { toMicros, type Money } from "../base/money.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import { tokensPerImage, tokensPerMessage } from "./context/message-size.ts";
import type { SpentLimit } from "../base/spent-limit.ts";
import type { Usage } from "./turn-event.ts";

/** The limits of a user. */
export const limitNames = [
  "requests",
  "concurrent-turns",
  "tokens-per-day",
  "cost-per-day",
  "key-cost-per-day",
] as const;
/** One of a user's limits. */
export type LimitName = (typeof limitNames)[number];
/** A limit on the turns that begin on one day (UTC). */
export type DailyLimit = Exclude<LimitName, "requests" | "concurrent-turns">;
/** A limit on the cost of turns. */
export type BudgetName = Exclude<DailyLimit, "tokens-per-day">;

/** Limits of a user's turns; `undefined` is unlimited. */
export interface TurnLimits {
  readonly concurrentTurns: number | undefined;
  /** Input and output tokens of the turns that began on one day (UTC). */
  readonly tokensPerDay: number | undefined;
  /** The cost of the turns that began on one day (UTC). */
  readonly costPerDay?: Money | undefined;
}

/** An API key with a budget. */
export interface KeyBudget {
  readonly name: string;
  /** As {@link TurnLimits.costPerDay}, for all users of the key; `undefined` for a turn that has begun. */
  readonly costPerDay: Money | undefined;
}

/** The rest of a limit per day, without the share of the turn that has it. */
export interface LimitLeft {
  readonly name: DailyLimit;
  /** Tokens, or millionths of the currency; never negative. */
  readonly left: number;
}

/** The limits that a turn counts towards. */
export interface Allowance extends TurnLimits {
  /** The holder of the limits: `user <id>`, or `address <address>` for unauthenticated requests. */
  readonly subject: string;
  /** A limit known to be reached: only an earlier turn under the same key may then be returned. */
  readonly over: LimitName | undefined;
  /** The error for any other turn, if it is known already. */
  readonly refusal?: AppError | undefined;
  /** The API key whose budget the turn counts in, too. */
  readonly key?: KeyBudget | undefined;
}

/** The length of the window of limits per day, in milliseconds. */
export const dayMs = 24 * 60 * 60_000;
/** The unit of budgets in headers: millionths of the currency. */
const moneyUnit = "foreword-micros";

/** Returns a limit per day as clients are told; `undefined` if it does not limit the turn. */
export function toDailyLimit(name: DailyLimit, allowance: Allowance): SpentLimit | undefined {
  if (name === "tokens-per-day") {
    const { tokensPerDay: quota } = allowance;
    return quota === undefined ? undefined : { name, quota, windowMs: dayMs };
  }
  const budget = toBudget(name, allowance);
  if (budget === undefined) return undefined;
  return { name, quota: toMicros(budget), unit: moneyUnit, windowMs: dayMs };
}

/** Returns a budget; `undefined` if it does not limit the turn. */
export function toBudget(name: BudgetName, { costPerDay, key }: Allowance): Money | undefined {
  return name === "cost-per-day" ? costPerDay : key?.costPerDay;
}

/** The highest prices that a turn's tokens can have, for a million of them. */
export interface ReservedPrice {
  readonly input: number;
  readonly output: number;
}

/** Tokens that no model has counted, estimated from the text. */
export type Estimate = Pick<Usage, "inputTokens" | "outputTokens">;

/** Bytes of text per token, about. https://platform.openai.com/tokenizer: 4 characters of English. */
const bytesPerToken = 4;
/** Tokens reserved for a reply without a maximum. */
export const usualOutputTokens = 1_000;

/** Returns the estimated tokens of `bytes` of text, `images` and `messages`. */
export function toTokens(bytes: number, images = 0, messages = 0): number {
  return Math.ceil(bytes / bytesPerToken) + images * tokensPerImage + messages * tokensPerMessage;
}

/** Returns the output tokens reserved for a reply: at most those of {@link maxReplyBytes}. */
export function toReservedOutput(maxTokens: number | undefined): number {
  return Math.min(maxTokens ?? usualOutputTokens, toTokens(maxReplyBytes));
}
