/** Owns what tokens cost. */
import type { ModelUsage } from "./rows.ts";

/** What a million tokens of a model cost, in whatever money the operator counts. */
export interface Price {
  readonly input: number;
  /** Of input that the model had cached; `undefined`: as any input. */
  readonly cachedInput?: number | undefined;
  /** That of reasoning is output too. */
  readonly output: number;
}

/** Prices by the name of the model. */
export type Prices = ReadonlyMap<string, Price>;

const million = 1_000_000;

/** Returns what `usage` cost; `undefined` where its model's price is not known. */
export function toCost(usage: ModelUsage, prices: Prices): number | undefined {
  const { inputTokens, cachedInputTokens, outputTokens } = usage;
  if (inputTokens === 0 && outputTokens === 0) return 0;
  const price = findPrice(usage.model, prices);
  if (price === undefined) return undefined;
  const cached = Math.min(cachedInputTokens, inputTokens);
  const input = (inputTokens - cached) * price.input + cached * (price.cachedInput ?? price.input);
  return (input + outputTokens * price.output) / million;
}

/** A model answers by a dated name, like gpt-5-2025-08-07, though it was asked for as gpt-5. */
function findPrice(model: string, prices: Prices): Price | undefined {
  return prices.get(model) ?? prices.get(model.replace(/-\d{4}-?\d{2}-?\d{2}$/, ""));
}
