/** Typed events: an EventSource resumes by itself, silence sends keep-alives, and the end closes it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { EventSource } from "eventsource";
import { z } from "zod";
import { ManualClock } from "../support/manual-clock.ts";
import { ScriptedModel, toChunk } from "../support/model/scripted-model.ts";
import { openTurn, type RunningApp } from "../support/apps/start-app.ts";
import { startTcpProxy, type TcpProxy } from "../support/network/tcp-proxy.ts";
import { hastyFetch } from "../support/clients/hasty-fetch.ts";
import { readTypedEvents } from "../support/clients/wire-readers.ts";
import { useModel, useApp, useResource } from "../support/apps/use-app.ts";

const typed = { accept: "text/event-stream" };
const question = { messages: [{ sender: "user", text: "Hi" }] };
const names = [
  "turn-start",
  "plan-delta",
  "plan-end",
  "answer-delta",
  "reasoning-delta",
  "turn-error",
  "turn-end",
];
const Event = z.looseObject({ type: z.string(), text: z.string().default("") });

/** The events that an EventSource received, and a way to wait for them. */
class Listener {
  readonly events: z.infer<typeof Event>[] = [];
  readonly ids: string[] = [];
  readonly source: EventSource;
  /** The statuses of its responses. */
  readonly statuses: number[] = [];
  readonly #told = new EventTarget();

  constructor(url: string) {
    this.source = new EventSource(url, {
      fetch: async (input, init) => {
        const response = await hastyFetch(input, init);
        this.statuses.push(response.status);
        return response;
      },
    });
    for (const name of names) {
      this.source.addEventListener(name, ({ data, lastEventId }) => {
        this.events.push(Event.parse(JSON.parse(String(data))));
        this.ids.push(lastEventId);
        this.#told.dispatchEvent(new globalThis.Event("told"));
      });
    }
    this.source.addEventListener("error", () => this.#told.dispatchEvent(new globalThis.Event("told")));
  }

  /** Resolves once `isIt` is true. */
  async until(isIt: () => boolean): Promise<void> {
    while (!isIt()) await once(this.#told, "told");
  }

  textOf(type: string): string {
    return this.events.map((event) => (event.type === type ? event.text : "")).join("");
  }
}

/** Reads `response` until the text read so far ends in `end`; returns that text. */
async function readUntil(response: IncomingMessage, end: string): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for (;;) {
    const chunk: unknown = response.read();
    text += typeof chunk === "string" ? chunk : "";
    if (text.endsWith(end)) return text;
    await once(response, "readable");
  }
}

describe("typed events", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { ON_DISCONNECT: "continue", SHOW_REASONING: "true" });
  let proxy: TcpProxy;
  useResource(async (closing) => {
    proxy = closing.adopt(await startTcpProxy(app.port), (opened) => opened.close());
  });

  test("an EventSource that is cut off repeatedly gets every byte once, and stops by itself after the end", async () => {
    const turnId = randomUUID();
    const answer = Array.from({ length: 40 }, (_, index) => `é${index} `);
    const next = model.nextCall();
    void app.post("/stream-chat", question, { "x-turn-id": turnId, ...typed });
    const call = await next;
    call.text("- Think\n---RESPONSE---\n");
    const listener = new Listener(`http://127.0.0.1:${proxy.port}/turns/${turnId}/stream`);
    for (const [index, piece] of answer.entries()) {
      call.text(piece);
      await listener.until(() => listener.textOf("answer-delta").includes(piece));
      if (index % 15 === 9) {
        const connections = listener.statuses.length;
        proxy.cutAll();
        await listener.until(() => listener.statuses.length > connections);
      }
    }
    call.finish();
    await listener.until(() => listener.source.readyState === EventSource.CLOSED);
    assert.equal(listener.textOf("plan-delta"), "- Think");
    assert.equal(listener.textOf("answer-delta"), answer.join(""));
    assert.equal(listener.events.filter(({ type }) => type === "turn-end").length, 1);
    // Cut off three times; after the end it reconnects once more, and 204 tells it to stop.
    assert.deepEqual(listener.statuses, [200, 200, 200, 200, 204]);
    assert.match(listener.ids.at(-1) ?? "", /^\d+\.end$/);
  });

