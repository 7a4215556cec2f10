/** Budgets that a process counts for itself, without a store. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { chatFor, codeOf, keyedVariables } from "../../support/apps/keyed-server.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";

/** A turn reserves 1, and costs 0.5. */
const variables = {
  ...keyedVariables,
  MODEL_PRICES: JSON.stringify({ scripted: { input: 0, output: 1000 } }),
  LIMIT_COST_PER_DAY: "1.25",
};

function answer(call: ScriptedCall): void {
  call.text("- p\n---RESPONSE---\nHello.").event(toChunk({}, "stop"));
  const usage = { prompt_tokens: 5, completion_tokens: 500 };
  call
    .event({ ...toChunk({}), choices: [], usage })
    .raw("data: [DONE]\n\n")
    .end();
}

describe("a budget that a process counts for itself", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const start = useStartApp(model, variables, { database: harness });

  test("holds without a store, and tells the rest", async () => {
    model.script = answer;
    const app = await start({ CHAT_STORE_ENABLED: "false", DATABASE_URL: "" });
    const userId = randomUUID();
    const first = await chatFor(userId, app);
    assert.equal(first.status, 200);
    assert.match(String(first.headers["ratelimit"]), /"cost-per-day";r=250000;t=\d+$/);
    const refused = await chatFor(userId, app);
    assert.deepEqual([refused.status, codeOf(refused)], [429, "budget_exhausted"]);
    assert.equal((await chatFor(randomUUID(), app)).status, 200, "another user has a budget of their own");
  });
});
