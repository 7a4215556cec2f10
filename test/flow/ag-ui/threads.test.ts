/** Threads of AG-UI's clients on the embedded database: pages, files, titles, reasoning, and reloads. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { agentVersions, ObservedAgent, ObservedThread, toRun } from "../../support/clients/ag-ui.ts";
import { makePng } from "../../support/clients/file-client.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";
import { promptOf } from "../../support/clients/ui-chat.ts";
import { startPglite } from "../../support/databases/store-harness.ts";
import { toChunk } from "../../support/model/scripted-model.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { useTools } from "../tools/use-tools.ts";

const plan = "- Look\n---RESPONSE---\n";
const Thread = z.object({
  messages: z.array(z.looseObject({ id: z.string(), parts: z.array(z.looseObject({})) })),
});

describe("threads of AG-UI's clients", { timeout: 120_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const database = useDatabase(startPglite);
  const app = useApp(model, () => ({ ...tools.variables, SHOW_REASONING: "true", TITLE_MODEL: "titles" }), {
    database,
  });
  const userId = randomUUID();

  /** Replies with each of `texts` to one question, and makes titles. */
  function say(...texts: readonly string[]): void {
    let next = 0;
    model.script = (call) => {
      if (call.body.model === "titles") return call.text("A title").finish();
      const text = texts[Math.min(next, texts.length - 1)] ?? "";
      next += 1;
      return call.text(plan + text).finish();
    };
  }

  /** A chat of TanStack AI, with a tool of its own, opened as a page is. */
  async function load(threadId: string, pageSize?: number): Promise<ObservedThread> {
    const own = { where: () => "Oslo" };
    const shown = new ObservedThread({
      url: app.url,
      userId,
      threadId,
      tools: own,
      isStored: true,
      pageSize,
    });
    shown.chat.attach();
    await shown.until(() => shown.messages.length > 0);
    return shown;
  }

  test("are loaded in pages, and go on though the client sends only what it has not loaded", async () => {
    const threadId = randomUUID();
    say("A1", "A2", "A3", "A4");
    const first = new ObservedThread({ url: app.url, userId, threadId });
    for (const question of ["Q1", "Q2", "Q3"]) await first.chat.sendMessage(question);
    const shown = await load(threadId, 2);
    assert.deepEqual(shown.shown, first.shown.slice(-2));
    assert.equal(shown.chat.getHasOlderMessages(), true);
    await shown.chat.loadOlderMessages();
    assert.deepEqual(shown.shown, first.shown.slice(-4));
    await shown.chat.sendMessage("Q4");
    assert.deepEqual(promptOf(model.calls.findLast(({ body }) => body.model !== "titles")), [
      ["user", "Q1"],
      ["assistant", "A1"],
      ["user", "Q2"],
      ["assistant", "A2"],
      ["user", "Q3"],
      ["assistant", "A3"],
      ["user", "Q4"],
    ]);
    await shown.chat.loadOlderMessages();
    assert.deepEqual(shown.shown.length, 8);
    assert.equal(shown.chat.getHasOlderMessages(), false);
  });

  test("go on with a tool's result though the client sends only the last question", async () => {
    const threadId = randomUUID();
    say("A1");
    const first = new ObservedThread({ url: app.url, userId, threadId });
    await first.chat.sendMessage("Q1");
    const shown = await load(threadId, 2);
    model.inOrder(
      (call) => call.text(`${plan}Wait.`).toolCall("where", {}, "c1").finish("tool_calls"),
      (call) => call.text("In Oslo.").finish(),
    );
    await shown.chat.sendMessage("Where?");
    await shown.until(() => shown.text === "In Oslo." && shown.chat.getStatus() === "ready");
    const prompt = model.calls.at(-1)?.body.messages ?? [];
    assert.deepEqual(
      prompt.map(({ role }) => role),
      ["user", "assistant", "user", "assistant", "tool"],
    );
    const again = await load(threadId);
    assert.deepEqual(again.shown.slice(2), [
      ["user", "text Where?"],
      ["assistant", "thinking - Look", "text Wait.", "where complete", "tool-result complete"],
      ["assistant", "text In Oslo."],
    ]);
  });

  test("that are loaded while a reply goes on after a tool show all of it", async () => {
    const threadId = randomUUID();
    const first = new ObservedThread({ url: app.url, userId, threadId, tools: { where: () => "Oslo" } });
    const { promise, resolve } = Promise.withResolvers<Parameters<typeof model.script>[0]>();
    let isAsked = false;
    model.script = (call) => {
      if (call.body.model === "titles") return call.text("A title").finish();
      if (isAsked) return resolve(call);
      isAsked = true;
      return call.text(`${plan}Wait.`).toolCall("where", {}, "c1").finish("tool_calls");
    };
    const sending = first.chat.sendMessage("Where?");
    const call = await promise;
    call.text("In ");
    await first.until(() => first.text.startsWith("In"));
    const shown = await load(threadId);
    await shown.until(() => shown.text.startsWith("In"));
    call.text("Oslo.").finish();
    await sending;
    await shown.until(() => shown.text === "In Oslo." && shown.chat.getStatus() === "ready");
    assert.deepEqual([shown.errors, shown.shown], [[], first.shown]);
  });

  test("show files by their URLs, which may be sent back", async () => {
    const threadId = randomUUID();
    say("A1", "A2");
    const { data, mimeType } = makePng("thread");
    const image = { type: "image", source: { type: "data", value: data, mimeType } };
    const content = [image, { type: "text", text: "Look" }];
    await app.post(`/ag-ui?userId=${userId}`, toRun(threadId, randomUUID(), content));
    const shown = await load(threadId);
    const [part] = shown.messages[0]?.parts.filter(({ type }) => type === "image") ?? [];
    assert.match(JSON.stringify(part), /"value":"\/files\/[0-9a-f-]{36}\?userId=/);
    await shown.chat.sendMessage("Again");
    const asked = model.calls.findLast(({ body }) => body.model !== "titles");
    assert.match(
      JSON.stringify(asked?.body.messages),
      new RegExp(`data:image/png;base64,${data.slice(0, 20)}`),
    );
    assert.deepEqual(shown.errors, []);
  });

  for (const version of agentVersions)
    test(`get a title, and show reasoning, with HttpAgent ${version}`, async () => {
      model.script = (call) => {
        if (call.body.model === "titles") return call.text("A title").finish();
        return call
          .event(toChunk({ reasoning_content: "Hm." }))
          .text(`${plan}Hello.`)
          .finish();
      };
      const shown = new ObservedAgent(version, { url: app.url, userId, threadId: randomUUID() });
      await shown.ask("Hi");
      assert.deepEqual(shown.shown, [
        ["user", "Hi"],
        ["reasoning", "Hm."],
        ["reasoning", "- Look"],
        ["assistant", "Hello."],
      ]);
      assert.deepEqual([shown.customs, shown.errors], [["title"], []]);
    });

  test("have no page before a message that there cannot be", async () => {
    const threadId = randomUUID();
    say("A");
    await new ObservedThread({ url: app.url, userId, threadId }).chat.sendMessage("Q");
    for (const before of ["%00", "%ED%A0%80", "nope"]) {
      const path = `/ag-ui?threadId=${threadId}&userId=${userId}&before=${before}`;
      const { status, body } = await app.get(path);
      assert.equal(status, 200, before);
      assert.deepEqual(Thread.parse(JSON.parse(body)).messages, []);
    }
    const { status, body } = await app.get(`/ag-ui?runId=${threadId}&userId=${userId}&offset=x`);
    assert.equal(status, 400);
    assert.equal(JSON.parse(body).detail, "offset: must be -1, or the id of an event");
  });

  test("get a title with TanStack AI, too, before the end", async () => {
    say("Hello.");
    const shown = new ObservedThread({ url: app.url, userId, threadId: randomUUID() });
    await shown.chat.sendMessage("Hi");
    assert.deepEqual([shown.customs, shown.errors, shown.text], [["title"], [], "Hello."]);
    const proto = { accept: "application/vnd.ag-ui.event+proto" };
    const run = toRun(randomUUID(), randomUUID());
    const { body, headers } = await app.post(`/ag-ui?userId=${userId}`, run, proto);
    assert.equal(headers["content-type"], "text/event-stream; charset=utf-8");
    assert.deepEqual(
      toStreamEvents(body)
        .slice(-3)
        .map(({ type }) => type),
      ["TEXT_MESSAGE_END", "CUSTOM", "RUN_FINISHED"],
    );
  });

  test("whose turn waits go on with another message of the user's, and the call never runs", async () => {
    const threadId = randomUUID();
    const shown = new ObservedAgent("1.0.0", { url: app.url, userId, threadId });
    model.script = (call) => call.text(`${plan}Wait.`).toolCall("w__act", {}, "c1").finish("tool_calls");
    await shown.ask("Act");
    const calls = tools.server.callCount;
    say("Fine.");
    const resume = shown.agent.pendingInterrupts.map(({ id }) => ({
      interruptId: id,
      status: "cancelled" as const,
    }));
    await shown.ask("Never mind", { resume });
    assert.deepEqual([shown.shown.at(-1), tools.server.callCount], [["assistant", "Fine."], calls]);
    const { body } = await app.get(`/ag-ui?threadId=${threadId}&userId=${userId}`);
    assert.deepEqual(
      Thread.parse(JSON.parse(body)).messages.map(({ parts }) => parts.map(({ type }) => type)),
      [["text"], ["thinking", "text", "tool-call", "tool-result"], ["text"], ["thinking", "text"]],
    );
  });
});

describe("threads of AG-UI's clients without a database", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "false", ON_DISCONNECT: "continue" });

  test("are empty, and tell the run in progress", async () => {
    const path = "/ag-ui?threadId=thread";
    const empty = { messages: [], activeRun: null, interrupts: null, page: { truncated: false } };
    assert.deepEqual(JSON.parse((await app.get(path)).body), empty);
    const next = model.nextCall();
    const opening = app.open("POST", "/ag-ui", toRun("thread", "run-1"));
    const call = await next;
    const response = await opening;
    const turnId = String(response.headers["x-turn-id"]);
    assert.deepEqual(JSON.parse((await app.get(path)).body), { ...empty, activeRun: { runId: turnId } });
    call.text(`${plan}Hello.`).finish();
    const { body } = await app.get(`/ag-ui?runId=${turnId}`);
    assert.equal(toStreamEvents(body).at(-1)?.type, "RUN_FINISHED");
    response.destroy();
  });
});
