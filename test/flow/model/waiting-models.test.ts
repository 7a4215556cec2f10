/** Turns that wait for their users while the models of their server change. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useDatabase, useStartApp } from "../../support/apps/use-app.ts";
import { useModels } from "../../support/apps/use-models.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { eventsOf, typed, useTools, type TypedEvent } from "../tools/use-tools.ts";

describe("a turn that waits while the file of models changes", { timeout: 120_000 }, () => {
  const database = useDatabase(startPostgresHarness);
  const tools = useTools();
  const { models, start } = useModels(database);
  const startAlone = useStartApp(models.backup, {}, { database });
  const { primary, backup, third } = models;
  const alone = { primary: { fallback: [] }, backup: { fallback: [] } };

  /** Starts a turn of `backup`, whose call waits for an approval. */
  async function wait(app: RunningApp) {
    backup.inOrder(
      (call) => call.toolCall("w__act", {}, "c1").finish("tool_calls"),
      (call) => call.text("- p\n---RESPONSE---\nDone.").finish(),
    );
    const userId = randomUUID();
    const body = { messages: [{ sender: "user", text: "Do it." }], userId, model: "backup" };
    const response = await app.post("/stream-chat", body, typed);
    const [pending] = z
      .array(z.looseObject({ approvalId: z.string() }))
      .parse(eventsOf(response).at(-1)?.["approvals"]);
    const turn = `/turns/${String(response.headers["x-turn-id"])}`;
    const approvals = [{ approvalId: pending?.approvalId, approved: true }];
    return {
      turnId: String(response.headers["x-turn-id"]),
      approve: async (other: RunningApp) =>
        await other.post(`${turn}/approvals?userId=${userId}`, { approvals }),
      stop: async (other: RunningApp) => await other.post(`${turn}/stop?userId=${userId}`, {}),
      follow: async (other: RunningApp) =>
        eventsOf(await other.get(`${turn}/stream?userId=${userId}`, typed)),
    };
  }

  test("fails if its model is gone: no other is sent its chat, and the approved call is not run", async () => {
    const here = await start(alone, tools.variables);
    const turn = await wait(here);
    const there = await start({ ...alone, backup: { name: "new" } }, tools.variables);
    assert.equal((await turn.approve(there)).status, 200);
    assert.deepEqual(findFailure(await turn.follow(there)), ["failed", "model_not_found"]);
    assert.equal(tools.server.callCount, 0);
    assert.deepEqual([primary.calls.length, backup.calls.length, third.calls.length], [0, 1, 0]);
    const [row] = await database.sql(
      `select status, error_code, model from public.turns where id = '${turn.turnId}'`,
    );
    assert.deepEqual(row, { status: "failed", error_code: "model_not_found", model: "backup" });
  });

  test("fails in the same way when its time is up", async () => {
    const here = await start(alone, tools.variables);
    const turn = await wait(here);
    await here.close();
    await database.sql(
      `update turn_waits set expires_at = now() - interval '1 second' where turn_id = '${turn.turnId}'`,
    );
    const there = await start({ ...alone, backup: { name: "new" } }, tools.variables);
    let events = await turn.follow(there);
    // It waits until a process takes it over.
    while (events.at(-1)?.type === "turn-waiting") events = await turn.follow(there);
    assert.deepEqual(findFailure(events), ["failed", "model_not_found"]);
    assert.deepEqual([primary.calls.length, third.calls.length], [0, 0]);
  });

  test("can still be stopped if its model is gone", async () => {
    const turn = await wait(await start(alone, tools.variables));
    const there = await start({ ...alone, backup: { name: "new" } }, tools.variables);
    const stopped = await turn.stop(there);
    assert.equal(JSON.parse(stopped.body).status, "stopped");
  });

  test("goes on with its model wherever that stands in the file, with new fallbacks", async () => {
    const turn = await wait(await start({ ...alone, backup: { fallback: ["third"] } }, tools.variables));
    const there = await start(alone, tools.variables);
    await turn.approve(there);
    assert.equal((await turn.follow(there)).at(-1)?.["model"], "backup");
    assert.deepEqual([primary.calls.length, backup.calls.length], [0, 2]);
  });

  test("goes on with the single model of the environment, whatever that was called", async () => {
    const turn = await wait(await start(alone, tools.variables));
    const there = await startAlone({ ...tools.variables, OPENAI_MODEL: "another" });
    await turn.approve(there);
    assert.equal((await turn.follow(there)).at(-1)?.["outcome"], "complete");
    assert.equal(backup.calls.at(-1)?.body.model, "another");
  });
});

function findFailure(events: readonly TypedEvent[]): readonly unknown[] {
  const error = events.find(({ type }) => type === "turn-error");
  return [events.at(-1)?.["outcome"], error?.["code"]];
}
