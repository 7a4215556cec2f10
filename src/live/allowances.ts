/** Counts the use of limits in this process, for when the store, which counts for all, is unavailable. */
import { AppError } from "../base/errors.ts";
import type { LimitName } from "../turn/limits.ts";
import { toDay, type Clock } from "../base/clock.ts";
import type { TurnBegin, TurnResult } from "../turn/ports.ts";
import { estimateTurn, type TurnRequest } from "../turn/turn-request.ts";

const dayMs = 24 * 60 * 60_000;
/** How many subjects without a running turn are remembered. */
const maxIdle = 10_000;
/** How many of the oldest are searched for one to forget. */
const maxLooks = 16;

/** One subject's share. */
interface Share {
  turns: number;
  reservedTokens: number;
  day: string;
  /** Used on that day. */
  usedTokens: number;
}

/** The facts by which limits are checked. */
export type LimitedTurn = Pick<TurnBegin, "allowance" | "estimate" | "idempotencyKey" | "ifRunning">;

/** The turns of this process, by the subject that they count for. */
export class Allowances {
  readonly #clock: Clock;
  readonly #shares = new Map<string, Share>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the limit that a turn would exceed, as far as this process knows; `undefined` if none. */
  findLimit({ allowance, estimate }: LimitedTurn): LimitName | undefined {
    if (allowance === undefined) return undefined;
    const { over, subject, concurrentTurns, tokensPerDay } = allowance;
    if (over !== undefined) return over;
    const share = this.#shares.get(subject);
    if (concurrentTurns !== undefined && (share?.turns ?? 0) >= concurrentTurns) return "concurrent-turns";
    if (tokensPerDay === undefined) return undefined;
    const used = share?.day === this.#today() ? share.usedTokens : 0;
    const wanted = estimate.inputTokens + estimate.outputTokens;
    return used + (share?.reservedTokens ?? 0) + wanted > tokensPerDay ? "tokens-per-day" : undefined;
  }

  /** A turn is about to begin. */
  begin({ allowance, estimate }: TurnBegin): void {
    if (allowance === undefined) return;
    const share = this.#find(allowance.subject);
    share.turns += 1;
    share.reservedTokens += estimate.inputTokens + estimate.outputTokens;
  }

  /** The turn is over; without a result it never began. */
  end({ allowance, estimate, startedAt }: TurnBegin, result?: TurnResult): void {
    if (allowance === undefined) return;
    const share = this.#find(allowance.subject);
    share.turns -= 1;
    share.reservedTokens -= estimate.inputTokens + estimate.outputTokens;
    if (toDay(startedAt) !== share.day) return; // it counts for the day on which it began
    const taken = result?.usage ?? result?.estimate;
    share.usedTokens += (taken?.inputTokens ?? 0) + (taken?.outputTokens ?? 0);
  }

  /** Returns why a turn may not begin. */
  toError({ allowance, estimate }: LimitedTurn, limit: LimitName, tokensLeft: number | undefined): AppError {
    const words = `${allowance?.subject} has no more ${limit}`;
    switch (limit) {
      case "requests":
        return allowance?.refusal ?? new AppError("rate_limited", words);
      case "concurrent-turns": {
        const quota = allowance?.concurrentTurns ?? 0;
        return new AppError("too_many_turns", words, { limit: { name: limit, quota, windowMs: undefined } });
      }
      case "tokens-per-day": {
        const quota = allowance?.tokensPerDay ?? 0;
        const wanted = estimate.inputTokens + estimate.outputTokens;
        const left = tokensLeft === undefined ? "fewer" : String(tokensLeft);
        return new AppError("quota_exhausted", words, {
          detail: `The turn may take about ${wanted} tokens; ${left} of ${quota} are left today (UTC).`,
          retryAfterMs: dayMs - (this.#clock.now().getTime() % dayMs),
          limit: { name: limit, quota, windowMs: dayMs },
        });
      }
    }
  }

  #find(subject: string): Share {
    const day = this.#today();
    const share = this.#shares.get(subject) ?? { turns: 0, reservedTokens: 0, day, usedTokens: 0 };
    if (share.day !== day) Object.assign(share, { day, usedTokens: 0 });
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

/** Returns the share of the limits that `request` would take. */
export function toLimitedTurn(request: TurnRequest): LimitedTurn {
  const { allowance, idempotencyKey, ifRunning } = request;
  return { allowance, idempotencyKey, ifRunning, estimate: estimateTurn(request) };
}
