/** The error for a turn over a limit. */
import { AppError } from "../base/errors.ts";
import { fromMicros, toShownMoney } from "../base/money.ts";
import { dayMs, toBudget, toDailyLimit } from "../turn/limits.ts";
import { toReservedCost } from "../turn/budget/prices.ts";
import type { BeginResult, TurnBegin } from "../turn/ports.ts";

/** The facts by which limits are checked. */
export type LimitedTurn = Pick<
  TurnBegin,
  "allowance" | "estimate" | "price" | "idempotencyKey" | "ifRunning"
>;

/** The limit that a turn has reached. */
export type Limited = BeginResult & { readonly type: "limited" };

/** Returns why a turn may not begin. @param now the time, from which the rest of the day follows. */
export function toLimitError(turn: LimitedTurn, limited: Limited, now: Date): AppError {
  const { allowance } = turn;
  const words = `${allowance?.subject} has no more ${limited.limit}`;
  switch (limited.limit) {
    case "requests":
      return allowance?.refusal ?? new AppError("rate_limited", words);
    case "concurrent-turns": {
      const limit = { name: limited.limit, quota: allowance?.concurrentTurns ?? 0, windowMs: undefined };
      return new AppError("too_many_turns", words, { limit });
    }
    case "tokens-per-day":
    case "cost-per-day":
    case "key-cost-per-day": {
      const isOfTokens = limited.limit === "tokens-per-day";
      return new AppError(isOfTokens ? "quota_exhausted" : "budget_exhausted", words, {
        detail: isOfTokens ? toTokenWords(turn, limited) : toCostWords(turn, limited),
        retryAfterMs: dayMs - (now.getTime() % dayMs),
        limit: allowance && toDailyLimit(limited.limit, allowance),
      });
    }
  }
}

function toTokenWords({ allowance, estimate }: LimitedTurn, { tokensLeft }: Limited): string {
  const wanted = estimate.inputTokens + estimate.outputTokens;
  const left = tokensLeft === undefined ? "fewer" : String(tokensLeft);
  return `The turn may take about ${wanted} tokens; ${left} of ${allowance?.tokensPerDay ?? 0} are left today (UTC).`;
}

function toCostWords({ allowance, estimate, price }: LimitedTurn, { limit, microsLeft }: Limited): string {
  const wanted = toShownMoney(toReservedCost(estimate, price), true);
  const left = microsLeft === undefined ? "too little" : toShownMoney(fromMicros(microsLeft));
  const isOfKey = limit === "key-cost-per-day";
  const budget = (allowance && toBudget(isOfKey ? limit : "cost-per-day", allowance)) ?? 0n;
  const whole = toShownMoney(budget);
  if (toReservedCost(estimate, price) > budget)
    return `The turn may cost about ${wanted}, more than the whole budget${isOfKey ? " of the API key" : ""} of a day, ${whole}; ask for fewer tokens (max_tokens), or for a cheaper model.`;
  const holder = isOfKey ? " of the API key" : "";
  return `The turn may cost about ${wanted}; ${left} of the budget${holder}, ${whole}, is left today (UTC).`;
}
