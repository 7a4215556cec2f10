/**
 * Adds tokens to the sums of usage that no row of a turn counts: of background calls, and of unkept turns.
 */
import { toDecimal } from "../../base/money.ts";
import type { BackgroundUsage } from "../../turn/background/background-usage.ts";
import type { TurnBegin, TurnResult } from "../../turn/ports.ts";
import { service, type Database } from "../database/database.ts";

/** The database of a user's sums. */
export type UsageDatabase = Pick<Database, "call">;

/** Use besides that of a model's tokens. */
interface TurnUse {
  readonly turns: 0 | 1;
  readonly isEstimate: boolean;
  readonly toolCalls?: number | undefined;
  readonly toolCost?: number | undefined;
}

/**
 * Counts use in its user's sums and budgets, without a row of its own. Databases before schema version 10
 * count neither turns nor tools. Rejects as {@link Database.call} does.
 */
export async function countUsage(
  database: UsageDatabase,
  used: BackgroundUsage,
  { turns, isEstimate, toolCalls, toolCost }: TurnUse = { turns: 0, isEstimate: false },
): Promise<void> {
  const argument = {
    user_id: used.userId,
    key_name: used.keyName,
    model: used.model,
    usage: {
      input_tokens: used.inputTokens,
      output_tokens: used.outputTokens,
      reasoning_tokens: used.reasoningTokens,
      cached_input_tokens: used.cachedInputTokens,
      tool_calls: toolCalls,
      tool_cost: toolCost,
    },
    turns,
    is_estimate: isEstimate,
    cost: used.cost === undefined ? undefined : toDecimal(used.cost),
    counted_at: used.usedAt.toISOString(),
  };
  await database.call("chat_count_usage", argument, service);
}

/** Counts a turn that is not kept; of it, nothing else is stored. Rejects as {@link countUsage} does. */
export async function countTurn(
  database: UsageDatabase,
  { caller, allowance, model, startedAt }: TurnBegin,
  { usage, estimate, cost, ...result }: TurnResult,
): Promise<void> {
  const used = {
    inputTokens: 0,
    outputTokens: 0,
    ...(usage ?? estimate),
    userId: caller.userId,
    keyName: allowance?.key?.name,
    model: result.model ?? model,
    cost,
    usedAt: startedAt,
  };
  const { toolCalls, toolCost } = usage ?? {};
  await countUsage(database, used, { turns: 1, isEstimate: usage === undefined, toolCalls, toolCost });
}
