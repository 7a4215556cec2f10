/** The user and the conversation behind a `useChat` client's chat id, of any characters. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { readConversations, readMessages } from "../../support/databases/read-rows.ts";
import { ObservedChat } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

describe("the id of a useChat client's chat", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  /** Sends a message in a chat; returns its conversation. */
  async function askIn(id: string | undefined, userId?: string, body: object = {}): Promise<string> {
    model.say("- a\n---RESPONSE---\nHello.");
    const named = { ...(id !== undefined && { id }), ...(userId !== undefined && { userId }) };
    const shown = new ObservedChat(app.url, { ...named, body });
    await shown.chat.sendMessage({ text: "Hi" });
    assert.equal(shown.chat.error, undefined);
    return shown.last.metadata?.conversationId ?? "";
  }

  test("names one conversation of its user, whether the user is in the query or in the body", async () => {
    const [id, one, other] = ["aB3dE6gH9jK2mN5p", randomUUID(), randomUUID()];
    const conversation = await askIn(id, one);
    assert.equal(await askIn(id, undefined, { userId: one }), conversation);
    assert.equal(await askIn(id, one.toUpperCase()), conversation);
    const others = await askIn(id, other);
    const nobodys = await askIn(id);
    assert.equal(await askIn(id), nobodys);
    assert.equal(new Set([conversation, others, nobodys]).size, 3);
    for (const [userId, expected] of [
      [one, conversation],
      [other, others],
    ] as const) {
      const found = await readConversations(app.app.store.database, userId);
      assert.deepEqual(
        found.map(({ id: conversationId, title }) => [conversationId, title]),
        [[expected, "Hi"]],
      );
    }
  });

  test("made by the client itself is never that of another client", async () => {
    const userId = randomUUID();
    assert.notEqual(await askIn(undefined, userId), await askIn(undefined, userId));
  });

  test("that is a UUID is its conversation's, in upper or lower case", async () => {
    const [id, userId] = [randomUUID(), randomUUID()];
    assert.equal(await askIn(id.toUpperCase(), userId), id);
    assert.equal(await askIn(id, userId), id);
    assert.equal((await readMessages(app.app.store.database, id, userId)).length, 4);
  });

  test("that is the UUID of another user's conversation leads to the user's own, which can be stopped", async () => {
    const [id, owner, stranger] = [randomUUID(), randomUUID(), randomUUID()];
    assert.equal(await askIn(id, owner), id);
    const shown = new ObservedChat(app.url, { id, userId: stranger });
    const { call, sending } = await shown.ask(model, "Let me in");
    call.text("- a\n---RESPONSE---\nNo");
    await shown.until(() => shown.text === "No");
    const own = shown.last.metadata?.conversationId ?? "";
    assert.notEqual(own, id);
    assert.equal((await app.post(`/api/chat/${id}/stop?userId=${owner}`, {})).status, 204);
    assert.equal((await app.get(`/api/chat/${id}/stream?userId=${owner}`)).status, 204);
    const following = new ObservedChat(app.url, { id, userId: stranger });
    const resuming = following.chat.resumeStream();
    await following.until(() => following.text === "No");
    assert.equal((await app.post(`/api/chat/${id}/stop?userId=${stranger}`, {})).status, 200);
    await Promise.all([sending, resuming]);
    assert.deepEqual(
      [shown.last.metadata?.outcome, following.last.metadata?.outcome],
      ["stopped", "stopped"],
    );
    assert.equal((await readMessages(app.app.store.database, id, owner)).length, 2);
    assert.deepEqual(
      (await readMessages(app.app.store.database, own, stranger)).map(({ content }) => content),
      ["Let me in", "No"],
    );
    assert.deepEqual(await readMessages(app.app.store.database, id, stranger), []);
  });

  const odd = {
    "a slash and a space": "chat/1 x",
    "what a URL has": "a?b=c&d#e%2Ff+g",
    "dots and slashes": "../../turns",
    "the name of a route": "stream",
    "the name of what every object has": "__proto__",
    "letters of other scripts": "ü 三 🙂 שלום",
    "255 characters": "x".repeat(255),
    "255 characters of three bytes": "三".repeat(255),
    "a space alone": " ",
  };
  for (const [name, id] of Object.entries(odd)) {
    test(`with ${name} is found again to resume and to stop`, async () => {
      const userId = randomUUID();
      const shown = new ObservedChat(app.url, { id, userId });
      const { call, sending } = await shown.ask(model, "Hi");
      call.text("- a\n---RESPONSE---\nSo");
      await shown.until(() => shown.text === "So");
      const following = new ObservedChat(app.url, { id, userId });
      const resuming = following.chat.resumeStream();
      await following.until(() => following.text === "So");
      const stopped = await app.post(`/api/chat/${encodeURIComponent(id)}/stop?userId=${userId}`, {});
      assert.equal(stopped.status, 200);
      await Promise.all([sending, resuming]);
      assert.deepEqual(following.last, shown.last);
      assert.equal(shown.last.metadata?.outcome, "stopped");
      await following.chat.resumeStream();
      assert.equal(following.chat.status, "ready");
    });
  }

  test("longer than 255 characters is refused on every route, in a sentence", async () => {
    const sentence = "id: must be at most 255 characters";
    for (const id of ["x".repeat(256), "三".repeat(256)]) {
      const shown = new ObservedChat(app.url, { id });
      await shown.chat.sendMessage({ text: "Hi" });
      assert.deepEqual([shown.chat.status, shown.chat.error?.message], ["error", sentence]);
      await shown.chat.resumeStream();
      assert.deepEqual([shown.chat.status, shown.chat.error?.message], ["error", sentence]);
      const stopped = await app.post(`/api/chat/${encodeURIComponent(id)}/stop`, {});
      assert.deepEqual([stopped.status, stopped.body], [400, sentence]);
    }
    assert.equal((await app.post(`/api/chat/${"x".repeat(4_000)}/stop`, {})).status, 400);
  });
});