  test("an EventSource whose URL names a start resumes from its last event, and stops after the end", async () => {
    const turnId = randomUUID();
    const next = model.nextCall();
    void app.post("/stream-chat", question, { "x-turn-id": turnId, ...typed });
    const call = await next;
    call.text("- p\n---RESPONSE---\nOne");
    const from = "- p\n---RESPONSE---\n".length;
    const listener = new Listener(`http://127.0.0.1:${proxy.port}/turns/${turnId}/stream?after=${from}`);
    await listener.until(() => listener.textOf("answer-delta") === "One");
    proxy.cutAll();
    call.text(" two");
    await listener.until(() => listener.textOf("answer-delta").includes("two"));
    call.finish();
    await listener.until(() => listener.statuses.length > 2);
    await listener.until(() => listener.source.readyState !== EventSource.OPEN);
    assert.equal(listener.textOf("answer-delta"), "One two");
    assert.equal(listener.events.filter(({ type }) => type === "turn-end").length, 1);
    assert.deepEqual([listener.statuses, listener.source.readyState], [[200, 200, 204], EventSource.CLOSED]);
    listener.source.close();
  });

  test("an EventSource that missed the end gets it, not 204", async () => {
    model.say("- p\n---RESPONSE---\n", "whole");
    const answer = await app.post("/stream-chat", question, typed);
    const turnId = String(answer.headers["x-turn-id"]);
    const again = await app.get(`/turns/${turnId}/stream`, { ...typed, "last-event-id": "24" });
    assert.deepEqual(readTypedEvents(again, 24), {
      plan: "",
      answer: "",
      outcome: "complete",
      code: undefined,
      calls: [],
    });
    const seen = { ...typed, "last-event-id": "24.end" };
    assert.equal((await app.get(`/turns/${turnId}/stream`, seen)).status, 204);
  });

  test("of a running turn are refused to HEAD, which would wait for the end: 405", async () => {
    const { call, opening } = await openTyped(app, model);
    const response = await opening;
    const path = `/turns/${String(response.headers["x-turn-id"])}/stream`;
    for (const headers of [typed, {}]) {
      const { status, headers: sent } = await app.get(path, headers, "HEAD");
      assert.deepEqual([status, sent.allow], [405, "GET"]);
    }
    response.destroy();
    call.finish();
  });

