/** Owns usage as JSON: what a user's turns took, summed by day and by model. */
import type { ModelUsage } from "./rows.ts";
import { toCost, type Prices } from "./prices.ts";

/** What turns took. Contract: docs/protocol.md. */
export interface UsageSum {
  readonly turns: number;
  /** Of them those whose model did not say what they took; what stands here of them is an estimate. */
  readonly estimatedTurns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cachedInputTokens: number;
  /** `null` where a price is not known. */
  readonly cost: number | null;
}

/** The turns of one day (UTC). */
export interface UsageDay extends UsageSum {
  readonly day: string;
  readonly models: readonly (UsageSum & { readonly model: string })[];
}

/** A user's usage. */
export interface UsageReport {
  /** ISO 8601, both included. */
  readonly from: string;
  readonly to: string;
  /** Those with a turn, the newest first. */
  readonly days: readonly UsageDay[];
  readonly total: UsageSum;
  /** How many tokens the user may take a day; `null` where there is no limit. */
  readonly tokensPerDay: number | null;
  /** How many of them are left today, but for turns that run. */
  readonly tokensLeft: number | null;
}

/** What a report is made of. */
export interface UsageFacts {
  readonly from: string;
  readonly to: string;
  readonly usage: readonly ModelUsage[];
  readonly prices: Prices;
  readonly tokensPerDay: number | undefined;
  /** What was taken today, of that. */
  readonly tokensToday: number;
}

/** Returns the report of `facts`. */
export function toUsageReport(facts: UsageFacts): UsageReport {
  const { from, to, usage, prices, tokensPerDay, tokensToday } = facts;
  const days = Map.groupBy(usage, ({ day }) => day);
  return {
    from,
    to,
    days: Array.from(days, ([day, rows]) => ({
      day,
      ...toSum(rows, prices),
      models: rows.map((row) => ({ model: row.model, ...toSum([row], prices) })),
    })),
    total: toSum(usage, prices),
    tokensPerDay: tokensPerDay ?? null,
    tokensLeft: tokensPerDay === undefined ? null : Math.max(0, tokensPerDay - tokensToday),
  };
}

function toSum(rows: readonly ModelUsage[], prices: Prices): UsageSum {
  const sum = (of: (row: ModelUsage) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const costs = rows.map((row) => toCost(row, prices)).filter((cost) => cost !== undefined);
  const isPriced = prices.size > 0 && costs.length === rows.length;
  return {
    turns: sum(({ turns }) => turns),
    estimatedTurns: sum(({ estimatedTurns }) => estimatedTurns),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    reasoningTokens: sum(({ reasoningTokens }) => reasoningTokens),
    cachedInputTokens: sum(({ cachedInputTokens }) => cachedInputTokens),
    cost: isPriced ? costs.reduce((total, cost) => total + cost, 0) : null,
  };
}
