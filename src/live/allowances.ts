/** Counts the use of limits in this process, for when the store, which counts for all, is unavailable. */
import type { AppError } from "../base/errors.ts";
import { toMicros, type Money } from "../base/money.ts";
import { toDay, type Clock } from "../base/clock.ts";
import { toBudget, type Allowance, type BudgetName, type LimitLeft, type LimitName } from "../turn/limits.ts";
import { toReservedCost, toUsedCost, type PricedModels } from "../turn/budget/prices.ts";
import type { TurnBegin, TurnResult } from "../turn/ports.ts";
import { toLimitError, type Limited, type LimitedTurn } from "./limit-error.ts";
import { toReservation, type TurnRequest } from "../turn/turn-request.ts";

/** How many subjects without a running turn are remembered. */
const maxIdle = 10_000;
/** How many of the oldest are searched for one to forget. */
const maxLooks = 16;

/** One subject's share. */
interface Share {
  turns: number;
  day: string;
  /** Of turns that began on that day. */
  reservedTokens: number;
  reservedCost: Money;
  usedTokens: number;
  usedCost: Money;
}

const budgetNames: readonly BudgetName[] = ["cost-per-day", "key-cost-per-day"];

/** The turns of this process, by the subjects that they count for: a user or an address, and an API key. */
export class Allowances {
  readonly #clock: Clock;
  readonly #shares = new Map<string, Share>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the limit that a turn would exceed, as far as this process knows; `undefined` if none. */
  findLimit({ allowance, estimate, price }: LimitedTurn): LimitName | undefined {
    if (allowance === undefined) return undefined;
    const { over, subject, concurrentTurns } = allowance;
    if (over !== undefined) return over;
    const turns = this.#shares.get(subject)?.turns ?? 0;
    if (concurrentTurns !== undefined && turns >= concurrentTurns) return "concurrent-turns";
    const tokensLeft = this.#findTokensLeft(allowance) ?? Infinity;
    if (tokensLeft < estimate.inputTokens + estimate.outputTokens) return "tokens-per-day";
    const cost = toReservedCost(estimate, price);
    return budgetNames.find((name) => (this.#findCostLeft(name, allowance) ?? cost) < cost);
  }

  /** Returns why a turn may not begin. */
  toError(turn: LimitedTurn, limited: Limited): AppError {
    return toLimitError(turn, limited, this.#clock.now());
  }

  /** Returns the rest of the limits per day, as far as this process knows. */
  listLeft(allowance: Allowance): readonly LimitLeft[] {
    const tokens = this.#findTokensLeft(allowance);
    const ofTokens =
      tokens === undefined ? [] : [{ name: "tokens-per-day", left: Math.max(0, tokens) } as const];
    const ofCosts = budgetNames.flatMap((name) => {
      const cost = this.#findCostLeft(name, allowance);
      return cost === undefined ? [] : [{ name, left: Math.max(0, toMicros(cost)) }];
    });
    return [...ofTokens, ...ofCosts];
  }

  /** A turn is about to begin. */
  begin({ allowance, estimate, price, startedAt }: TurnBegin): void {
    for (const subject of toSubjects(allowance)) {
      const share = this.#find(subject);
      share.turns += 1;
      if (toDay(startedAt) !== share.day) continue;
      share.reservedTokens += estimate.inputTokens + estimate.outputTokens;
      share.reservedCost += toReservedCost(estimate, price);
    }
  }

  /** The turn is over; without a result it never began. */
  end({ allowance, estimate, price, startedAt }: TurnBegin, result?: TurnResult): void {
    for (const subject of toSubjects(allowance)) {
      const share = this.#find(subject);
      share.turns -= 1;
      // It counts for the day on which it began.
      if (toDay(startedAt) !== share.day) continue;
      share.reservedTokens -= estimate.inputTokens + estimate.outputTokens;
      share.reservedCost -= toReservedCost(estimate, price);
      if (result === undefined) continue;
      const taken = result.usage ?? result.estimate;
      share.usedTokens += (taken?.inputTokens ?? 0) + (taken?.outputTokens ?? 0);
      share.usedCost += toUsedCost(result);
    }
  }

  #findTokensLeft({ subject, tokensPerDay }: Allowance): number | undefined {
    if (tokensPerDay === undefined) return undefined;
    const { usedTokens, reservedTokens } = this.#look(subject);
    return tokensPerDay - usedTokens - reservedTokens;
  }

  #findCostLeft(name: BudgetName, allowance: Allowance): Money | undefined {
    const budget = toBudget(name, allowance);
    if (budget === undefined) return undefined;
    const [own, ofKey] = toSubjects(allowance);
    const { usedCost, reservedCost } = this.#look((name === "cost-per-day" ? own : ofKey) ?? "");
    return budget - usedCost - reservedCost;
  }

  /** Returns the share of today. */
  #look(subject: string): Readonly<Share> {
    const day = this.#today();
    const share = this.#shares.get(subject);
    return share?.day === day ? share : createShare(day);
  }

  #find(subject: string): Share {
    const day = this.#today();
    const share = this.#shares.get(subject) ?? createShare(day);
    if (share.day !== day) Object.assign(share, { ...createShare(day), turns: share.turns });
    this.#shares.delete(subject);
    this.#shares.set(subject, share);
    if (this.#shares.size > maxIdle) this.#forgetIdle();
    return share;
  }

  #forgetIdle(): void {
    const oldest = this.#shares
      .entries()
      .take(maxLooks)
      .find(([, { turns }]) => turns === 0);
    if (oldest !== undefined) this.#shares.delete(oldest[0]);
  }

  #today(): string {
    return toDay(this.#clock.now());
  }
}

function createShare(day: string): Share {
  return { turns: 0, day, reservedTokens: 0, reservedCost: 0n, usedTokens: 0, usedCost: 0n };
}

/** Returns the holder of the limits, then the API key whose budget counts the turn, if there is one. */
function toSubjects(allowance: Allowance | undefined): readonly string[] {
  if (allowance === undefined) return [];
  const { subject, key } = allowance;
  return key === undefined ? [subject] : [subject, `key ${key.name}`];
}

/** Returns the share of the limits that `request` would take. */
export function toLimitedTurn(request: TurnRequest, models: PricedModels): LimitedTurn {
  const { allowance, idempotencyKey, ifRunning } = request;
  return { allowance, idempotencyKey, ifRunning, ...toReservation(request, models) };
}