  test("begin with turn-start: a turn that fails before its first text is an event, with status 200", async () => {
    model.script = (call) => call.head(401, { "content-type": "application/json" }).end("{}");
    const answer = await app.post("/stream-chat", question, typed);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["content-type"], "text/event-stream; charset=utf-8");
    assert.equal(readTypedEvents(answer).code, "model_unauthorized");
    const turnId = String(answer.headers["x-turn-id"]);
    assert.equal(readTypedEvents(await app.get(`/turns/${turnId}/stream`, typed)).code, "model_unauthorized");
    assert.equal((await app.get(`/turns/${turnId}/stream`)).status, 502);
  });

  test("carry reasoning, before and between the text, and resume it at any id", async () => {
    const { call, opening } = await openTyped(app, model);
    call.event(toChunk({ reasoning_content: "Hm 🙂" }));
    const response = await opening;
    await readUntil(
      response,
      'event: reasoning-delta\nid: 0.7\ndata: {"type":"reasoning-delta","text":"Hm 🙂","position":0,"ordinal":7}\n\n',
    );
    call.text("<think>tag</think>- p\n---RESPONSE---\nOne");
    call.event(toChunk({ reasoning: "more" }));
    const text = await readUntil(response, '"text":"more","position":22,"ordinal":4}\n\n');
    assert.ok(
      text.includes('id: 0.10\ndata: {"type":"reasoning-delta","text":"tag","position":0,"ordinal":10}\n\n'),
    );
    const turnId = String(response.headers["x-turn-id"]);
    const late = await app.open("GET", `/turns/${turnId}/stream`, undefined, {
      ...typed,
      "last-event-id": "22.2",
    });
    call.text(" two");
    const rest = await readUntil(late, '"position":26}\n\n');
    assert.ok(
      rest.includes('data: {"type":"reasoning-delta","text":"re","position":22,"ordinal":4}\n\n'),
      rest,
    );
    const all = await app.open("GET", `/turns/${turnId}/stream`, undefined, {
      ...typed,
      "last-event-id": "22",
    });
    assert.ok((await readUntil(all, '"position":26}\n\n')).includes('"text":"more"'));
    all.destroy();
    call.finish();
    response.destroy();
    late.destroy();
  });

  test("resumed within a character or the boundary begin with the whole of it", async () => {
    model.say("- p\n---RESPONSE---\n", "é🙂.");
    const { headers } = await app.post("/stream-chat", question);
    const read = async (from: number): Promise<string[]> => {
      const { body } = await app.get(`/turns/${String(headers["x-turn-id"])}/stream?after=${from}`, typed);
      return Array.from(body.matchAll(/^data: (.*-(?:delta|end)".*)$/gm), ([, data = ""]) => {
        const { type, text } = Event.parse(JSON.parse(data));
        return type === "plan-end" || type === "turn-end" ? type : text;
      });
    };
    const start = "- p\n---RESPONSE---\n".length;
    assert.deepEqual(await read(start - 5), ["plan-end", "é🙂.", "turn-end"]);
    assert.deepEqual(await read(start), ["é🙂.", "turn-end"]);
    assert.deepEqual(await read(start + 1), ["é🙂.", "turn-end"]);
    assert.deepEqual(await read(start + 2), ["🙂.", "turn-end"]);
    assert.deepEqual(await read(start + 5), ["🙂.", "turn-end"]);
    assert.deepEqual(await read(start + 99), ["turn-end"]);
  });
});

async function openTyped(
  app: RunningApp,
  model: ScriptedModel,
): Promise<{ call: Awaited<ReturnType<ScriptedModel["nextCall"]>>; opening: Promise<IncomingMessage> }> {
  const next = model.nextCall();
  const opening = app.open("POST", "/stream-chat", question, typed);
  return { opening, call: await next };
}

describe("silence", () => {
  const model = useModel();
  const clock = new ManualClock();
  const app = useApp(model, {}, { clock });

  test("sends a comment every 15 s on typed events and the AI SDK's wire, and none on plain text", async () => {
    const first = await openTyped(app, model);
    const response = await first.opening;
    assert.ok((await readUntil(response, "\n\n")).includes("turn-start"));
    clock.advance(14_999);
    first.call.text("- p\n---RESPONSE---\nOne");
    assert.ok(!(await readUntil(response, '"position":22}\n\n')).includes("keep-alive"));
    clock.advance(14_999);
    clock.advance(1);
    assert.equal(await readUntil(response, "\n\n"), ": keep-alive\n\n");
    clock.advance(15_000);
    assert.equal(await readUntil(response, "\n\n"), ": keep-alive\n\n");
    first.call.finish();
    const rest = await readUntil(response, "\n\n");
    assert.ok(rest.startsWith("event: turn-end\n"), rest);

    const second = await openTurn(app, model);
    second.call.text("- p\n---RESPONSE---\nOne");
    const plain = await second.opening;
    await readUntil(plain, "One");
    clock.advance(45_000);
    second.call.text(" two");
    assert.equal(await readUntil(plain, "two"), " two");
    second.call.finish();
  });
});
