/** Usage reports: the tokens and costs of a user's turns, summed by day and model. */
import { z } from "zod";
import { Count, schemaOf } from "../http/description/response-schema.ts";
import type { ModelUsage } from "./rows.ts";
import { toCost, type Prices } from "./prices.ts";

/** The sums of turns. Contract: docs/protocol.md. */
export interface UsageSum {
  readonly turns: number;
  /** Turns whose model did not report its usage: their tokens are estimates. */
  readonly estimatedTurns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cachedInputTokens: number;
  /** The cost of the tokens; `null` if a price is unknown. */
  readonly cost: number | null;
  /** Calls of tools that the server ran. */
  readonly toolCalls: number;
  /** Their cost, beside that of the tokens; tools without a price cost nothing. */
  readonly toolCost: number;
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
  /** Days with turns, newest first. */
  readonly days: readonly UsageDay[];
  readonly total: UsageSum;
  /** The user's tokens per day; `null` if unlimited. */
  readonly tokensPerDay: number | null;
  /** The tokens that are left today, without running turns. */
  readonly tokensLeft: number | null;
}

/** The input of a report. */
export interface UsageFacts {
  readonly from: string;
  readonly to: string;
  readonly usage: readonly ModelUsage[];
  readonly prices: Prices;
  readonly tokensPerDay: number | undefined;
  /** The tokens used today. */
  readonly tokensToday: number;
}

/** The schema of {@link UsageReport}. */
export const UsageReportSchema = schemaOf<UsageReport>()("UsageReport", () => {
  const day = z.iso.date();
  const sumFields = {
    turns: Count,
    estimatedTurns: Count.describe("Turns whose model did not report its usage: their tokens are estimates."),
    inputTokens: Count,
    outputTokens: Count,
    reasoningTokens: Count.describe("Part of the output."),
    cachedInputTokens: Count.describe("Part of the input."),
    cost: z
      .number()
      .min(0)
      .nullable()
      .describe("Of the tokens, by `MODEL_PRICES`; null if a price is unknown."),
    toolCalls: Count.describe("Calls of tools that the server ran."),
    toolCost: z
      .number()
      .min(0)
      .describe("Of these calls, beside `cost`; tools without a price cost nothing."),
  };
  return z.object({
    from: day,
    to: day,
    days: z
      .array(z.object({ day, ...sumFields, models: z.array(z.object({ model: z.string(), ...sumFields })) }))
      .describe("Days with turns, newest first."),
    total: z.object(sumFields),
    tokensPerDay: Count.nullable().describe("The user's tokens per day; null if unlimited."),
    tokensLeft: Count.nullable().describe("The tokens that are left today, without running turns."),
  });
});

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
    toolCalls: sum(({ toolCalls }) => toolCalls),
    toolCost: sum(({ toolCost }) => toolCost),
  };
}
