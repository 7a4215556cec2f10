/** The variables with amounts of money. */
import { z } from "zod";
import { toMoney, type Money } from "../base/money.ts";

/** The highest price of a million tokens, and the highest budget of a day: higher ones are mistakes. */
const maxPrice = 1_000_000_000;
const maxBudget = 100_000_000;

const price = z
  .number("must be a number")
  .min(0, "must be at least 0")
  .max(maxPrice, `must be at most ${maxPrice}`);

const pricesMessage = 'must be JSON like {"gpt-5":{"input":1.25,"cachedInput":0.125,"output":10}}';

const amount = `an amount from 0 to ${maxBudget} like 2.50, with a point and at most six decimals`;

/** The budget of a day, in the currency of the prices; 0 is none. */
export const Budget = z.string().refine(isBudget, `must be ${amount}`).transform(toMoney);

/**
 * The budgets of API keys: of each key that is listed as `name:amount`, and an amount alone for all others.
 */
export const KeyBudgets = z
  .string()
  .transform((value) => value.split(",").map((entry) => entry.trim().split(/ *: */)))
  .refine(
    (entries) => entries.every((parts) => parts.length <= 2 && isBudget(parts.at(-1) ?? "")),
    `must be ${amount}, or a comma-separated list of name:amount`,
  )
  .transform((entries) => entries.map(([name = "", own]) => (own === undefined ? ["", name] : [name, own])))
  .refine(
    (entries) => new Set(entries.map(([name]) => name)).size === entries.length,
    "has two amounts for the same keys",
  )
  .transform((entries): ReadonlyMap<string, Money> => {
    return new Map(entries.map(([name = "", own = ""]) => [name, toMoney(own)]));
  });

function isBudget(text: string): boolean {
  return /^\d{1,9}(?:\.\d{1,6})?$/.test(text) && Number(text) <= maxBudget;
}

/** The price of a million tokens of each model. */
export const ModelPrices = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue("must be JSON");
      return z.NEVER;
    }
  })
  .pipe(
    z.record(
      z.string(),
      z.strictObject(
        { input: price, cachedInput: price.optional(), output: price, reasoning: price.optional() },
        pricesMessage,
      ),
      pricesMessage,
    ),
  )
  .transform((prices) => new Map(Object.entries(prices)));
