/** A `useChat` client whose requests say `store: false`: the reply as ever, and nothing of it is kept. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { loadChat, ObservedChat, textOf } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const plan = "- a\n---RESPONSE---\n";

describe("a useChat client that stores nothing", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const userId = randomUUID();

  const open = (options: ConstructorParameters<typeof ObservedChat>[1] = {}): ObservedChat =>
    new ObservedChat(app.url, { userId, body: { store: false }, ...options });

  test("sends the model its whole chat, and leaves no conversation, no turn and no file", async () => {
    const shown = open();
    await shown.say(model, "Q1", `${plan}A1`);
    assert.deepEqual(await shown.say(model, "Q2", `${plan}A2`), [
      ["user", "Q1"],
      ["assistant", "A1"],
      ["user", "Q2"],
    ]);
    const { turnId, conversationId, storage } = shown.last.metadata ?? {};
    assert.deepEqual([shown.chat.error, storage], [undefined, "none"]);
    assert.deepEqual((await loadChat(app.url, { id: shown.chat.id, userId })).messages, []);
    assert.equal((await app.get(`/conversations/${conversationId}?userId=${userId}`)).status, 404);
    const { conversations } = JSON.parse((await app.get(`/conversations?userId=${userId}`)).body);
    assert.deepEqual(conversations, []);
    const call = await app.app.store.database?.call(
      "chat_read_turn",
      { turn_id: turnId, after: 0 },
      { userId, accessToken: undefined },
    );
    assert.deepEqual(call, { missing: true });
  });

  test("resumes its reply while the server runs it, and stops it", async () => {
    const shown = open();
    const { call, sending } = await shown.ask(model, "Q1");
    call.text(`${plan}He`);
    await shown.until(() => shown.text === "He");
    const second = open({ id: shown.chat.id, messages: shown.chat.messages });
    const resuming = second.chat.resumeStream();
    await second.until(() => second.chat.status === "streaming" && second.text === "He");
    assert.equal((await app.post(`/api/chat/${shown.chat.id}/stop?userId=${userId}`, {})).status, 200);
    await Promise.all([sending, resuming]);
    assert.deepEqual(second.chat.messages.map(textOf), ["Q1", "He"]);
    assert.equal(second.last.metadata?.outcome, "stopped");
  });

  test("leaves a stored chat as it was", async () => {
    const shown = open({ body: {} });
    await shown.say(model, "Q1", `${plan}A1`);
    const before = await loadChat(app.url, { id: shown.chat.id, userId });
    const aside = open({ id: shown.chat.id, messages: shown.chat.messages });
    assert.deepEqual(await aside.say(model, "Aside", `${plan}Yes?`), [
      ["user", "Q1"],
      ["assistant", "A1"],
      ["user", "Aside"],
    ]);
    assert.deepEqual(await loadChat(app.url, { id: shown.chat.id, userId }), before);
  });

  test("is told to send its whole chat if it leaves the history to the server", async () => {
    const message = { id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] };
    const calls = model.calls.length;
    for (const body of [
      { message },
      { messages: [message], parentId: "leaf" },
      { messages: [message], parentId: randomUUID() },
      { trigger: "regenerate-message" },
    ]) {
      const response = await app.post("/api/chat", { id: "chat", store: false, ...body });
      assert.deepEqual(
        [response.status, response.body],
        [400, "store: false needs the whole chat in `messages`: nothing is read from the store"],
      );
    }
    assert.equal((await app.post("/api/chat", { id: "chat", message, store: "no" })).status, 400);
    assert.equal(model.calls.length, calls);
  });
});
