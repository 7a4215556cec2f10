/** Costs and reservations that follow from the settings of several models. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { startPglite } from "../../support/databases/store-harness.ts";
import { ConfigError } from "../../../src/config/config.ts";
import { askFor, chatFor, codeOf, keyedVariables } from "../../support/apps/keyed-server.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { useModels } from "../../support/apps/use-models.ts";

const price = { input: 1_000, output: 1_000 };
const Report = z.object({ total: z.looseObject({ turns: z.number(), cost: z.number().nullable() }) });

describe("a model without a price", { timeout: 120_000 }, () => {
  const database = useDatabase(startPglite);
  const { models, start } = useModels(database);
  const { primary, backup } = models;

  /** Starts a turn for which each model reports 7 and 5 tokens; returns its cost, by its row and by usage. */
  async function cost(prices: Parameters<typeof start>[0], failsFirst: boolean): Promise<readonly unknown[]> {
    for (const model of [primary, backup])
      model.script = (call) =>
        call
          .text("- p\n---RESPONSE---\nHello.")
          .event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 } })
          .finish();
    if (failsFirst) primary.script = (call) => call.head(500).end("{}");
    const app = await start(prices);
    const userId = randomUUID();
    const { headers } = await app.chat("Hi", { userId });
    const readTotal = async () =>
      Report.parse(JSON.parse((await app.get(`/usage?userId=${userId}`)).body)).total;
    let total = await readTotal();
    while (total.turns === 0) total = await readTotal(); // a slow database gets the end after the response
    await app.close();
    const [row] = await database.sql(
      `select cost::float from public.turns where id = '${String(headers["x-turn-id"])}'`,
    );
    return [row?.["cost"], total.cost];
  }

  test("costs an unknown amount, whatever its fallback would cost", async () => {
    assert.deepEqual(await cost({ backup: { price }, third: { price } }, false), [null, null]);
    assert.deepEqual(await cost({ backup: { price }, third: { price } }, true), [0.012, 0.012]);
  });

  test("costs an unknown amount as a fallback, whatever the model before it would have cost", async () => {
    assert.deepEqual(await cost({ primary: { price } }, false), [0.012, 0.012]);
    assert.deepEqual(await cost({ primary: { price } }, true), [null, null]);
  });

  test("is refused at start beside a budget, as the model asked for and as a fallback", async () => {
    const budget = { AUTH: "keys", API_KEYS: `web:${"k".repeat(24)}`, LIMIT_COST_PER_DAY: "1" };
    const isRefused = (error: unknown): boolean =>
      error instanceof ConfigError &&
      error.problems.length === 1 &&
      /^LIMIT_COST_PER_DAY needs the price of each model, and has none of (primary|third): add `price` to its entry in MODELS_FILE$/.test(
        error.problems[0] ?? "",
      );
    await assert.rejects(start({ backup: { price }, third: { price } }, budget), isRefused);
    await assert.rejects(start({ primary: { price }, backup: { price } }, budget), isRefused);
  });
});

describe("the reservation of a turn", { timeout: 120_000 }, () => {
  const { start } = useModels();
  const prices = { input: 0, output: 1_000 };

  /** Resolves with the part of a budget of 10 that a turn leaves while it runs: a thousand tokens cost 1. */
  async function reserve(
    primary: object | undefined,
    backup: object | undefined,
    more: object = {},
  ): Promise<number> {
    const variables = { ...keyedVariables, LIMIT_COST_PER_DAY: "10" };
    const toEntry = (defaults: object | undefined) => ({ price: prices, parameters: { defaults } });
    const entries = { primary: toEntry(primary), backup: toEntry(backup), third: { price: prices } };
    const app = await start(
      { ...entries, primary: { ...entries.primary, fallback: backup === undefined ? [] : ["backup"] } },
      variables,
    );
    const userId = randomUUID();
    const messages = [{ role: "user", content: "Hi" }];
    const sent = { model: "primary", messages, user: userId, ...more };
    const { status, headers } = await askFor(userId, app, "POST", "/v1/chat/completions", sent);
    await app.close();
    assert.equal(status, 200);
    const left = Number(/"cost-per-day";r=(\d+)/.exec(String(headers["ratelimit"]))?.[1]);
    return (10_000_000 - left) / 1e6;
  }

  test("has room for the reply that the defaults of its model allow, by either name", async () => {
    assert.equal(await reserve({}, undefined), 1);
    assert.equal(await reserve({ max_tokens: 5_000 }, undefined), 5);
    assert.equal(await reserve({ max_completion_tokens: 500 }, undefined), 0.5);
  });

  test("has room for the bound of its client instead, unless the model is never sent that", async () => {
    assert.equal(await reserve({ max_tokens: 5_000 }, undefined, { max_tokens: 200 }), 0.2);
    assert.equal(await reserve({ max_completion_tokens: 5_000 }, undefined, { max_tokens: 200 }), 0.2);
    assert.equal(
      await reserve({ max_tokens: null, max_completion_tokens: null }, undefined, { max_tokens: 5 }),
      1,
    );
  });

  test("has room for the longest reply of its model and the fallbacks", async () => {
    assert.equal(await reserve({ max_tokens: 200 }, { max_tokens: 3_000 }), 3);
    assert.equal(await reserve({ max_tokens: 200 }, {}), 1);
  });

  test("is refused if the defaults allow a reply that the budget has no room for", async () => {
    const parameters = { defaults: { max_tokens: 5_000 } };
    const app = await start(
      { primary: { price: prices, parameters }, backup: { price: prices }, third: { price: prices } },
      { ...keyedVariables, LIMIT_COST_PER_DAY: "4", LIMIT_TOKENS_PER_DAY: "100000" },
    );
    const refused = await chatFor(randomUUID(), app);
    assert.deepEqual([refused.status, codeOf(refused)], [429, "budget_exhausted"]);
    assert.match(refused.body, /may cost about 5, more than the whole budget/);
  });
});
