/** Usage reports: the tokens and costs of a user's turns, summed by day and model. */
import { z } from "zod";
import { toDecimal, toMoney, type Money } from "../base/money.ts";
import { Count, schemaOf } from "../http/description/response-schema.ts";
import type { ModelUsage } from "./rows.ts";
import { findPrice, toCost, type Prices } from "../turn/budget/prices.ts";

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
  /** The user's budget per day; `null` if unlimited. */
  readonly costPerDay: number | null;
  /** The rest of it today, without running turns. */
  readonly costLeft: number | null;
  /** The budget of the API key that sent the request; `null` if unlimited. */
  readonly keyCostPerDay: number | null;
  /** The rest of it today, less the reservations of running turns; `null` if unknown, too. */
  readonly keyCostLeft: number | null;
}

/** The input of a report. */
export interface UsageFacts {
  readonly from: string;
  readonly to: string;
  readonly usage: readonly ModelUsage[];
  readonly prices: Prices;
  readonly tokensPerDay: number | undefined;
  readonly costPerDay: Money | undefined;
  readonly keyCostPerDay: Money | undefined;
  /** The cost that counts in the key's budget today; `undefined` if unknown. */
  readonly keyCost: Money | undefined;
  /** The usage of today. */
  readonly today: readonly ModelUsage[];
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
      .describe("Of the tokens, at the prices of their time; null if a price is unknown."),
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
    costPerDay: z.number().min(0).nullable().describe("The user's budget per day; null if unlimited."),
    costLeft: z.number().min(0).nullable().describe("The budget that is left today, without running turns."),
    keyCostPerDay: z
      .number()
      .min(0)
      .nullable()
      .describe("The budget per day of the API key that sent the request; null if unlimited."),
    keyCostLeft: z
      .number()
      .min(0)
      .nullable()
      .describe("The key's budget that is left today, less the reservations of running turns."),
  });
});

/** Returns the report of `facts`. */
export function toUsageReport(facts: UsageFacts): UsageReport {
  const { from, to, usage, prices, tokensPerDay, costPerDay, keyCostPerDay, keyCost, today } = facts;
  const tokensToday = today.reduce(
    (sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens,
    0,
  );
  // As the budget counts: tokens whose cost is not stored were used before there was one.
  const costToday = addAll(today.map(({ cost, toolCost }) => cost + toMoney(toolCost)));
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
    costPerDay: costPerDay === undefined ? null : toNumber(costPerDay),
    costLeft: toLeft(costPerDay, costToday),
    keyCostPerDay: keyCostPerDay === undefined ? null : toNumber(keyCostPerDay),
    keyCostLeft: toLeft(keyCostPerDay, keyCost),
  };
}

function toLeft(budget: Money | undefined, used: Money | undefined): number | null {
  if (budget === undefined || used === undefined) return null;
  return toNumber(used > budget ? 0n : budget - used);
}

function toSum(rows: readonly ModelUsage[], prices: Prices): UsageSum {
  const sum = (of: (row: ModelUsage) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const costs = rows.map((row) => toRowCost(row, prices)).filter((cost) => cost !== undefined);
  const isPriced =
    costs.length === rows.length && (prices.size > 0 || rows.some(({ pricedTokens }) => pricedTokens > 0));
  return {
    turns: sum(({ turns }) => turns),
    estimatedTurns: sum(({ estimatedTurns }) => estimatedTurns),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    reasoningTokens: sum(({ reasoningTokens }) => reasoningTokens),
    cachedInputTokens: sum(({ cachedInputTokens }) => cachedInputTokens),
    cost: isPriced ? toNumber(addAll(costs)) : null,
    toolCalls: sum(({ toolCalls }) => toolCalls),
    toolCost: toNumber(addAll(rows.map(({ toolCost }) => toMoney(toolCost)))),
  };
}

/**
 * Returns the cost of the tokens in a row, which is stored as far as it was known: the others, of servers
 * before schema version 9 and of models without a price then, have the price of today. `undefined` if there
 * is none.
 */
function toRowCost(row: ModelUsage, prices: Prices): Money | undefined {
  const tokens = row.inputTokens + row.outputTokens;
  const unpriced = tokens - row.pricedTokens;
  if (tokens <= 0 || unpriced <= 0) return row.cost;
  const price = findPrice(row.model, prices);
  // Which tokens of the row are the others is not stored: all count alike.
  return price && row.cost + (toCost(row, price) * BigInt(unpriced)) / BigInt(tokens);
}

function addAll(amounts: readonly Money[]): Money {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}

function toNumber(money: Money): number {
  return Number(toDecimal(money));
}
