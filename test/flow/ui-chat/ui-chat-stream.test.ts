/** One streaming reply as a `useChat` client sees it, and its rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { toChunk, toEvent } from "../../support/model/scripted-model.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { ObservedChat, promptOf } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const png = "iVBORw0KGgo=";
const usage = { prompt_tokens: 11, completion_tokens: 7 };

function ask(text: string, more: object = {}): object {
  return { id: "chat", messages: [{ id: "m1", role: "user", parts: [{ type: "text", text }] }], ...more };
}

describe("a message sent with useChat's default transport", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  test("is submitted until the reply's first text, streaming until its end, then ready", async () => {
    const shown = new ObservedChat(app.url);
    const { call, sending } = await shown.ask(model, "Hi");
    assert.equal(shown.chat.status, "submitted");
    await shown.until(() => shown.chat.messages.length === 2);
    assert.equal(shown.chat.status, "submitted");
    call.text("- a\n---RESPONSE---\n").text("He");
    await shown.until(() => shown.text === "He");
    assert.equal(shown.chat.status, "streaming");
    call.text("llo.");
    await shown.until(() => shown.text === "Hello.");
    assert.equal(shown.chat.status, "streaming");
    call.finish();
    await sending;
    assert.equal(shown.text, "Hello.");
    assert.deepEqual(shown.statuses, ["ready", "submitted", "streaming", "ready"]);
    assert.deepEqual(shown.ends, [{ isAbort: false, isError: false, finishReason: "stop" }]);
    assert.equal(shown.chat.error, undefined);
  });

  test("shows the plan as one part that grows, and is then done, before the answer", async () => {
    const shown = new ObservedChat(app.url);
    const { call, sending } = await shown.ask(model, "Hi");
    const planNow = (): unknown => shown.last.parts.find(({ type }) => type === "data-plan");
    call.text("- Look");
    await shown.until(() => shown.plans.length === 1);
    const part = { type: "data-plan", id: "plan" };
    assert.deepEqual(planNow(), { ...part, data: { text: "- Look", state: "streaming" } });
    call.text(" it up\n- Say it");
    await shown.until(() => shown.plans.length === 2);
    assert.deepEqual(planNow(), { ...part, data: { text: "- Look it up\n- Say it", state: "streaming" } });
    call.text("\n---RESPONSE---\n");
    await shown.until(() => shown.plans.length === 3);
    const done = { ...part, data: { text: "- Look it up\n- Say it", state: "done" } };
    assert.deepEqual(planNow(), done);
    call.text("So.").finish();
    await sending;
    assert.deepEqual(shown.last.parts, [
      { type: "step-start" },
      done,
      { type: "text", text: "So.", state: "done", providerMetadata: undefined },
    ]);
    assert.deepEqual(
      shown.plans.map(({ text, state }) => [text, state]),
      [
        ["- Look", "streaming"],
        ["- Look it up\n- Say it", "streaming"],
        ["- Look it up\n- Say it", "done"],
      ],
    );
  });

  test("whose reply has no plan shows none", async () => {
    const shown = new ObservedChat(app.url);
    model.say("x".repeat(500), " So.");
    await shown.chat.sendMessage({ text: "Hi" });
    assert.deepEqual(
      shown.last.parts.map(({ type }) => type),
      ["step-start", "text"],
    );
    assert.deepEqual(shown.plans, []);
  });

  test("gets a reply under its turn's and row's id, with the turn's metadata and its outcome", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    const beforeMs = Date.now();
    const { call, sending } = await shown.ask(model, "Hi");
    await shown.until(() => shown.chat.messages.length === 2);
    const { id, role, metadata } = shown.last;
    assert.equal(role, "assistant");
    const { turnId, conversationId = "", startedAt = "", ...rest } = metadata ?? {};
    assert.equal(turnId, id);
    assert.deepEqual(rest, { model: "scripted" });
    assert.ok(Date.parse(startedAt) >= beforeMs && Date.parse(startedAt) <= Date.now());
    call.text("- a\n---RESPONSE---\nHello.");
    call
      .event({ ...toChunk({}, "stop"), usage })
      .raw("data: [DONE]\n\n")
      .end();
    await sending;
    assert.equal(shown.last.id, id);
    const { timings, ...told } = shown.last.metadata ?? {};
    assert.deepEqual(told, {
      turnId,
      conversationId,
      startedAt,
      model: "scripted-1",
      outcome: "complete",
      finishReason: "stop",
      usage: { inputTokens: 11, outputTokens: 7 },
      storage: "stored",
    });
    assert.ok((timings?.durationMs ?? -1) >= (timings?.firstTextMs ?? 0));
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map((row) => [row.role, row.content, row.status, row.metadata?.["plan"]]),
      [
        ["user", "Hi", null, undefined],
        ["assistant", "Hello.", "complete", "- a"],
      ],
    );
    assert.equal(rows[1]?.id, id);
  });

  test("with SHOW_REASONING unset never shows the model's reasoning", async () => {
    const shown = new ObservedChat(app.url);
    model.script = (call) => {
      call
        .event(toChunk({ reasoning: "Hm." }))
        .text("<think>Well.</think>- a\n---RESPONSE---\nSo.")
        .finish();
    };
    await shown.chat.sendMessage({ text: "Hi" });
    assert.deepEqual(
      shown.last.parts.map(({ type }) => type),
      ["step-start", "data-plan", "text"],
    );
    assert.doesNotMatch(JSON.stringify(shown.last), /Hm|Well/);
  });

  test("with images reaches the model with the images before the text; its row counts them", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    model.say("- a\n---RESPONSE---\nA cat.");
    const files = ["image/png", "IMAGE/JPEG"].map((mediaType) => ({
      type: "file" as const,
      mediaType,
      url: `data:${mediaType};base64,${png}`,
    }));
    await shown.chat.sendMessage({ text: "What is it?", files });
    assert.equal(shown.chat.error, undefined);
    const image = (type: string): object => ({
      type: "image_url",
      image_url: { url: `data:${type};base64,${png}` },
    });
    const asked = ["user", [{ type: "text", text: "What is it?" }, image("image/png"), image("image/jpeg")]];
    assert.deepEqual(promptOf(model.calls.at(-1)), [asked]);
    await shown.chat.sendMessage({ text: "Sure?" });
    assert.deepEqual(promptOf(model.calls.at(-1)), [asked, ["assistant", "A cat."], ["user", "Sure?"]]);
    await shown.chat.sendMessage({ files: files.slice(0, 1) });
    assert.deepEqual(promptOf(model.calls.at(-1)).at(-1), ["user", [image("image/png")]]);
    const conversationId = shown.last.metadata?.conversationId ?? "";
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content, metadata }) => [content, metadata?.["images_count"]]),
      [
        ["What is it?", 2],
        ["A cat.", undefined],
        ["Sure?", undefined],
        ["A cat.", undefined],
        ["", 1],
        ["A cat.", undefined],
      ],
    );
  });

  test("can carry more fields for the server in the transport's body", async () => {
    const shown = new ObservedChat(app.url, { body: { use_web_search: true, knowledge_base: "Wiki" } });
    await shown.chat.sendMessage({ text: "Hi" });
    const instruction = JSON.stringify(model.calls.at(-1)?.body.messages[0]);
    assert.match(instruction, /web search/);
    assert.match(instruction, /Wiki/);
  });

  test("gets the headers that name the protocol and the turn and keep proxies from buffering", async () => {
    model.say("- a\n---RESPONSE---\nb");
    const { status, headers, body } = await app.post("/api/chat", ask("Hi"));
    assert.equal(status, 200);
    const start = JSON.parse(body.slice("data: ".length, body.indexOf("\n")));
    assert.equal(start.type, "start");
    assert.deepEqual(
      [
        headers["content-type"],
        headers["x-vercel-ai-ui-message-stream"],
        headers["cache-control"],
        headers["x-accel-buffering"],
        headers["x-turn-id"],
        headers["x-conversation-id"],
      ],
      [
        "text/event-stream; charset=utf-8",
        "v1",
        "no-store, no-transform",
        "no",
        start.messageId,
        start.messageMetadata.conversationId,
      ],
    );
    assert.ok(body.endsWith("\n\ndata: [DONE]\n\n"));
  });
});

describe("a useChat reply with SHOW_REASONING=true", () => {
  const model = useModel();
  const app = useApp(model, { SHOW_REASONING: "true" });

  test("shows the model's reasoning before the plan and within the answer as parts of their own", async () => {
    const shown = new ObservedChat(app.url);
    const { call, sending } = await shown.ask(model, "Hi");
    call.event(toChunk({ reasoning: "Hm" }));
    await shown.until(() => shown.last.parts.some((part) => part.type === "reasoning" && part.text !== ""));
    assert.deepEqual(shown.last.parts.at(-1), {
      type: "reasoning",
      id: "reasoning-1",
      text: "Hm",
      state: "streaming",
      providerMetadata: undefined,
    });
    call.event(toChunk({ reasoning_content: ", well." }));
    call.text("- a\n---RESPONSE---\nSo");
    await shown.until(() => shown.text === "So");
    call.event(toChunk({ reasoning: "Or not?" })).event(toChunk({ reasoning: " Yes." }));
    call.text(" it is.").finish();
    await sending;
    assert.deepEqual(
      shown.last.parts.map((part) => [part.type, "text" in part && part.text, "state" in part && part.state]),
      [
        ["step-start", false, false],
        ["reasoning", "Hm, well.", "done"],
        ["data-plan", false, false],
        ["text", "So it is.", "done"],
        ["reasoning", "Or not? Yes.", "done"],
      ],
    );
    assert.equal(shown.chat.error, undefined);
  });

  test("does not send the model its reasoning again", async () => {
    const shown = new ObservedChat(app.url);
    model.script = (call) => {
      call
        .event(toChunk({ reasoning: "Hm." }))
        .text("- a\n---RESPONSE---\nSo.")
        .finish();
    };
    await shown.chat.sendMessage({ text: "Hi" });
    await shown.chat.sendMessage({ text: "Go on" });
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Hi"],
      ["assistant", "So."],
      ["user", "Go on"],
    ]);
  });
});

describe("a useChat reply that is silent", () => {
  const model = useModel();
  const clock = new ManualClock();
  const app = useApp(model, {}, { clock });

  test("is kept alive by a comment every 15 s, which the client does not show", async () => {
    const shown = new ObservedChat(app.url);
    const { call, sending } = await shown.ask(model, "Hi");
    await shown.until(() => shown.chat.messages.length === 2);
    const following = await app.open("GET", `/api/chat/${shown.chat.id}/stream`);
    await readUntil(following, "start-step");
    await clock.timer(15_000);
    clock.advance(15_000);
    assert.equal(await readUntil(following, "\n\n"), ": keep-alive\n\n");
    clock.advance(15_000);
    assert.equal(await readUntil(following, "\n\n"), ": keep-alive\n\n");
    call.raw(toEvent(toChunk({ content: "- a\n---RESPONSE---\nHello." })));
    await readUntil(following, "Hello.");
    call.finish();
    const { body } = await readResponse(following);
    assert.doesNotMatch(body, /keep-alive/);
    await sending;
    assert.equal(shown.text, "Hello.");
    assert.equal(shown.chat.error, undefined);
  });
});
