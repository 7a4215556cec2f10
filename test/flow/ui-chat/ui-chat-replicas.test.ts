/** A `useChat` client of a reply on another replica, with one Postgres. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { describe, test } from "node:test";
import { readMessages } from "../../support/databases/read-rows.ts";
import { startTcpProxy } from "../../support/network/tcp-proxy.ts";
import { ObservedChat, promptOf, textOf } from "../../support/clients/ui-chat.ts";
import { useApp, useDatabase, useModel, useReplicas, useStartApp } from "../../support/apps/use-app.ts";
import { startPostgresSite } from "../../faults/database-bench.ts";

describe("a useChat client on another replica than its reply", { timeout: 120_000 }, () => {
  /** The replica that runs the replies, and the one that clients ask about them. */
  const { model, database, here, there } = useReplicas();
  const startApp = useStartApp(model, {}, { database });
  const userId = randomUUID();

  const at = ({ url }: { readonly url: string }, id: string): ObservedChat =>
    new ObservedChat(url, { id, userId });

  test("gets it from its start, then live to its end, under the same id; then there is nothing left", async () => {
    const first = new ObservedChat(here.url, { userId });
    const { call, sending } = await first.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHe");
    await first.until(() => first.text === "He");
    const second = at(there, first.chat.id);
    const resuming = second.chat.resumeStream();
    await second.until(() => second.text === "He");
    assert.equal(second.chat.status, "streaming");
    call.text("llo");
    await second.until(() => second.text === "Hello");
    call.text(".").finish();
    await Promise.all([sending, resuming]);
    assert.deepEqual(second.last, first.last);
    assert.deepEqual([second.text, second.last.metadata?.storage], ["Hello.", "stored"]);
    assert.deepEqual(second.statuses, ["ready", "submitted", "streaming", "ready"]);
    for (const app of [here, there]) {
      const later = at(app, first.chat.id);
      await later.chat.resumeStream();
      assert.deepEqual([later.chat.status, later.chat.messages], ["ready", []]);
    }
  });

  test("gets it before its first text, and its failure", async () => {
    const first = new ObservedChat(here.url, { userId });
    const { call, sending } = await first.ask(model, "Hi");
    await first.until(() => first.chat.messages.length === 2);
    const second = at(there, first.chat.id);
    const resuming = second.chat.resumeStream();
    await second.until(() => second.chat.messages.length === 1);
    assert.equal(second.chat.status, "submitted");
    call.text("- a\n---RESPONSE---\nSo far").end();
    await Promise.all([sending, resuming]);
    for (const { chat, text } of [first, second]) {
      assert.deepEqual(
        [chat.status, chat.error?.message, text],
        ["error", "The model's reply was cut off.", "So far"],
      );
    }
    assert.deepEqual(second.last.metadata, first.last.metadata);
  });

  test("stops it there, and the client that reads it here is ready with the text so far", async () => {
    const first = new ObservedChat(here.url, { userId });
    const { call, sending } = await first.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo far");
    await first.until(() => first.text === "So far");
    const path = `/api/chat/${first.chat.id}/stop`;
    assert.equal((await there.post(`${path}?userId=${randomUUID()}`, {})).status, 204);
    const answer = await there.post(`${path}?userId=${userId}`, {});
    await call.closed;
    await sending;
    assert.deepEqual([answer.status, JSON.parse(answer.body).status], [200, "stopped"]);
    assert.deepEqual(
      [first.chat.status, first.chat.error, first.ends.at(-1)?.finishReason, first.last.metadata?.outcome],
      ["ready", undefined, "interrupted", "stopped"],
    );
    const rows = await readMessages(
      there.app.store.database,
      first.last.metadata?.conversationId ?? "",
      userId,
    );
    assert.deepEqual(
      rows.map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["So far", "stopped"],
      ],
    );
    assert.equal((await there.post(`${path}?userId=${userId}`, {})).status, 204);
  });

  test("continues there in the same conversation, without adding a row twice", async () => {
    model.say("- a\n---RESPONSE---\nHello.");
    const first = new ObservedChat(here.url, { userId });
    await first.chat.sendMessage({ text: "Hi" });
    const second = new ObservedChat(there.url, { id: first.chat.id, userId, messages: first.chat.messages });
    await second.chat.sendMessage({ text: "Go on" });
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Hi"],
      ["assistant", "Hello."],
      ["user", "Go on"],
    ]);
    const conversationId = first.last.metadata?.conversationId ?? "";
    assert.equal(second.last.metadata?.conversationId, conversationId);
    const rows = await database.sql(
      `select content from messages where conversation_id = '${conversationId}'`,
    );
    assert.equal(rows.length, 4);
  });

  test("whose connection was cut there while the reply went on still gets it there after its end", async (context) => {
    const proxy = await startTcpProxy(Number(new URL(there.url).port));
    context.after(() => proxy.close());
    const first = new ObservedChat(here.url, { userId });
    const { call, sending } = await first.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHe");
    await first.until(() => first.text === "He");
    const second = at({ url: `http://127.0.0.1:${proxy.port}` }, first.chat.id);
    const requested = once(there.app.http.server, "request");
    const resuming = second.chat.resumeStream();
    await second.until(() => second.text === "He");
    const [{ socket }] = await requested;
    const left = once(socket, "end");
    proxy.cutAll();
    await Promise.all([resuming, left]);
    assert.equal(second.chat.status, "error");
    call.text("llo.").finish();
    await sending;
    await second.chat.resumeStream();
    assert.deepEqual([second.chat.status, second.chat.messages.map(textOf)], ["ready", ["Hello."]]);
  });

  test("gets the newest reply there, not an earlier unread one of this replica", async () => {
    const first = new ObservedChat(there.url, { userId });
    const old = await first.ask(model, "Hi");
    old.call.text("- a\n---RESPONSE---\nOld.");
    await first.until(() => first.text === "Old.");
    await first.chat.stop();
    old.call.finish();
    await there.logged((line) => line["turnId"] === first.last.id);
    const moved = new ObservedChat(here.url, { id: first.chat.id, userId, messages: first.chat.messages });
    const { call, sending } = await moved.ask(model, "Go on");
    call.text("- b\n---RESPONSE---\nNew");
    await moved.until(() => moved.text === "New");
    const second = at(there, first.chat.id);
    const resuming = second.chat.resumeStream();
    await second.until(() => second.text === "New");
    call.text(".").finish();
    await Promise.all([sending, resuming]);
    assert.deepEqual(second.last, moved.last);
  });

  test("does not get an earlier unread reply of this replica if a newer one has ended there", async () => {
    const first = new ObservedChat(there.url, { userId });
    const { call } = await first.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nOld");
    await first.until(() => first.text === "Old");
    await first.chat.stop();
    call.text(" reply.").finish();
    await there.logged((line) => line["turnId"] === first.last.id);
    model.say("- b\n---RESPONSE---\nNew reply.");
    const moved = new ObservedChat(here.url, { id: first.chat.id, userId, messages: first.chat.messages });
    await moved.chat.regenerate();
    const loaded = new ObservedChat(there.url, { id: first.chat.id, userId, messages: moved.chat.messages });
    await loaded.chat.resumeStream();
    assert.deepEqual(loaded.statuses, ["ready"], "there is nothing to come");
    assert.deepEqual(loaded.chat.messages.map(textOf), ["Hi", "New reply."]);
  });

  test("stops the newest there, not an earlier one that still runs on this replica", async () => {
    const first = new ObservedChat(there.url, { userId });
    const old = await first.ask(model, "Hi");
    old.call.text("- a\n---RESPONSE---\nOld");
    await first.until(() => first.text === "Old");
    await first.chat.stop();
    const moved = new ObservedChat(here.url, { id: first.chat.id, userId, messages: first.chat.messages });
    const next = model.nextCall();
    const sending = moved.chat.regenerate();
    const call = await next;
    call.text("- b\n---RESPONSE---\nNew");
    await moved.until(() => moved.text === "New");
    const answer = await there.post(`/api/chat/${first.chat.id}/stop?userId=${userId}`, {});
    const { id, status } = JSON.parse(answer.body);
    assert.deepEqual([id, status], [moved.last.id, "stopped"]);
    await Promise.all([sending, call.closed]);
    assert.deepEqual([moved.chat.status, moved.text], ["ready", "New"]);
    old.call.finish();
  });

  test("whose replica shuts down is not told that the reply has ended, and gets all of it elsewhere", async () => {
    const leaving = await startApp();
    const first = new ObservedChat(here.url, { userId });
    const { call, sending } = await first.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHe");
    await first.until(() => first.text === "He");
    const second = at(leaving, first.chat.id);
    const resuming = second.chat.resumeStream();
    await second.until(() => second.text === "He");
    await leaving.close();
    await resuming;
    // The reply has not ended: its metadata must not say so.
    assert.deepEqual([second.chat.status, second.last.metadata?.outcome], ["error", undefined]);
    const third = new ObservedChat(there.url, { id: first.chat.id, userId, messages: second.chat.messages });
    const again = third.chat.resumeStream();
    await third.until(() => third.chat.status === "streaming");
    call.text("llo.").finish();
    await Promise.all([sending, again]);
    assert.deepEqual([third.chat.messages.map(textOf), third.last], [["Hello."], first.last]);
  });
});

describe("a useChat client while the database is unavailable", { timeout: 120_000 }, () => {
  const model = useModel();
  const site = useDatabase(startPostgresSite);
  const app = useApp(model, {}, { database: site });

  test("gets replies that its replica still holds, and an error message for others", async () => {
    const { proxy } = site.harness;
    const shown = new ObservedChat(app.url, { userId: randomUUID() });
    const { call } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHe");
    await shown.until(() => shown.text === "He");
    await shown.chat.stop();
    proxy.refuse();
    call.text("llo.").finish();
    await app.logged(({ msg }) => msg === "turn");
    const stranger = new ObservedChat(app.url, { userId: randomUUID() });
    await stranger.chat.resumeStream();
    assert.deepEqual(
      [stranger.chat.status, stranger.chat.error?.message],
      ["error", "The database cannot be reached."],
    );
    await shown.chat.resumeStream();
    assert.deepEqual([shown.chat.error, shown.chat.messages.map(textOf)], [undefined, ["Hi", "Hello."]]);
    assert.equal(shown.last.metadata?.storage, "queued");
    proxy.pass();
    await app.logged(({ msg }) => msg === "queued write stored");
  });
});
