/** The prices of the configured models. */
import { findPrice, type Price, type Prices } from "../turn/budget/prices.ts";
import type { ModelSettings } from "./settings.ts";

/** Returns all prices: those of `others`, and those of `models`, which come first. */
export function toModelPrices(models: readonly ModelSettings[], others: Prices): Prices {
  const own = models.flatMap(({ name, openai: { model }, price }) => {
    const found = price ?? findModelPrice({ name, model }, others);
    return found === undefined ? [] : [[name, found] as const];
  });
  return new Map([...others, ...own]);
}

/** Returns the price of a model that has none of its own, by its name or by the one on its server. */
export function findModelPrice(
  { name, model }: { readonly name: string; readonly model: string },
  prices: Prices,
): Price | undefined {
  return findPrice(name, prices) ?? findPrice(model, prices);
}

/** Returns the models that may reply in the place of each. */
export function toFallbacks(models: readonly ModelSettings[]): ReadonlyMap<string, readonly string[]> {
  return new Map(models.map(({ name, fallback }) => [name, fallback]));
}
