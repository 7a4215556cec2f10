/** Chats that are longer than the window of their model. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { startPglite } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { WindowServer } from "../../support/model/window-server.ts";

type Sent = { readonly sender: string; readonly text: string };

const words = "the lighthouse keeper counted ships and wrote their names in a notebook ".repeat(4);

/** Returns a chat of so many answered questions, and one more. */
function chatOf(turns: number, text = words): readonly Sent[] {
  const answered = Array.from({ length: turns }, (_, index) => [
    { sender: "user", text: `Question ${index}: ${text}` },
    { sender: "assistant", text: `Answer ${index}: ${text}` },
  ]).flat();
  return [...answered, { sender: "user", text: "And now?" }];
}

describe("a chat longer than its model's window", () => {
  const model = useModel();
  const app = useApp(model, {}, { lifetime: "test" });
  let server = new WindowServer(model, { windowTokens: 4_000 });
  beforeEach(() => {
    model.calls.length = 0;
    server = new WindowServer(model, { windowTokens: 4_000 });
  });

  test("is answered at the second attempt, and then at the first", async () => {
    const first = await app.post("/stream-chat", { messages: chatOf(60) });
    assert.equal(first.status, 200, first.body);
    assert.deepEqual([server.refusals, server.accepted.length], [1, 1]);
    const second = await app.post("/stream-chat", { messages: chatOf(61) });
    assert.equal(second.status, 200);
    assert.deepEqual([server.refusals, server.accepted.length], [1, 2]);
    const [instruction, question] = model.calls.at(-1)?.body.messages ?? [];
    assert.equal(instruction?.role, "system");
    assert.equal(question?.role, "user");
    assert.match(String(question?.content), /^Question \d\d: the lighthouse/);
    assert.equal(model.calls.at(-1)?.body.messages.at(-1)?.content, "And now?");
  });

  test("starts with the same bytes for many turns", async () => {
    const starts = new Map<unknown, number>();
    for (let turns = 40; turns < 100; turns += 1) {
      await app.post("/stream-chat", { messages: chatOf(turns) });
      const start = model.calls.at(-1)?.body.messages[1]?.content;
      starts.set(start, (starts.get(start) ?? 0) + 1);
    }
    assert.equal(server.refusals, 1);
    assert.ok(starts.size <= 12, `${starts.size} different starts`);
    const used = server.accepted.map(({ inputTokens }) => inputTokens);
    assert.ok(Math.min(...used) > 1_400, `at least ${Math.min(...used)} tokens are sent`);
  });

  test("fails with advice if its newest message alone is too long", async () => {
    const messages = [...chatOf(2), { sender: "user", text: words.repeat(100) }];
    const refused = await app.post("/stream-chat", { messages });
    assert.equal(refused.status, 400);
    assert.match(refused.body, /context_too_long.*The newest message is too long for .* of 4000 tokens/);
    const next = await app.post("/stream-chat", { messages: chatOf(2) });
    assert.equal(next.status, 200);
  });
});

describe("the state of a turn whose chat was cut", () => {
  const model = useModel();
  const database = useDatabase(startPglite);
  const app = useApp(model, {}, { database });
  const headers = { accept: "text/event-stream" };

  test("tells how much was left out, and the retry, on typed wires and from the row", async () => {
    // A database that has just been opened may take too long for the first turn, which is then queued.
    assert.equal((await app.chat("Hi")).status, 200);
    const server = new WindowServer(model, { windowTokens: 4_000 });
    const conversationId = randomUUID();
    const streamed = await app.post("/stream-chat", { messages: chatOf(60), conversationId }, headers);
    assert.match(streamed.body, /"context":\{"messagesLeftOut":\d+,.*"isRetried":true\}/);
    const turnId = String(streamed.headers["x-turn-id"]);
    const state = JSON.parse((await app.get(`/turns/${turnId}`)).body);
    assert.equal(state.context.isRetried, true);
    assert.ok(state.context.messagesLeftOut >= 60, JSON.stringify(state.context));
    await app.close();
    await app.start({
      ...database.variables,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      CHAT_STORE_ENABLED: "true",
    });
    assert.deepEqual(JSON.parse((await app.get(`/turns/${turnId}`)).body).context, state.context);
    // A new process has to learn the window again; the next turn needs no retry.
    await app.chat("More", { conversationId, parentId: "leaf" });
    const message = { id: "m", role: "user", parts: [{ type: "text", text: "Even more" }] };
    const shown = await app.post("/api/chat", { id: conversationId, trigger: "submit-message", message });
    assert.equal(server.refusals, 2);
    assert.match(shown.body, /"context":\{"messagesLeftOut":\d+,"imagesLeftOut":0,"resultsLeftOut":0\}/);
  });

  test("tells no retry if there is nothing shorter to be sent", async () => {
    const server = new WindowServer(model, { windowTokens: 4_000 });
    const messages = [...chatOf(2), { sender: "user", text: words.repeat(100) }];
    await app.post("/stream-chat", { messages });
    const { refusals } = server;
    const refused = await app.post("/stream-chat", { messages }, headers);
    assert.equal(server.refusals, refusals + 1);
    assert.match(refused.body, /"context":\{"messagesLeftOut":5,"imagesLeftOut":0,"resultsLeftOut":0\}/);
  });

  test("is silent about a chat that was sent whole", async () => {
    const streamed = await app.post("/stream-chat", { messages: chatOf(2) }, headers);
    assert.doesNotMatch(streamed.body, /"context"/);
  });
});
