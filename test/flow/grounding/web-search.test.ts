/** Turns that ask for a web search: their sources reach the model, the client, the rows, and nothing else. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { toRun } from "../../support/clients/ag-ui.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";
import type { AppResponse, RunningApp } from "../../support/apps/start-app.ts";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";
import { useSearchingReplicas } from "./use-searching-replicas.ts";

const typed = { accept: "text/event-stream" };
const hint = "The user wants you to use web search, if you have it";
const Sources = z.array(
  z.looseObject({ number: z.number(), title: z.string(), isCited: z.boolean().optional() }),
);
const Searches = z.array(z.object({ kind: z.string(), query: z.string(), status: z.string() }));
const found = { searches: Searches.optional(), sources: Sources.optional() };
const State = z.looseObject({ answer: z.string().nullable(), ...found });
const Messages = z.object({ messages: z.array(z.looseObject(found)) });

function readInstruction(call: ScriptedCall | undefined): string {
  return String(call?.body.messages[0]?.content);
}

function ask(app: RunningApp, text: string, more: object = {}): Promise<AppResponse> {
  const body = { messages: [{ role: "user", content: text }], use_web_search: true, ...more };
  return app.post("/stream-chat", body, typed);
}

describe("a turn with web search", { timeout: 120_000 }, () => {
  const { model, web, here, there } = useSearchingReplicas();

  test("gives the model what it found, and the client its sources before any text, on every replica", async () => {
    web.addHtml("tides", "<html><title>Tides</title><p>High tide in Dover is at 04:12 today.</p></html>");
    web.find(
      { title: "Tides &amp; times", url: web.toPageUrl("tides"), content: "A <b>snippet</b>" },
      { title: "Gone", url: web.toPageUrl("gone"), content: "The harbour opens at six." },
    );
    model.say("- Look it up\n---RESPONSE---\n", "At 04:12 [1]. The harbour opens at six [2][1].");
    const userId = randomUUID();
    const response = await ask(here, "When is high tide in Dover?", { userId });
    const events = toStreamEvents(response.body);
    assert.deepEqual(
      events.map(({ type }) => type),
      ["turn-start", "search", "source", "source", "plan-delta", "plan-end", "answer-delta", "turn-end"],
    );
    assert.deepEqual(
      events.slice(1, 4).map(({ id }) => id),
      ["0.1", "0.2", "0.3"],
    );
    assert.deepEqual(events[2], {
      type: "source",
      id: "0.2",
      sourceId: `web:${web.toPageUrl("tides")}`,
      number: 1,
      kind: "web",
      title: "Tides & times",
      url: web.toPageUrl("tides"),
      documentId: null,
      page: null,
      heading: null,
      quote: "Tides High tide in Dover is at 04:12 today.",
      position: 0,
      ordinal: 2,
    });
    const [call] = model.calls;
    assert.deepEqual(
      call?.body.messages.slice(1),
      [{ role: "user", content: "When is high tide in Dover?" }],
      "the user's message is as it was sent",
    );
    const instruction = readInstruction(call);
    assert.match(
      instruction,
      /<source-[\da-f]{12} id="1" title="Tides &amp; times" url="[^"]+">\nTides\n\nHigh/,
    );
    assert.match(instruction, /The harbour opens at six\./);
    assert.doesNotMatch(instruction, new RegExp(hint));

    const turnId = String(response.headers["x-turn-id"]);
    const again = await there.get(`/turns/${turnId}/stream?userId=${userId}`, typed);
    assert.deepEqual(
      toStreamEvents(again.body).filter(({ type }) => type === "search" || type === "source"),
      events.slice(1, 4),
    );
    const afterFirst = await there.get(`/turns/${turnId}/stream?userId=${userId}&after=0.2`, typed);
    assert.deepEqual(
      toStreamEvents(afterFirst.body)
        .map(({ type, id }) => [type, id])
        .slice(1, 2),
      [["source", "0.3"]],
    );
    const state = State.parse(JSON.parse((await there.get(`/turns/${turnId}?userId=${userId}`)).body));
    assert.deepEqual(
      state.sources?.map(({ number, title, isCited }) => [number, title, isCited]),
      [
        [1, "Tides & times", true],
        [2, "Gone", true],
      ],
    );
    const conversationId = String(response.headers["x-conversation-id"]);
    const page = await there.get(`/conversations/${conversationId}/messages?userId=${userId}`);
    const { messages } = Messages.parse(JSON.parse(page.body));
    assert.deepEqual(
      messages.map(({ sources }) => sources?.length),
      [undefined, 2],
    );
    const search = { kind: "web", query: "When is high tide in Dover?", status: "found" };
    assert.deepEqual(
      messages.map(({ searches }) => searches),
      [undefined, [search]],
    );
    assert.deepEqual(state.searches, [search]);
  });

  test("whose search fails goes on without, tells the model and the client, and keeps the reason in its log", async () => {
    web.engine = () => [403, "Forbidden"];
    model.say("- a\n---RESPONSE---\n", "I could not look it up.");
    const response = await ask(here, "What is new today?");
    const events = toStreamEvents(response.body);
    assert.deepEqual([events[1]?.type, events[1]?.["status"]], ["search", "failed"]);
    assert.equal(events.at(-1)?.["outcome"], "complete");
    assert.match(readInstruction(model.calls[0]), /The web could not be searched/);
    const line = await here.logged(({ msg }) => msg === "search failed");
    assert.match(String(line["reason"]), /formats: \[html, json\]/);
    const conversationId = String(response.headers["x-conversation-id"]);
    const { messages } = Messages.parse(
      JSON.parse((await there.get(`/conversations/${conversationId}/messages`)).body),
    );
    assert.deepEqual(messages[1]?.searches, [{ kind: "web", query: "What is new today?", status: "failed" }]);
    const body = { messages: [{ role: "user", content: "And today?" }], use_web_search: true };
    const whole = await here.post("/stream-chat", body, { accept: "application/json" });
    const { searches } = z.object({ searches: z.array(z.unknown()) }).parse(JSON.parse(whole.body));
    assert.deepEqual(searches, [{ kind: "web", query: "And today?", status: "failed" }]);
    const parts = [{ type: "text", text: "Later?" }];
    const chat = { id: randomUUID(), use_web_search: true, messages: [{ id: "m", role: "user", parts }] };
    const stream = await here.post("/api/chat", chat);
    assert.match(stream.body, /"data-search","data":\{"kind":"web","query":"Later\?","status":"failed"\}/);
    const forwardedProps = { use_web_search: true };
    const run = await here.post("/ag-ui", toRun(randomUUID(), randomUUID(), "Now?", { forwardedProps }));
    assert.match(run.body, /"name":"search","value":\{"kind":"web","query":"Now\?","status":"failed"\}/);
  });

  test("that finds nothing says so", async () => {
    model.say("- a\n---RESPONSE---\n", "Nothing.");
    const events = toStreamEvents((await ask(here, "Xyzzy?")).body);
    assert.deepEqual([events[1]?.type, events[1]?.["status"]], ["search", "nothing"]);
    assert.match(readInstruction(model.calls[0]), /A search of the web found nothing/);
  });

  test("does not send the numbers of old sources to the model again", async () => {
    web.find({ title: "A", url: web.toPageUrl("a"), content: "Alpha." });
    model.say("- a\n---RESPONSE---\n", "Alpha [1]. An index like list[1], a [1](https://example.com) link.");
    const userId = randomUUID();
    const first = await ask(here, "What is alpha?", { userId });
    const conversationId = String(first.headers["x-conversation-id"]);
    const more = { userId, conversationId, parentId: "leaf" };
    await ask(there, "And beta, which comes after it?", more);
    const reply = model.calls[1]?.body.messages.find(({ role }) => role === "assistant");
    assert.equal(reply?.content, "Alpha. An index like list[1], a [1](https://example.com) link.");
    const stored = await there.get(`/conversations/${conversationId}/messages?userId=${userId}`);
    assert.match(stored.body, /Alpha \[1\]\./);
  });

  test("is searched once for the same question within minutes", async () => {
    web.find({ title: "A", url: web.toPageUrl("a"), content: "Alpha." });
    model.say("- a\n---RESPONSE---\n", "Alpha.");
    await ask(here, "What is alpha?");
    await ask(here, "What is alpha?");
    assert.equal(web.searches.length, 1);
  });

  test("is stopped while it searches, and asks neither a page nor the model", async () => {
    const asked = Promise.withResolvers<void>();
    web.pages.set("slow", () => asked.resolve());
    web.find({ title: "Slow", url: web.toPageUrl("slow"), content: "Slow." });
    const turnId = randomUUID();
    const userId = randomUUID();
    const body = { messages: [{ role: "user", content: "What is slow?" }], use_web_search: true, userId };
    const reading = here.post("/stream-chat", body, { ...typed, "x-turn-id": turnId });
    await asked.promise;
    await here.post(`/turns/${turnId}/stop?userId=${userId}`, {});
    const events = toStreamEvents((await reading).body);
    assert.deepEqual([events.at(-1)?.type, events.at(-1)?.["outcome"]], ["turn-end", "stopped"]);
    assert.equal(model.calls.length, 0);
  });

  test("shows nothing of its sources in the plain text, whose bytes are the contract", async () => {
    web.find({ title: "A", url: web.toPageUrl("a"), content: "Alpha." });
    model.say("- a\n---RESPONSE---\n", "Alpha [1].");
    const body = { messages: [{ role: "user", content: "What is alpha?" }], use_web_search: true };
    assert.equal((await here.post("/stream-chat", body)).body, "- a\n---RESPONSE---\nAlpha [1].");
  });

  test("without the wish searches nothing", async () => {
    await here.chat("What is alpha?");
    assert.deepEqual([web.searches.length, model.calls.length], [0, 1]);
  });
});
