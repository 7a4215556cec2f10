/**
 * Chats and turns belong to one user: no other can claim their ids first, and abandoned replies do not count.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { EventSource } from "eventsource";
import { z } from "zod";
import { askFor, authorization, codeOf, keyedVariables } from "../../support/apps/keyed-server.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { hastyFetch } from "../../support/clients/hasty-fetch.ts";
import { ObservedChat } from "../../support/clients/ui-chat.ts";
import { useModel, useApp, useDatabase, useStartApp } from "../../support/apps/use-app.ts";
import { startPostgresSite } from "../../faults/database-bench.ts";

describe("data of one user", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresSite);
  const keyed = useApp(model, keyedVariables, { database: harness });
  const open = useApp(model, {}, { database: harness });
  const startApp = useStartApp(model, {}, { database: harness });

  /** Returns the conversation of a user's chat `main`, unless another user has claimed its id. */
  async function findPlace(userId: string): Promise<string> {
    model.say("- a\n---RESPONSE---\nHello.");
    const answer = await askFor(userId, keyed, "POST", "/api/chat", chatOf("Hi"));
    assert.equal(answer.status, 200, answer.body);
    return String(answer.headers["x-conversation-id"]);
  }

  function chatOf(text: string): object {
    return { id: "main", messages: [{ id: text, role: "user", parts: [{ type: "text", text }] }] };
  }

  for (const [how, occupy] of [
    ["made it", (id: string) => ({ path: "/conversations", body: { id } })],
    [
      "said something there",
      (id: string) => ({
        path: "/stream-chat",
        body: { conversationId: id, messages: [{ sender: "user", text: "Mine" }] },
      }),
    ],
  ] as const) {
    test(`a chat stays its user's, even if another user has ${how} under the id derived from the chat's`, async () => {
      const [victim, attacker] = [randomUUID(), randomUUID()];
      const derived = await findPlace(victim);
      assert.equal((await askFor(victim, keyed, "DELETE", `/conversations/${derived}`)).status, 204);
      const { path, body } = occupy(derived);
      assert.ok((await askFor(attacker, keyed, "POST", path, body)).status < 300);
      const own = await findPlace(victim);
      assert.notEqual(own, derived);
      const again = await askFor(victim, keyed, "POST", "/api/chat", chatOf("Go on"));
      assert.equal(again.headers["x-conversation-id"], own);
      const rows = await readMessages(keyed.app.store.database, own, victim);
      assert.deepEqual(
        rows.map(({ content }) => content),
        ["Hi", "Hello.", "Go on", "Hello."],
      );
      assert.deepEqual(await readMessages(keyed.app.store.database, own, attacker), []);
      const next = model.nextCall();
      const opening = keyed.open("POST", `/api/chat?userId=${victim}`, chatOf("More"), { authorization });
      (await next).text("- a\n---RESPONSE---\nSo far");
      const response = await opening;
      const stopped = await askFor(victim, keyed, "POST", "/api/chat/main/stop", {});
      assert.equal(JSON.parse(stopped.body).status, "stopped");
      await readResponse(response);
      const read = await askFor(victim, keyed, "GET", `/conversations/${own}/messages`);
      assert.equal(read.status, 200);
    });
  }

  test("another user's deletion of a conversation with that id does not delete the messages sent meanwhile", async () => {
    const [victim, attacker] = [randomUUID(), randomUUID()];
    const derived = await findPlace(victim);
    await askFor(victim, keyed, "DELETE", `/conversations/${derived}`);
    await harness.sql(
      `update deleted_conversations set user_id = '${attacker}', deleted_at = now() + interval '1 hour' where id = '${derived}'`,
    );
    const place = await findPlace(victim);
    assert.equal((await readMessages(keyed.app.store.database, place, victim)).length, 2);
  });

  test("a user name that is not a UUID is always the same user on OpenAI's wire", async () => {
    const ask = async (user: string, app = keyed): Promise<string> => {
      const body = { model: "scripted", messages: [{ role: "user", content: "Hi" }], user };
      const answer = await app.post("/v1/chat/completions", body, { authorization });
      assert.equal(answer.status, 200, answer.body);
      const [row] = await harness.sql(
        `select user_id from turns where id = '${String(answer.headers["x-turn-id"])}'`,
      );
      return z.object({ user_id: z.guid() }).parse(row).user_id;
    };
    model.say("Hello.");
    const alice = await ask("alice@example.com");
    assert.equal(await ask("alice@example.com"), alice);
    assert.notEqual(await ask("bob"), alice);
    const own = randomUUID();
    assert.equal(await ask(own), own);
    const list = await askFor(alice, keyed, "GET", "/conversations");
    assert.equal(
      z.object({ conversations: z.array(z.unknown()) }).parse(JSON.parse(list.body)).conversations.length,
      2,
    );
  });

  test("a reply that its client regenerates midway is stopped and no longer counts", async () => {
    const app = await startApp({ LIMIT_CONCURRENT_TURNS: "3" });
    const shown = new ObservedChat(app.url, { id: `again ${randomUUID()}`, userId: randomUUID() });
    let { call, sending } = await shown.ask(model, "Q1");
    for (let round = 0; round < 5; round += 1) {
      call.text(`- a\n---RESPONSE---\nA${round}`);
      await shown.until(() => shown.text === `A${round}`);
      await shown.chat.stop();
      await sending;
      const next = model.nextCall();
      sending = shown.chat.regenerate();
      await call.closed;
      call = await next;
    }
    call.text("- a\n---RESPONSE---\nLast").finish();
    await sending;
    assert.deepEqual([shown.chat.error, shown.text], [undefined, "Last"]);
  });

  test("an EventSource retries and gets its turn when the turn is unreadable for now; other clients get 503", async (context) => {
    const { proxy } = harness.harness;
    const app = await startApp();
    const userId = randomUUID();
    model.say("- a\n---RESPONSE---\nHello.");
    const turnId = String((await open.chat("Hi", { userId })).headers["x-turn-id"]);
    proxy.refuse();
    const path = `/turns/${turnId}/stream?userId=${userId}`;
    for (const accept of ["text/plain", "*/*", "text/event-stream, application/problem+json"]) {
      const refused = await app.get(path, { accept });
      assert.deepEqual([refused.status, codeOf(refused)], [503, "store_unavailable"]);
    }
    const asked = await app.get(path, { accept: "text/event-stream", "last-event-id": "3" });
    assert.equal(asked.status, 200);
    assert.match(asked.body, /^retry: \d+\n: store_unavailable: [^\n]+\n\n$/);
    const source = new EventSource(app.url + path, { fetch: hastyFetch });
    context.after(() => source.close());
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    source.addEventListener("turn-end", ({ data }) => resolve(String(data)));
    const { promise: refused, resolve: refuse } = Promise.withResolvers<void>();
    source.addEventListener("error", () => refuse());
    await refused;
    assert.notEqual(source.readyState, source.CLOSED);
    proxy.pass();
    assert.equal(JSON.parse(await ended).outcome, "complete");
  });
});
