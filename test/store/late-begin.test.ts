/** Owns what a client is told of a turn whose first write is late: nothing that turns out to be untrue. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client } from "pg";
import { ManualClock } from "../support/manual-clock.ts";
import { readMessages } from "../support/read-rows.ts";
import { ScriptedModel } from "../support/scripted-model.ts";
import { readAnswer, startApp } from "../support/start-app.ts";
import { startPostgresHarness } from "./store-harness.ts";

describe("a turn whose begin takes more than 500 ms", () => {
  test("names no conversation where it may continue a stored one, and is stored there once the store answers", async () => {
    const harness = await startPostgresHarness();
    const model = await ScriptedModel.start();
    const clock = new ManualClock();
    const variables = {
      CHAT_STORE_ENABLED: "true",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      ...harness.variables,
    };
    const app = await startApp(variables, clock);
    const lock = new Client({ connectionString: harness.server.url });
    try {
      const userId = randomUUID();
      const first = await app.chat("Hi", { userId });
      const conversationId = String(first.headers["x-conversation-id"]);
      await lock.connect();
      await lock.query("begin");
      await lock.query("select from conversations for update");
      const messages = [
        { sender: "user", text: "Hi" },
        { sender: "bot", text: first.body },
        { sender: "user", text: "And?" },
      ];
      const next = model.nextCall();
      const opening = app.open("POST", "/stream-chat", { messages, userId });
      const call = await next; // the begin is on its way, too
      clock.advance(500);
      call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
      const answer = await opening;
      assert.equal(answer.headers["x-conversation-id"], undefined);
      assert.ok(answer.headers["x-turn-id"] !== undefined);
      await lock.query("commit");
      assert.ok((await readAnswer(answer)).isComplete);
      const landed = (): number =>
        app.logs.filter(
          ({ msg, turnId }) =>
            msg === "a write that waited is in the store" && turnId === answer.headers["x-turn-id"],
        ).length;
      await app.logged(() => landed() === 2);
      const rows = await readMessages(app.app.store.database, conversationId, userId);
      assert.deepEqual(
        rows.map(({ content }) => content),
        ["Hi", "Hello.", "And?", "Hello."],
      );
    } finally {
      await lock.end();
      await app.close();
      await model.close();
      await harness.stop();
    }
  });
});
