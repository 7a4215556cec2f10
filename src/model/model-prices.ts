/** The prices of the configured models. */
import { findPrice, type Prices } from "../turn/budget/prices.ts";
import type { ModelSettings } from "./settings.ts";

/** Returns all prices: those of `others`, and those of `models`, which come first. */
export function toModelPrices(models: readonly ModelSettings[], others: Prices): Prices {
  const own = models.flatMap(({ name, openai, price }) => {
    const found = price ?? findPrice(name, others) ?? findPrice(openai.model, others);
    return found === undefined ? [] : [[name, found] as const];
  });
  return new Map([...others, ...own]);
}

/** Returns the models that may reply in the place of each. */
export function toFallbacks(models: readonly ModelSettings[]): ReadonlyMap<string, readonly string[]> {
  return new Map(models.map(({ name, fallback }) => [name, fallback]));
}
