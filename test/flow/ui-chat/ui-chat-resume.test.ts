/**
 * A `useChat` client that comes back to its chat: it gets a whole reply once, or learns that there is none.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { startTcpProxy, type TcpProxy } from "../../support/network/tcp-proxy.ts";
import { ObservedChat, textOf } from "../../support/clients/ui-chat.ts";
import { useModel, useApp, useResource } from "../../support/apps/use-app.ts";

describe("a useChat client that resumes", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true", SHOW_REASONING: "true" });
  const userId = randomUUID();
  let proxy: TcpProxy;
  /** The server's ends of the connections through the proxy. */
  const open = new Set<Socket>();
  useResource(async (closing) => {
    proxy = closing.adopt(await startTcpProxy(app.port), (opened) => opened.close());
    app.app.http.server.on("request", ({ headers, socket }) => {
      if (headers.host !== `127.0.0.1:${proxy.port}`) return;
      open.add(socket);
      socket.once("end", () => open.delete(socket));
    });
  });

  /** Reloads the page: only the chat's id and its saved messages are left. */
  const reload = ({ chat }: ObservedChat, messages = chat.messages): ObservedChat =>
    new ObservedChat(app.url, { id: chat.id, userId, messages });

  /** Opens a chat through the proxy, and starts a reply. */
  async function begin(
    said: string,
  ): Promise<{ shown: ObservedChat; call: ScriptedCall; sending: Promise<void> }> {
    const shown = new ObservedChat(`http://127.0.0.1:${proxy.port}`, { userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text(said);
    const seen = said.split("---RESPONSE---\n")[1] ?? "";
    await shown.until(() => shown.chat.messages.length === 2 && shown.text === seen);
    return { shown, call, sending };
  }

  /** Starts a reply and cuts its connection; resolves once both ends know. */
  async function beginCut(said: string): Promise<{ shown: ObservedChat; call: ScriptedCall }> {
    const { shown, call, sending } = await begin(said);
    await cut();
    await sending;
    assert.equal(shown.chat.status, "error");
    return { shown, call };
  }

  /** Cuts the connections through the proxy; resolves once the server knows. */
  async function cut(): Promise<void> {
    const ends = Array.from(open, (socket) => once(socket, "end"));
    proxy.cutAll();
    await Promise.all(ends);
  }

  async function finish(call: ScriptedCall, more: string): Promise<void> {
    const { length } = app.logs;
    call.text(more).finish();
    await app.logged((line) => line.msg === "turn" && app.logs.indexOf(line) >= length);
  }

  for (const [name, kept] of [
    ["nothing", 0],
    ["its question", 1],
    ["its question and the start of the reply", 2],
  ] as const) {
    test(`after a reload that kept ${name} gets the running reply from its start, then live to its end`, async () => {
      const { shown, call, sending } = await begin("- a\n---RESPONSE---\nHe");
      const loaded = reload(shown, shown.chat.messages.slice(0, kept));
      const resuming = loaded.chat.resumeStream();
      await loaded.until(() => loaded.chat.status === "streaming" && loaded.text === "He");
      assert.deepEqual(loaded.plans.at(-1), { text: "- a", state: "done" });
      call.text("llo");
      await loaded.until(() => loaded.text === "Hello");
      call.text(".").finish();
      await Promise.all([resuming, sending]);
      assert.deepEqual(loaded.statuses, ["ready", "submitted", "streaming", "ready"]);
      assert.deepEqual(
        loaded.chat.messages.map(({ role }) => role),
        kept === 0 ? ["assistant"] : ["user", "assistant"],
      );
      assert.deepEqual(loaded.last, shown.last);
      assert.deepEqual([loaded.text, loaded.last.metadata?.outcome], ["Hello.", "complete"]);
    });
  }

  test("before the first text stays submitted until it arrives", async () => {
    const { shown, call, sending } = await begin("");
    const loaded = reload(shown, []);
    const resuming = loaded.chat.resumeStream();
    await loaded.until(() => loaded.chat.messages.length === 1);
    assert.equal(loaded.chat.status, "submitted");
    call.text("- a\n---RESPONSE---\nHello.").finish();
    await Promise.all([resuming, sending]);
    assert.deepEqual(loaded.last, shown.last);
  });

  test("stays ready and learns that there is nothing, in a new chat or after reading all of it", async () => {
    const shown = new ObservedChat(app.url, { userId });
    await shown.chat.resumeStream();
    assert.deepEqual([shown.chat.status, shown.chat.messages], ["ready", []]);
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHello.").finish();
    await sending;
    const loaded = reload(shown);
    await Promise.all([shown.chat.resumeStream(), loaded.chat.resumeStream()]);
    for (const { chat, text } of [shown, loaded])
      assert.deepEqual([chat.status, chat.messages.length, text], ["ready", 2, "Hello."]);
    assert.deepEqual(loaded.ends, []);
    const answer = await app.get(`/api/chat/${shown.chat.id}/stream?userId=${userId}`);
    assert.deepEqual([answer.status, answer.body, answer.headers["cache-control"]], [204, "", "no-store"]);
  });

  test("after its connection was cut while the reply runs gets it whole, once", async () => {
    const { shown, call } = await beginCut("- a\n---RESPONSE---\nHe");
    const resuming = shown.chat.resumeStream();
    await shown.until(() => shown.chat.status === "streaming");
    call.text("llo.").finish();
    await resuming;
    assert.deepEqual(
      [shown.chat.status, shown.chat.error, shown.chat.messages.map(textOf)],
      ["ready", undefined, ["Hi", "Hello."]],
    );
  });

  for (const [when, said] of [
    ["before its first text", ""],
    ["in its plan", "- a"],
    ["in its answer", "- a\n---RESPONSE---\nHe"],
  ] as const) {
    test(`after its connection was cut ${when} gets a reply that has ended meanwhile, whole, until it has read it`, async () => {
      const { shown, call } = await beginCut(said);
      await finish(call, "- a\n---RESPONSE---\nHello.".slice(said.length));
      await shown.chat.resumeStream();
      const read = ["ready", undefined, ["Hi", "Hello."]];
      assert.deepEqual([shown.chat.status, shown.chat.error, shown.chat.messages.map(textOf)], read);
      assert.deepEqual(
        shown.last.parts.map(({ type }) => type),
        ["step-start", "data-plan", "text"],
      );
      assert.equal(shown.last.metadata?.storage, "stored");
      const ends = shown.ends.length;
      await shown.chat.resumeStream();
      assert.deepEqual([shown.chat.status, shown.chat.error, shown.chat.messages.map(textOf)], read);
      assert.equal(shown.ends.length, ends);
    });
  }

  test("after its connection was cut twice gets the reply all the same", async () => {
    const { shown, call } = await beginCut("- a\n---RESPONSE---\nHe");
    const resuming = shown.chat.resumeStream();
    await shown.until(() => shown.chat.status === "streaming");
    await cut();
    await resuming;
    assert.equal(shown.chat.status, "error");
    await finish(call, "llo.");
    await shown.chat.resumeStream();
    assert.deepEqual([shown.chat.status, shown.chat.messages.map(textOf)], ["ready", ["Hi", "Hello."]]);
  });

  test("gets a reply that has failed meanwhile as failed, until it has read it", async () => {
    const { shown, call } = await beginCut("- a\n---RESPONSE---\nHe");
    call.end();
    await app.logged((line) => line["turnId"] === shown.last.id);
    await shown.chat.resumeStream();
    assert.deepEqual(
      [shown.chat.status, shown.chat.error?.message, shown.chat.messages.map(textOf)],
      ["error", "The model's reply was cut off.", ["Hi", "He"]],
    );
    await shown.chat.resumeStream();
    assert.deepEqual([shown.chat.status, shown.chat.messages.map(textOf)], ["ready", ["Hi", "He"]]);
  });

  test("gets a reply that was stopped meanwhile as stopped", async () => {
    const { shown } = await beginCut("- a\n---RESPONSE---\nHe");
    await app.post(`/api/chat/${shown.chat.id}/stop?userId=${userId}`, {});
    await shown.chat.resumeStream();
    assert.deepEqual(
      [shown.chat.status, shown.chat.messages.map(textOf), shown.ends.at(-1)?.finishReason],
      ["ready", ["Hi", "He"], "interrupted"],
    );
  });

  test("never gets a reply that it has continued from, even if that still runs or is unread", async () => {
    const first = await begin("- a\n---RESPONSE---\nOld");
    await first.shown.chat.stop();
    const { shown } = first;
    const { call, sending } = await shown.ask(model, "Instead");
    const loaded = reload(shown, []);
    const resuming = loaded.chat.resumeStream();
    await loaded.until(() => loaded.chat.messages.length === 1);
    call.text("- b\n---RESPONSE---\nNew.").finish();
    await Promise.all([sending, resuming]);
    assert.equal(loaded.text, "New.");
    await loaded.chat.resumeStream();
    assert.deepEqual([loaded.chat.status, loaded.chat.messages.map(textOf)], ["ready", ["New."]]);
    await finish(first.call, " and gone.");
    await loaded.chat.resumeStream();
    assert.deepEqual([loaded.chat.status, loaded.chat.messages.map(textOf)], ["ready", ["New."]]);
  });

  test("with another method than GET is told so, and takes nothing from other clients", async () => {
    const { shown, call } = await beginCut("- a\n---RESPONSE---\nHe");
    await finish(call, "llo.");
    const path = `/api/chat/${shown.chat.id}/stream?userId=${userId}`;
    for (const method of ["HEAD", "POST"]) {
      const { status, headers } = await app.get(path, {}, method);
      assert.deepEqual([status, headers.allow], [405, "GET"]);
    }
    await shown.chat.resumeStream();
    assert.equal(shown.text, "Hello.");
  });

  test("of a chat that does not exist gets nothing, whatever its id", async () => {
    for (const id of ["never", randomUUID(), "a/b?c#d", "%", "é 🙂", "x".repeat(255)]) {
      const path = `/api/chat/${encodeURIComponent(id)}/stream`;
      for (const query of ["", `?userId=${userId}`]) {
        const { status, body } = await app.get(path + query);
        assert.deepEqual([status, body], [204, ""], id);
      }
    }
  });

  test("of a chat whose turn was refused before it began gets nothing", async () => {
    const owned = randomUUID();
    model.say("- a\n---RESPONSE---\nMine.");
    await app.post("/stream-chat", {
      messages: [{ sender: "user", text: "Hi" }],
      conversationId: owned,
      userId,
    });
    const message = { id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] };
    const body = { id: "refused", message, parentId: randomUUID() };
    assert.equal((await app.post(`/api/chat?userId=${userId}`, body)).status, 404);
    assert.equal((await app.get(`/api/chat/refused/stream?userId=${userId}`)).status, 204);
  });

  test("of another user gets nothing, and takes nothing away", async () => {
    const conversationId = randomUUID();
    const shown = new ObservedChat(`http://127.0.0.1:${proxy.port}`, { id: conversationId, userId });
    const { call, sending } = await shown.ask(model, "Hi");
    await shown.until(() => shown.chat.messages.length === 2);
    for (const other of [randomUUID(), undefined]) {
      const stranger = new ObservedChat(app.url, {
        id: conversationId,
        ...(other !== undefined && { userId: other }),
      });
      await stranger.chat.resumeStream();
      assert.deepEqual([stranger.chat.status, stranger.chat.messages], ["ready", []]);
    }
    await cut();
    await sending;
    await finish(call, "- a\n---RESPONSE---\nHello.");
    model.say("- b\n---RESPONSE---\nYours.");
    const stranger = new ObservedChat(app.url, { id: conversationId, userId: randomUUID() });
    await stranger.chat.sendMessage({ text: "Mine" });
    assert.deepEqual([stranger.chat.error, stranger.text], [undefined, "Yours."]);
    await shown.chat.resumeStream();
    assert.deepEqual(shown.chat.messages.map(textOf), ["Hi", "Hello."]);
  });
});

describe("an unread useChat reply", { timeout: 60_000 }, () => {
  const model = useModel();
  const clock = new ManualClock();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" }, { clock });

  test("is available for ten minutes after its end, and no longer", async () => {
    const messages = [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }];
    for (const [id, afterMs, status] of [
      ["early", 10 * 60_000 - 1, 200],
      ["late", 10 * 60_000, 204],
    ] as const) {
      const next = model.nextCall();
      const opening = await app.open("POST", "/api/chat", { id, messages });
      await readUntil(opening, "start-step");
      opening.destroy();
      await clock.pass(1_000);
      (await next).text("- a\n---RESPONSE---\nHello.").finish();
      const line = await app.logged(({ turnId }) => turnId === opening.headers["x-turn-id"]);
      assert.equal(line["storage"], "stored");
      await clock.pass(afterMs);
      const answer = await readResponse(await app.open("GET", `/api/chat/${id}/stream`));
      assert.equal(answer.status, status);
    }
  });
});
