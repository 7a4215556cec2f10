/** The tokens of background calls, as they count in usage and budgets. */
import type { Clock } from "../../base/clock.ts";
import type { Money } from "../../base/money.ts";
import type { Pricing } from "../budget/prices.ts";
import type { TokenCounts } from "../turn-event.ts";
import type { BackgroundReply } from "./background-call.ts";

/** The user for whom a model is used, and the API key whose budget counts it, too. */
export interface BackgroundUser {
  readonly userId: string | undefined;
  /** Absent if no key has a budget. */
  readonly keyName?: string | undefined;
}

/** The use of a model outside of turns, such as for a summary. */
export interface BackgroundUsage extends TokenCounts, BackgroundUser {
  readonly model: string;
  /** The cost of the tokens; `undefined` if their price is unknown. */
  readonly cost: Money | undefined;
  /** It counts on this day (UTC). */
  readonly usedAt: Date;
}

/** Adds the use of a model outside of turns to the stored sums. Rejects with a `store_…` code. */
export type CountBackground = (used: BackgroundUsage) => Promise<void>;

/** The dependencies of {@link BackgroundCounter}. */
export interface BackgroundCounterOptions {
  /** `undefined` if no sums are stored. */
  readonly countBackground: CountBackground | undefined;
  /** `undefined` if no model has a price. */
  readonly pricing: Pricing | undefined;
  readonly clock: Clock;
}

/** Counts the tokens of background calls. */
export class BackgroundCounter {
  readonly #options: BackgroundCounterOptions;

  constructor(options: BackgroundCounterOptions) {
    this.#options = options;
  }

  /**
   * Counts `reply`, for which the model `asked` was called. Never rejects: the text is kept even if the
   * store does not take the count.
   */
  async count({ usage, model }: BackgroundReply, user: BackgroundUser, asked: string): Promise<void> {
    const { countBackground, pricing, clock } = this.#options;
    // A model that said nothing has taken nothing, as far as is known.
    if (usage.inputTokens + usage.outputTokens === 0) return;
    const cost = pricing?.toCost(model, asked, usage);
    await countBackground?.({ ...usage, ...user, model, cost, usedAt: clock.now() }).catch(() => {});
  }
}
