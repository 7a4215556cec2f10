/** Puts titles together: their model, their rows, and the count of their tokens. */
import type { Clock } from "../base/clock.ts";
import type { StoreRows } from "../store/open-store.ts";
import type { Pricing } from "../turn/budget/prices.ts";
import type { Observer } from "../turn/observer.ts";
import type { Model } from "../turn/ports.ts";
import { UsageRows } from "../usage/rows.ts";
import { ConversationTitles } from "./conversation-titles.ts";
import { StoredTitles } from "./title-rows.ts";

/** The dependencies of titles. */
export interface TitlesOptions {
  /** Returns the model that makes them; `undefined` if none does. */
  readonly createModel: (() => Model) | undefined;
  /** `undefined` if nothing is kept. */
  readonly rows: StoreRows | undefined;
  readonly pricing: Pricing | undefined;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Returns titles by a model, to be closed; `undefined` if there is no model for them, or no conversation. */
export function createTitles(options: TitlesOptions): ConversationTitles | undefined {
  const { createModel, rows, pricing, clock, observe } = options;
  if (createModel === undefined || rows === undefined) return undefined;
  const model = createModel();
  const counters = new UsageRows(rows.database);
  const titles = new StoredTitles(rows.database, async ({ userId, keyName }, usage) => {
    const cost = pricing?.toCost(usage.model, model.name, usage);
    await counters.countBackground({ ...usage, userId, keyName, cost, usedAt: clock.now() });
  });
  return new ConversationTitles({ model, rows: titles, clock, observe });
}
