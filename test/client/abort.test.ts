/** An abort ends the reading at once, in any phase, and never the turn. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, describe, test } from "node:test";
import { createClient, type ForewordClient } from "../../packages/foreword-client/src/client.ts";
import { answer, cutOff, end, sayAndHang, ScriptedServer, start } from "./scripted-server.ts";
import { useModel, useStartApp } from "../support/apps/use-app.ts";

const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;
const id = "00000000-0000-4000-8000-000000000001";
const reason = new Error("enough");

describe("an abort", () => {
  let server: ScriptedServer;
  let client: ForewordClient;
  const model = useModel();
  const startApp = useStartApp(model);
  before(async () => {
    server = await ScriptedServer.start();
    client = createClient({ baseUrl: server.url });
  });
  after(() => server.close());

  /** Returns how many timers keep the process alive. */
  function countTimers(): number {
    return process.getActiveResourcesInfo().filter((type) => type === "Timeout").length;
  }

  test("before the start sends nothing", async () => {
    server.expect(cutOff);
    const signal = AbortSignal.abort(reason);
    await assert.rejects(Array.fromAsync(client.start(hello, { signal })), reason);
    await assert.rejects(client.start(hello, { signal }).reply(), reason);
    await assert.rejects(client.resume(id, { signal }).reply(), reason);
    await assert.rejects(client.get(id, { signal }), reason);
    await assert.rejects(client.stop(id, { signal }), reason);
    assert.equal(server.requests.length, 0);
  });

  test("before the response's head closes the connection", async () => {
    const controller = new AbortController();
    const closed = Promise.withResolvers<void>();
    server.expect((response) => void response.once("close", closed.resolve));
    const timers = countTimers();
    const reading = assert.rejects(client.start(hello, { signal: controller.signal }).reply(), reason);
    await server.received(1);
    controller.abort(reason);
    await reading;
    await closed.promise;
    assert.equal(countTimers(), timers);
    assert.equal(server.requests.length, 1);
  });

  test("while headers are being computed does not wait for them", async () => {
    const controller = new AbortController();
    const asked = Promise.withResolvers<void>();
    const waiting = createClient({
      baseUrl: server.url,
      headers: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const reading = assert.rejects(waiting.start(hello, { signal: controller.signal }).reply(), reason);
    await asked.promise;
    controller.abort(reason);
    await reading;
  });

  test("between two retries does not wait for the next, and leaves no timer", async () => {
    const controller = new AbortController();
    const failed = Promise.withResolvers<void>();
    server.expect(cutOff);
    const patient = createClient({
      baseUrl: server.url,
      retry: { firstDelayMs: 60_000, maxDelayMs: 60_000 },
      fetch: (...args) => fetch(...args).finally(failed.resolve),
    });
    const timers = countTimers();
    const reading = assert.rejects(patient.start(hello, { signal: controller.signal }).reply(), reason);
    await failed.promise;
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    assert.equal(countTimers(), timers + 1, "it waits");
    controller.abort(reason);
    await reading;
    assert.equal(countTimers(), timers);
    assert.equal(server.requests.length, 1);
  });

  test("holds back events that have arrived and were not yielded yet", async () => {
    const controller = new AbortController();
    server.expect(sayAndHang(start(id), answer("a", 17), answer("b", 18), end(18)));
    const turn = client.start(hello, { signal: controller.signal });
    const types: string[] = [];
    const reading = (async () => {
      for await (const event of turn) {
        types.push(event.type);
        if (event.type === "answer-delta") controller.abort(reason);
      }
    })();
    await assert.rejects(reading, reason);
    await assert.rejects(turn.reply(), reason);
    assert.deepEqual(types, ["turn-start", "answer-delta"]);
  });

  test("after the end changes nothing but the wait for a title, and leaves no listener behind", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    server.expect(sayAndHang(start(id), answer("a", 17), end(17)));
    const turn = client.start(hello, { signal });
    assert.equal((await Array.fromAsync(turn)).length, 3);
    controller.abort(reason);
    assert.equal((await turn.reply()).answer, "a");
    assert.equal(await turn.title(), undefined);
    assert.deepEqual(getEventListeners(signal, "abort"), []);
  });

  test("causes no unhandled rejection of a reply that was never requested", async () => {
    const controller = new AbortController();
    server.expect(sayAndHang(start(id)));
    client.start(hello, { signal: controller.signal });
    await server.received(1);
    controller.abort(reason);
    // Unhandled rejections fail the test.
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  });

  test("in the middle of a reply leaves the turn running", async () => {
    const app = await startApp({ ON_DISCONNECT: "continue" });
    const foreword = createClient({ baseUrl: app.url });
    const next = model.nextCall();
    const controller = new AbortController();
    const turn = foreword.start(hello, { signal: controller.signal });
    const call = await next;
    call.text("- a\n---RESPONSE---\nHi");
    const events = turn[Symbol.asyncIterator]();
    while ((await events.next()).value?.type !== "answer-delta");
    const waiting = assert.rejects(events.next(), reason);
    controller.abort(reason);
    await waiting;
    assert.equal((await foreword.get(turn.id)).status, "running");
    call.text(" there.").finish();
    assert.equal((await foreword.resume(turn.id).reply()).answer, "Hi there.");
    assert.equal((await turn.stop()).status, "complete");
  });
});
