/** How a `useChat` client ends a reply: `stop()` only disconnects, the stop request ends it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { readMessages, type MessageRow } from "../../support/databases/read-rows.ts";
import { ObservedChat, promptOf, textOf } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

describe("a useChat client that ends a reply", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  let userId: string;
  before(async () => {
    userId = randomUUID();
  });

  /** Stops a reply as a frontend does. */
  async function stop({ chat }: ObservedChat): Promise<Response> {
    const api = `${app.url}/api/chat`;
    return await fetch(`${api}/${encodeURIComponent(chat.id)}/stop?userId=${userId}`, { method: "POST" });
  }

  async function rowsOf(shown: ObservedChat): Promise<MessageRow[]> {
    const conversationId = shown.last.metadata?.conversationId ?? "";
    return await readMessages(app.app.store.database, conversationId, userId);
  }

  const toShort = (rows: readonly MessageRow[]): unknown[] =>
    rows.map(({ content, status }) => [content, status]);

  test("with chat.stop() disconnects: the turn continues without it, and is stored whole", async () => {
    const shown = new ObservedChat(app.url, { userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHe");
    await shown.until(() => shown.text === "He");
    await shown.chat.stop();
    await sending;
    assert.deepEqual([shown.chat.status, shown.chat.error, shown.text], ["ready", undefined, "He"]);
    assert.deepEqual(shown.ends, [{ isAbort: true, isError: false, finishReason: undefined }]);
    call.text("llo.").finish();
    await app.logged((line) => line["turnId"] === shown.last.id);
    const rows = await rowsOf(shown);
    assert.deepEqual(toShort(rows), [
      ["Hi", null],
      ["Hello.", "complete"],
    ]);
    assert.equal(rows[1]?.id, shown.last.id);
    await shown.chat.resumeStream();
    assert.deepEqual(shown.chat.messages.map(textOf), ["Hi", "Hello."]);
  });

  test("with a stop request ends it everywhere: the model is cancelled, the client is ready with the text so far", async () => {
    const shown = new ObservedChat(app.url, { userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo far");
    await shown.until(() => shown.text === "So far");
    const answer = await stop(shown);
    await call.closed;
    await sending;
    assert.equal(answer.status, 200);
    const state: unknown = await answer.json();
    assert.ok(typeof state === "object" && state !== null && "status" in state && "answer" in state);
    assert.deepEqual([state.status, state.answer], ["stopped", "So far"]);
    assert.deepEqual([shown.chat.status, shown.chat.error, shown.text], ["ready", undefined, "So far"]);
    assert.deepEqual(shown.ends, [{ isAbort: false, isError: false, finishReason: "interrupted" }]);
    assert.deepEqual([shown.last.metadata?.outcome, shown.last.metadata?.storage], ["stopped", "stored"]);
    assert.deepEqual(toShort(await rowsOf(shown)), [
      ["Hi", null],
      ["So far", "stopped"],
    ]);
    assert.deepEqual(await shown.say(model, "Go on", "- b\n---RESPONSE---\nNow."), [
      ["user", "Hi"],
      ["assistant", "So far"],
      ["user", "Go on"],
    ]);
    assert.deepEqual(toShort(await rowsOf(shown)), [
      ["Hi", null],
      ["So far", "stopped"],
      ["Go on", null],
      ["Now.", "complete"],
    ]);
  });

  test("before its first text gets an empty reply, which adds no row", async () => {
    const shown = new ObservedChat(app.url, { userId });
    const { call, sending } = await shown.ask(model, "Hi");
    await shown.until(() => shown.chat.messages.length === 2);
    assert.equal((await stop(shown)).status, 200);
    await call.closed;
    await sending;
    assert.deepEqual([shown.chat.status, shown.ends.at(-1)?.finishReason], ["ready", "interrupted"]);
    assert.deepEqual(shown.last.parts, [{ type: "step-start" }]);
    assert.deepEqual(await shown.say(model, "Well?", "- b\n---RESPONSE---\nNow."), [
      ["user", "Hi"],
      ["user", "Well?"],
    ]);
    assert.deepEqual(toShort(await rowsOf(shown)), [
      ["Hi", null],
      ["Well?", null],
      ["Now.", "complete"],
    ]);
  });

  test("may regenerate it: the stopped reply stays beside the new one", async () => {
    const shown = new ObservedChat(app.url, { userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo far");
    await shown.until(() => shown.text === "So far");
    await stop(shown);
    await sending;
    model.say("- b\n---RESPONSE---\nNow.");
    await shown.chat.regenerate();
    assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Hi"]]);
    assert.deepEqual(toShort(await rowsOf(shown)), [
      ["Hi", null],
      ["Now.", "complete"],
    ]);
  });

  test("that has ended, never started, or is another user's, learns that nothing is running", async () => {
    const shown = new ObservedChat(app.url, { userId });
    assert.equal((await stop(shown)).status, 204);
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHe");
    await shown.until(() => shown.text === "He");
    for (const query of ["", `?userId=${randomUUID()}`]) {
      const answer = await app.post(`/api/chat/${shown.chat.id}/stop${query}`, {});
      assert.deepEqual([answer.status, answer.body], [204, ""]);
    }
    call.text("llo.").finish();
    await sending;
    assert.deepEqual([shown.text, shown.last.metadata?.outcome], ["Hello.", "complete"]);
    assert.equal((await stop(shown)).status, 204);
  });

  test("after it has disconnected ends it all the same", async () => {
    const shown = new ObservedChat(app.url, { userId });
    const { call } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo far");
    await shown.until(() => shown.text === "So far");
    await shown.chat.stop();
    assert.equal((await stop(shown)).status, 200);
    await call.closed;
    assert.deepEqual(toShort(await rowsOf(shown)), [
      ["Hi", null],
      ["So far", "stopped"],
    ]);
    assert.equal((await stop(shown)).status, 204);
  });

  test("ends every running reply of the chat, including those it has disconnected from", async () => {
    const shown = new ObservedChat(app.url, { userId });
    const left = await shown.ask(model, "Hi");
    left.call.text("- a\n---RESPONSE---\nOld");
    await shown.until(() => shown.text === "Old");
    await shown.chat.stop();
    const { call, sending } = await shown.ask(model, "Instead");
    call.text("- b\n---RESPONSE---\nNew");
    await shown.until(() => shown.text === "New");
    assert.equal((await stop(shown)).status, 200);
    await call.closed;
    await sending;
    assert.equal(shown.last.metadata?.outcome, "stopped");
    await left.call.closed;
    const oldId = shown.chat.messages[1]?.id;
    const line = await app.logged(({ turnId }) => turnId === oldId);
    assert.equal(line["outcome"], "stopped");
    assert.deepEqual(toShort(await rowsOf(shown)), [
      ["Hi", null],
      ["Old", "stopped"],
      ["Instead", null],
      ["New", "stopped"],
    ]);
  });
});

describe("a useChat client of a server with ON_DISCONNECT=abort", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { ON_DISCONNECT: "abort" });

  test("stops its reply with chat.stop(), and gets it as stopped when it resumes", async () => {
    const shown = new ObservedChat(app.url);
    const { call } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo far");
    await shown.until(() => shown.text === "So far");
    await shown.chat.stop();
    await call.closed;
    await shown.chat.resumeStream();
    assert.deepEqual(
      [shown.chat.status, shown.chat.messages.map(textOf), shown.last.metadata?.outcome],
      ["ready", ["Hi", "So far"], "stopped"],
    );
  });
});
