/** The client's turn on a stable connection: its events, its reply, its ends, its single reader. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { afterEach, describe, test } from "node:test";
import {
  createClient,
  ForewordError,
  type ChatRequest,
  type ForewordClient,
} from "../../packages/foreword-client/src/client.ts";
import { startTcpProxy, type TcpProxy } from "../support/network/tcp-proxy.ts";
import { useApp, useModel, useResource, useStartApp } from "../support/apps/use-app.ts";

const hello: ChatRequest = { messages: [{ sender: "user", text: "Hello" }] };

describe("a turn of the client", () => {
  const userId = randomUUID();
  const model = useModel();
  const app = useApp(model, { ON_DISCONNECT: "continue", SHOW_REASONING: "true" });
  const startApp = useStartApp(model);
  let proxy: TcpProxy;
  let client: ForewordClient;
  useResource(async (closing) => {
    proxy = closing.adopt(await startTcpProxy(app.port), (opened) => opened.close());
    client = createClient({ baseUrl: `http://127.0.0.1:${proxy.port}`, userId });
  });
  afterEach(() => {
    proxy.delay(0);
    proxy.pass();
  });

  test("yields events in order, and then has a reply that agrees with the turn's state", async () => {
    model.say("- Think\n---RESPONSE---\n", "Hello, 世界 🙂.");
    const conversationId = randomUUID();
    const turn = client.start({ ...hello, conversationId });
    const events = await Array.fromAsync(turn);
    assert.deepEqual(
      events.map(({ type }) => type).filter((type, index, types) => type !== types[index - 1]),
      ["turn-start", "plan-delta", "plan-end", "answer-delta", "turn-end"],
    );
    const [first, last] = [events[0], events.at(-1)];
    assert.ok(first?.type === "turn-start" && last?.type === "turn-end");
    assert.deepEqual([first.turnId, first.conversationId], [turn.id, conversationId]);
    const reply = await turn.reply();
    assert.deepEqual([reply.plan, reply.answer], ["- Think", "Hello, 世界 🙂."]);
    assert.deepEqual(reply, await client.get(turn.id));
    assert.equal(await turn.reply(), reply);
  });

  test("gives its reply without a loop", async () => {
    model.say("- a\n---RESPONSE---\n", "Hi.");
    const { outcome, answer, finishReason, error } = await client.start(hello).reply();
    assert.deepEqual([outcome, answer, finishReason, error], ["complete", "Hi.", "stop", null]);
  });

  test("is requested at once, before it is read", async () => {
    const next = model.nextCall();
    const turn = client.start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\nHi.").finish();
    assert.equal((await turn.reply()).answer, "Hi.");
  });

  test("has one reader: a second loop, and a loop after reply(), throw; reply() beside a loop waits for it", async () => {
    model.say("- a\n---RESPONSE---\n", "Hi.");
    const turn = client.start(hello);
    const replying = turn.reply();
    assert.throws(() => turn[Symbol.asyncIterator](), /read once/);
    assert.equal((await replying).answer, "Hi.");
    const other = client.start(hello);
    const events = other[Symbol.asyncIterator]();
    await events.next();
    await assert.rejects(Array.fromAsync(other), /read once/);
    const waiting = other.reply();
    while ((await events.next()).done !== true);
    assert.equal((await waiting).answer, "Hi.");
  });

  test("continues when its loop is left, and can be read again; its reply cannot", async () => {
    const next = model.nextCall();
    const turn = client.start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\nHi");
    for await (const event of turn) if (event.type === "plan-end") break;
    await assert.rejects(turn.reply(), /left before the turn's end/);
    call.text(" there.").finish();
    assert.equal((await client.resume(turn.id).reply()).answer, "Hi there.");
  });

  test("ends when its loop is left, on a server that ends turns whose clients leave", async () => {
    const ending = await startApp({ ON_DISCONNECT: "abort" });
    const next = model.nextCall();
    const turn = createClient({ baseUrl: ending.url }).start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\nHi");
    for await (const event of turn) if (event.type === "plan-end") break;
    await call.closed;
  });

  test("that fails does not throw: it yields its error and its end, and its reply has the reason", async () => {
    model.script = (call) => call.text("- a\n---RESPONSE---\nSo").end();
    const turn = client.start(hello);
    const events = await Array.fromAsync(turn);
    const error = {
      code: "model_truncated",
      message: "The model's reply was cut off.",
      retryable: true,
      retryAfterMs: null,
    };
    assert.deepEqual(events.at(-2), { type: "turn-error", ...error });
    const reply = await turn.reply();
    assert.deepEqual([reply.outcome, reply.answer, reply.error], ["failed", "So", error]);
  });

  test("that fails before its first text does not throw either", async () => {
    model.script = (call) => call.head(400, {}).end("{}");
    const { outcome, plan, answer, error } = await client.start(hello).reply();
    assert.deepEqual([outcome, plan, answer, error?.code], ["failed", "", null, "model_refused"]);
  });

  test("yields the model's reasoning", async () => {
    model.script = (call) => call.text("<think>Hm.</think>- a\n---RESPONSE---\nHi.").finish();
    const events = await Array.fromAsync(client.start(hello));
    const thoughts = events.map((event) => (event.type === "reasoning-delta" ? event.text : ""));
    assert.equal(thoughts.join(""), "Hm.");
  });

  test("is stopped in the middle, and keeps the text so far", async () => {
    const next = model.nextCall();
    const turn = client.start(hello);
    (await next).text("- a\n---RESPONSE---\nSo far");
    for await (const event of turn) {
      if (event.type === "answer-delta") assert.equal((await turn.stop()).status, "stopped");
    }
    const { outcome, answer, error } = await turn.reply();
    assert.deepEqual([outcome, answer, error], ["stopped", "So far", null]);
    assert.equal((await turn.stop()).status, "stopped");
  });

  test("is stopped before its first text, even if the stop could overtake its start", async () => {
    const next = model.nextCall();
    proxy.delay(50);
    const turn = client.start(hello);
    const stopped = await turn.stop();
    await (
      await next
    ).closed;
    assert.deepEqual([stopped.status, stopped.id], ["stopped", turn.id]);
    const { outcome, answer } = await turn.reply();
    assert.deepEqual([outcome, answer], ["stopped", null]);
  });

  test("that the server had to end is interrupted", async () => {
    const going = await startApp();
    const next = model.nextCall();
    const turn = createClient({ baseUrl: going.url }).start(hello);
    (await next).text("- a\n---RESPONSE---\nSo far");
    for await (const event of turn) if (event.type === "answer-delta") void going.close(0);
    const { outcome, answer, error } = await turn.reply();
    assert.deepEqual([outcome, answer, error?.code], ["interrupted", "So far", "interrupted"]);
  });

  test("under a used key is the earlier one, with its own id", async () => {
    model.say("- a\n---RESPONSE---\n", "Hi.");
    const idempotencyKey = randomUUID();
    const calls = model.calls.length;
    const first = client.start(hello, { idempotencyKey });
    const second = client.start(hello, { idempotencyKey });
    assert.notEqual(first.id, second.id);
    assert.deepEqual(await first.reply(), await second.reply());
    assert.equal(second.id, first.id);
    assert.equal((await second.stop()).status, "complete");
    assert.equal(model.calls.length, calls + 1);
  });

  test("is resumed from a position: it yields the rest, which is also its reply", async () => {
    model.say("- a\n---RESPONSE---\n", "Hi there.");
    const { id, position } = await client.start(hello).reply();
    const events = await Array.fromAsync(client.resume(id, { after: position - 6 }));
    assert.deepEqual(
      events.map(({ type }) => type),
      ["turn-start", "answer-delta", "turn-end"],
    );
    const { plan, answer } = await client.resume(id, { after: position - 6 }).reply();
    assert.deepEqual([plan, answer], ["", "there."]);
    const whole = await client.resume(id).reply();
    assert.deepEqual([whole.plan, whole.answer], ["- a", "Hi there."]);
  });

  test("that is unknown, or another user's, throws not_found from every method", async () => {
    model.say("- a\n---RESPONSE---\n", "Hi.");
    const { id } = await client.start(hello).reply();
    const stranger = createClient({ baseUrl: app.url, userId: randomUUID() });
    for (const ask of [
      () => client.get(randomUUID()),
      () => stranger.get(id),
      () => stranger.stop(id),
      () => Array.fromAsync(stranger.resume(id)),
      () => stranger.resume(id).reply(),
      () => stranger.resume(id).stop(),
    ])
      await assert.rejects(ask, { name: "ForewordError", code: "not_found", status: 404 });
  });

  test("that the server refuses throws the server's error", async () => {
    const turn = client.start({ messages: [{ sender: "assistant", text: "Hi" }] });
    await assert.rejects(Array.fromAsync(turn), (error) => {
      assert.ok(error instanceof ForewordError);
      assert.deepEqual([error.code, error.status], ["invalid_request", 400]);
      assert.equal(error.message, "messages: Last message must be from the user");
      return true;
    });
    await assert.rejects(turn.reply(), { code: "invalid_request" });
  });
});
