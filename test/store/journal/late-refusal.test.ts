/**
 * A turn that the database would have refused in time: it becomes a turn of its own user, and is complete.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import { readConversations, readMessages } from "../../support/databases/read-rows.ts";
import { ScriptedModel } from "../../support/model/scripted-model.ts";
import { readResponse, startApp } from "../../support/apps/start-app.ts";
import { listNames, openPostgres } from "../scratch-database.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";

test(
  "a turn that names another user's conversation, reported too late by the database, is stored in a new one of its own user",
  {
    timeout: 60_000,
  },
  async () => {
    const [harness, model] = await Promise.all([startPostgresHarness(), ScriptedModel.start()]);
    const [clock, key] = [new ManualClock(), randomUUID()];
    const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
    const app = await startApp({ ...base, ...harness.variables, AUTH: "keys", API_KEYS: key }, clock);
    const { database } = app.app.store;
    const [lock, watch] = [await openPostgres(harness.server.url), await openPostgres(harness.server.url)];
    try {
      const [owner, stranger] = [randomUUID(), randomUUID()];
      const headers = { authorization: `Bearer ${key}` };
      const say = (text: string): object[] => [{ sender: "user", text }];
      model.say("- Think\n---RESPONSE---\n", "Hello.");
      const first = await app.post("/stream-chat", { messages: say("Mine"), userId: owner }, headers);
      const conversationId = String(first.headers["x-conversation-id"]);
      await lock.apply("begin; lock table turns in access exclusive mode");
      const body = { messages: say("Mine too"), userId: stranger, conversationId };
      const opening = app.open("POST", "/stream-chat", body, headers);
      const waiting = `select pid::text as name from pg_stat_activity
      where wait_event_type = 'Lock' and query like '%chat_begin_turn%'`;
      while ((await listNames(watch, waiting)).length === 0);
      clock.advance(500);
      const answer = await readResponse(await opening);
      assert.deepEqual([answer.status, answer.isComplete], [200, true]);
      await lock.apply("commit");
      const turnId = answer.headers["x-turn-id"];
      const fates = ["queued write stored", "turn not stored: its conversation was deleted"];
      const told = (): string[] =>
        app.logs
          .filter((line) => line.turnId === turnId)
          .flatMap(({ msg }) => (fates.includes(msg) ? [msg] : []));
      await app.logged(() => told().length === 2);
      assert.deepEqual(told(), [fates[0], fates[0]]);
      const [own, ...others] = await readConversations(database, stranger);
      assert.ok(own !== undefined && own.id !== conversationId && others.length === 0);
      const textsOf = async (id: string, userId: string): Promise<unknown[]> =>
        (await readMessages(database, id, userId)).map(({ content }) => content);
      assert.deepEqual(await textsOf(own.id, stranger), ["Mine too", "Hello."]);
      assert.deepEqual(await textsOf(conversationId, owner), ["Mine", "Hello."]);
    } finally {
      await Promise.all([lock.close(), watch.close()]);
      await app.close();
      await model.close();
      await harness.stop();
    }
  },
);
