/** The tokens of background calls, as they count in usage and budgets. */
import type { Money } from "../../base/money.ts";
import type { PricedModels } from "../budget/prices.ts";
import type { TokenCounts } from "../turn-event.ts";
import { findModel, type TurnRequest } from "../turn-request.ts";
import type { BackgroundReply } from "./background-call.ts";

/** The use of a model outside of turns, such as for a summary. */
export interface BackgroundUsage extends TokenCounts {
  readonly userId: string | undefined;
  /** The API key whose budget it counts in, too. */
  readonly keyName?: string | undefined;
  readonly model: string;
  /** The cost of the tokens; `undefined` if their price is unknown. */
  readonly cost: Money | undefined;
  /** It counts on this day (UTC). */
  readonly usedAt: Date;
}

/** Counts the use of a model outside of turns. */
export type CountBackground = (used: BackgroundUsage) => Promise<void>;

/** Returns the use of a model by `reply`, a call on behalf of the user of `request`. */
export function toBackgroundUsage(
  { usage, model }: BackgroundReply,
  request: TurnRequest,
  priced: PricedModels,
  usedAt: Date,
): BackgroundUsage {
  const asked = findModel(priced.models, request).name;
  return {
    ...usage,
    userId: request.caller.userId,
    keyName: request.allowance?.key?.name,
    model,
    cost: priced.pricing?.toCost(model, asked, usage),
    usedAt,
  };
}
