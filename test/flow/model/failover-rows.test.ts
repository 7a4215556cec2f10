/** The rows of turns that a fallback replied to, on every database, and their followers on other replicas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { ManualClock } from "../../support/manual-clock.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
  type StoreHarness,
} from "../../support/databases/store-harness.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { useModels } from "../../support/apps/use-models.ts";
import type { Script } from "../../support/model/scripted-model.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { eventsOf, typed, useTools } from "../tools/use-tools.ts";

const reply = "- Räk\n---RESPONSE---\nEtt, två, 三, 🙂.";
const attempts = [{ model: "primary", errorCode: "model_unavailable" }];
const State = z.looseObject({ status: z.string(), model: z.string(), attempts: z.unknown() });

function runRowsSuite(name: string, startDatabase: () => Promise<StoreHarness>, hasReplicas: boolean): void {
  describe(`turns of a fallback on ${name}`, { timeout: 120_000 }, () => {
    const database = useDatabase(startDatabase);
    const { models, start } = useModels(database);
    const { primary, backup } = models;
    const fail: Script = (call) => call.head(500).end("{}");

    test("keep who replied, who failed, and the usage of the fallback", async () => {
      primary.script = fail;
      backup.script = (call) =>
        call
          .text(reply)
          .event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 } })
          .finish();
      const userId = randomUUID();
      const app = await start();
      const { headers } = await app.chat("Hi", { userId });
      const turnId = String(headers["x-turn-id"]);
      await app.close();
      const other = await start();
      const state = State.parse(JSON.parse((await other.get(`/turns/${turnId}?userId=${userId}`)).body));
      assert.deepEqual([state.status, state.model, state.attempts], ["complete", "backup", attempts]);
      const events = eventsOf(await other.get(`/turns/${turnId}/stream?userId=${userId}&after=9`, typed));
      const { model, attempts: left } = State.parse({ status: "", ...events.at(-1) });
      assert.deepEqual([model, left], ["backup", attempts]);
      const usage = JSON.parse((await other.get(`/usage?userId=${userId}`)).body);
      assert.match(JSON.stringify(usage), /"model":"backup"/);
      assert.doesNotMatch(JSON.stringify(usage), /"model":"primary"/);
      await other.close();
      const [row] = await database.sql(`select model, attempts from public.turns where id = '${turnId}'`);
      assert.deepEqual(row, {
        model: "backup",
        attempts: [{ model: "primary", error_code: "model_unavailable" }],
      });
    });

    test("have no attempts if the first model replies", async () => {
      const app = await start();
      const { headers } = await app.chat("Hi", { userId: randomUUID() });
      await app.close();
      const [row] = await database.sql(
        `select model, attempts from public.turns where id = '${String(headers["x-turn-id"])}'`,
      );
      assert.deepEqual(row, { model: "primary", attempts: null });
    });

    if (!hasReplicas) return;

    test("are followed from any byte on another replica, with none of the text that was held", async () => {
      const userId = randomUUID();
      const [here, there] = [await start(), await start()];
      const [first, second] = [primary.nextCall(), backup.nextCall()];
      const opening = here.open(
        "POST",
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }], userId },
        typed,
      );
      const call = await first;
      call.text("Well, I think");
      const response = await opening;
      const turnId = String(response.headers["x-turn-id"]);
      await readUntil(response, "turn-start");
      call.cutOff();
      const fallback = await second;
      fallback.text("- Räk\n---RESPONSE---\nEtt");
      await readUntil(response, "Ett");
      const following = there.open("GET", `/turns/${turnId}/stream?userId=${userId}&after=0`);
      fallback.text(", två, 三, 🙂.").finish();
      const whole = "- Räk\n---RESPONSE---\nEtt, två, 三, 🙂.";
      assert.equal((await readResponse(await following)).body, whole);
      await readResponse(response);
      const bytes = Buffer.from(whole);
      for (let after = 0; after < bytes.length; after += 1)
        for (const app of [here, there]) {
          const { body } = await app.get(`/turns/${turnId}/stream?userId=${userId}&after=${after}`);
          assert.equal(body, bytes.subarray(after).toString(), `after ${after}`);
        }
    });
  });
}

runRowsSuite("PGlite", startPglite, false);
runRowsSuite("Postgres", startPostgresHarness, true);
runRowsSuite("PostgREST", startSupabaseHarness, true);

describe("models of two replicas", { timeout: 120_000 }, () => {
  const database = useDatabase(startPostgresHarness);
  const { models, start } = useModels(database);
  const tools = useTools();
  const { primary, backup } = models;

  test("are left alone by the replica that has seen them fail", async () => {
    const clock = new ManualClock();
    const [here, there] = [await start({}, {}, clock), await start({}, {}, clock)];
    primary.script = (call) => call.head(401).end("{}");
    for (const [app, calls] of [
      [here, 1],
      [here, 1],
      [there, 2],
      [there, 2],
    ] as const) {
      assert.equal((await app.chat("Hi")).headers["x-model"], "backup");
      assert.equal(primary.calls.length, calls);
    }
  });

  test("stay the same when a turn goes on elsewhere after its user's approval", async () => {
    const [here, there] = [await start({}, tools.variables), await start({}, tools.variables)];
    primary.script = (call) => call.head(400).end("{}");
    backup.inOrder(
      (call) => call.toolCall("w__act", {}, "c1").finish("tool_calls"),
      (call) => call.text("- p\n---RESPONSE---\nDone.").finish(),
    );
    const userId = randomUUID();
    const response = await here.post(
      "/stream-chat",
      { messages: [{ sender: "user", text: "Do it." }], userId },
      typed,
    );
    const turnId = String(response.headers["x-turn-id"]);
    const [pending] = z
      .array(z.looseObject({ approvalId: z.string() }))
      .parse(eventsOf(response).at(-1)?.["approvals"]);
    const approvals = [{ approvalId: pending?.approvalId, approved: true }];
    await there.post(`/turns/${turnId}/approvals?userId=${userId}`, { approvals });
    const events = eventsOf(await there.get(`/turns/${turnId}/stream?userId=${userId}`, typed));
    const { model, attempts: left } = State.parse({ status: "", ...events.at(-1) });
    assert.deepEqual([model, left], ["backup", [{ model: "primary", errorCode: "model_refused" }]]);
    assert.deepEqual([primary.calls.length, backup.calls.length], [1, 2]);
  });
});
