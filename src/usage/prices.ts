/** The prices of tokens. */
import type { ModelUsage } from "./rows.ts";

/** The price of a million tokens of a model, in the operator's currency. */
export interface Price {
  readonly input: number;
  /** Input from the model's cache; `undefined` for the price of other input. */
  readonly cachedInput?: number | undefined;
  /** Output, reasoning included. */
  readonly output: number;
}

/** Prices by the name of the model. */
export type Prices = ReadonlyMap<string, Price>;

const million = 1_000_000;

/** Returns the cost of `usage`; `undefined` if the price of its model is unknown. */
export function toCost(usage: ModelUsage, prices: Prices): number | undefined {
  const { inputTokens, cachedInputTokens, outputTokens } = usage;
  if (inputTokens === 0 && outputTokens === 0) return 0;
  const price = findPrice(usage.model, prices);
  if (price === undefined) return undefined;
  const cached = Math.min(cachedInputTokens, inputTokens);
  const input = (inputTokens - cached) * price.input + cached * (price.cachedInput ?? price.input);
  return (input + outputTokens * price.output) / million;
}

/** Models report dated names, like gpt-5-2025-08-07 for gpt-5. */
function findPrice(model: string, prices: Prices): Price | undefined {
  return prices.get(model) ?? prices.get(model.replace(/-\d{4}-?\d{2}-?\d{2}$/, ""));
}
