/** The prices of models' tokens, and the cost of turns by them. */
import { toMoney, type Money } from "../../base/money.ts";
import type { Estimate, ReservedPrice } from "../limits.ts";
import type { Models } from "../ports.ts";
import type { TokenCounts, Usage } from "../turn-event.ts";

/** The price of a million tokens of a model, in the operator's currency. */
export interface Price {
  readonly input: number;
  /** Input from the model's cache; `undefined` for the price of other input. */
  readonly cachedInput?: number | undefined;
  readonly output: number;
  /** Reasoning, which is a part of the output; `undefined` for the price of other output. */
  readonly reasoning?: number | undefined;
}

/** Prices by the name of the model. */
export type Prices = ReadonlyMap<string, Price>;

const million = 1_000_000n;

/** Returns the price of a model. Servers report dated names, like gpt-5-2025-08-07 for gpt-5. */
export function findPrice(model: string, prices: Prices): Price | undefined {
  return prices.get(model) ?? prices.get(model.replace(/-\d{4}-?\d{2}-?\d{2}$/, ""));
}

/** Returns the cost of `tokens`: cached input and reasoning are parts of input and output, and count once. */
export function toCost(tokens: TokenCounts, price: Price): Money {
  const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = tokens;
  const cached = Math.min(cachedInputTokens, inputTokens);
  const reasoning = Math.min(reasoningTokens, outputTokens);
  return (
    multiply(inputTokens - cached, price.input) +
    multiply(cached, price.cachedInput ?? price.input) +
    multiply(outputTokens - reasoning, price.output) +
    multiply(reasoning, price.reasoning ?? price.output)
  );
}

/** Returns the cost of the tokens reserved for a turn; nothing if their price is unknown. */
export function toReservedCost(
  { inputTokens, outputTokens }: Estimate,
  price: ReservedPrice | undefined,
): Money {
  if (price === undefined) return 0n;
  return multiply(inputTokens, price.input) + multiply(outputTokens, price.output);
}

/** A turn that is over. */
interface UsedTurn {
  /** The cost of its tokens, if known. */
  readonly cost?: Money | undefined;
  readonly usage: Usage | undefined;
}

/** Returns the cost of a turn: of its tokens, and of the tools that this server ran. */
export function toUsedCost({ cost = 0n, usage }: UsedTurn): Money {
  return cost + toMoney(usage?.toolCost ?? 0);
}

/** The prices of the configured models. */
export class Pricing {
  readonly #prices: Prices;
  readonly #fallbacks: ReadonlyMap<string, readonly string[]>;

  /** @param fallbacks by each configured model, the models that may reply in its place. */
  constructor(prices: Prices, fallbacks: ReadonlyMap<string, readonly string[]> = new Map()) {
    this.#prices = prices;
    this.#fallbacks = fallbacks;
  }

  /**
   * Returns the highest prices of a turn that asks for `model`, whichever of its fallbacks replies;
   * `undefined` if one of them has no price.
   */
  findReserved(model: string): ReservedPrice | undefined {
    const names = [model, ...(this.#fallbacks.get(model) ?? [])];
    const prices = names.flatMap((name) => findPrice(name, this.#prices) ?? []);
    if (prices.length < names.length) return undefined;
    return {
      input: Math.max(...prices.map(({ input, cachedInput = 0 }) => Math.max(input, cachedInput))),
      output: Math.max(...prices.map(({ output, reasoning = 0 }) => Math.max(output, reasoning))),
    };
  }

  /**
   * Returns the cost of a turn's tokens; `undefined` if no price is known.
   * @param model the model that replied, by the name that is stored. A name that is not configured, for
   * example because a router chose the model, and that has no price, has that of the model `asked` for.
   */
  toCost(model: string | undefined, asked: string, tokens: TokenCounts): Money | undefined {
    if (tokens.inputTokens === 0 && tokens.outputTokens === 0) return 0n;
    const own = model === undefined ? undefined : findPrice(model, this.#prices);
    const isConfigured = model !== undefined && this.#fallbacks.has(model);
    const price = own ?? (isConfigured ? undefined : findPrice(asked, this.#prices));
    return price && toCost(tokens, price);
  }
}

/** The models that turns may use, and their prices. */
export interface PricedModels {
  readonly models: Models;
  /** `undefined` if no model has a price. */
  readonly pricing?: Pricing | undefined;
}

/** A price with at most nine decimals makes this exact. */
function multiply(tokens: number, pricePerMillion: number): Money {
  return (BigInt(tokens) * toMoney(pricePerMillion)) / million;
}
