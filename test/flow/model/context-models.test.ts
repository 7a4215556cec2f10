/** Long chats with models of other windows, other tokenizers and other refusals. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useModels } from "../../support/apps/use-models.ts";
import { useApp, useModel, useReplicas } from "../../support/apps/use-app.ts";
import { askLeaf, askWhole, toQuestion } from "../../support/model/long-chats.ts";
import { WindowServer } from "../../support/model/window-server.ts";

/** Returns a chat of so many answered questions, and one more. */
function chatOf(turns: number, toText = toQuestion): readonly { sender: string; text: string }[] {
  const answered = Array.from({ length: turns }, (_, turn) => [
    { sender: "user", text: toText(turn) },
    { sender: "assistant", text: `Reply ${turn}.` },
  ]).flat();
  return [...answered, { sender: "user", text: "And now?" }];
}

describe("a long chat", { timeout: 120_000 }, () => {
  const { models, start } = useModels();

  test("is sent to a fallback as far as it fits there, with no refusal", async () => {
    const app = await start({ primary: { windowTokens: 12_000 }, backup: { windowTokens: 4_000 } });
    models.primary.script = (call) => call.head(503).end();
    const backup = new WindowServer(models.backup, { windowTokens: 4_000 });
    const reply = await app.post("/stream-chat", { messages: chatOf(100) }, { accept: "text/event-stream" });
    assert.match(reply.body, /"attempts":.*"context":\{"messagesLeftOut":\d+/);
    assert.deepEqual([backup.refusals, backup.accepted.length], [0, 1]);
    assert.ok((models.primary.calls.at(-1)?.body.messages.length ?? 0) > (backup.accepted[0]?.messages ?? 0));
  });

  test("leaves the room that its client wants for the reply", async () => {
    const app = await start({ primary: { windowTokens: 4_000 } });
    const server = new WindowServer(models.primary, { windowTokens: 4_000 });
    for (const max_tokens of [100, 1_000, 2_500]) {
      const messages = chatOf(100).map(({ sender, text }) => ({ role: sender, content: text }));
      const model = "primary+plan";
      const reply = await app.post("/v1/chat/completions", { model, messages, max_tokens });
      assert.equal(reply.status, 200, reply.body);
    }
    assert.equal(server.refusals, 0);
    const [much, , little] = server.accepted.map(({ inputTokens }) => inputTokens);
    assert.ok((little ?? 0) < (much ?? 0), `${little} < ${much}`);
  });

  test("leaves the room for the reply that the model's own defaults ask for", async () => {
    const parameters = { defaults: { max_tokens: 2_500 } };
    const app = await start({ primary: { windowTokens: 4_000, fallback: [], parameters } });
    const server = new WindowServer(models.primary, { windowTokens: 4_000 });
    assert.equal((await app.post("/stream-chat", { messages: chatOf(100) })).status, 200);
    assert.deepEqual([server.refusals, models.primary.calls[0]?.body["max_tokens"]], [0, 2_500]);
  });

  test("is sent as it is on /v1 without the plan, and refused with advice", async () => {
    const app = await start({ primary: { windowTokens: 4_000, fallback: [] } });
    const server = new WindowServer(models.primary, { windowTokens: 4_000 });
    const messages = chatOf(100).map(({ sender, text }) => ({ role: sender, content: text }));
    const reply = await app.post("/v1/chat/completions", { model: "primary", messages });
    assert.equal(reply.status, 400);
    assert.match(
      reply.body,
      /The messages are too long .* of 4000 tokens\. Send fewer or shorter ones.*"context_too_long"/,
    );
    assert.equal(server.refusals, 1);
    assert.deepEqual(models.primary.calls[0]?.body.messages, messages);
  });

  test("whose newest message is far beyond a configured window is refused without a call", async () => {
    const app = await start({ primary: { windowTokens: 4_000, fallback: [] } });
    const reply = await app.chat(toQuestion(1).repeat(200));
    assert.equal(reply.status, 400, reply.body);
    assert.match(reply.body, /newest message is too long/);
    assert.equal(models.primary.calls.length, 0);
  });

  for (const [what, more] of [
    ["system messages", { messages: [{ role: "system", content: toQuestion(1).repeat(200) }] }],
    [
      "tools",
      { tools: [{ type: "function", function: { name: "look", description: toQuestion(1).repeat(200) } }] },
    ],
  ] as const)
    test(`whose ${what} alone fill the window is refused with advice on them, not on its newest message`, async () => {
      const app = await start({ primary: { windowTokens: 4_000, fallback: [] } });
      const { messages = [], ...fields } = { messages: undefined, ...more };
      const body = {
        model: "primary+plan",
        messages: [...messages, { role: "user", content: "Hi" }],
        ...fields,
      };
      const reply = await app.post("/v1/chat/completions", body);
      assert.equal(reply.status, 400, reply.body);
      assert.match(
        reply.body,
        /The system messages and tools leave no room .* of 4000 tokens\. Shorten them/,
      );
      assert.equal(models.primary.calls.length, 0);
    });

  test("is cut as before, although another chat has many more tokens than estimated", async () => {
    const app = await start({ primary: { windowTokens: 8_000, fallback: [] } });
    const server = new WindowServer(models.primary, { windowTokens: 8_000 });
    const ask = async (messages: object): Promise<readonly unknown[]> => {
      const reply = await app.post("/stream-chat", { messages });
      assert.equal(reply.status, 200, reply.body);
      return models.primary.calls.at(-1)?.body.messages.slice(0, 2) ?? [];
    };
    for (let turns = 90; turns < 100; turns += 1) await ask(chatOf(turns));
    const before = await ask(chatOf(100));
    const odd = Array.from(
      { length: 6_000 },
      (_, index) => "#@!$%^&*(){}[]|~"[(index * index + (index >> 3)) % 16],
    ).join("");
    await ask([{ sender: "user", text: odd }]);
    const [odds, usual] = server.accepted
      .slice(-2)
      .map(({ inputTokens }) => inputTokens)
      .toReversed();
    assert.ok((odds ?? 0) > 2_000, `${odds} tokens, ${usual} of a usual prompt`);
    assert.deepEqual(await ask(chatOf(100)), before);
  });

  for (const [name, ratio] of [
    ["three times as many", 3],
    ["half as many", 0.5],
  ] as const)
    test(`is answered by a model that counts ${name} tokens as estimated`, async () => {
      const app = await start({ primary: { windowTokens: 6_000, fallback: [] } });
      const server = new WindowServer(models.primary, { windowTokens: 6_000, ratio });
      for (let turns = 20; turns < 220; turns += 6) {
        const reply = await app.post("/stream-chat", { messages: chatOf(turns) });
        assert.equal(reply.status, 200, reply.body);
      }
      assert.ok(server.refusals <= 1, `${server.refusals} refusals`);
      const used = server.accepted.slice(-5).map(({ inputTokens }) => inputTokens);
      assert.ok(Math.min(...used) > 6_000 * 0.3, `at least ${Math.min(...used)} tokens are sent`);
    });

  test("is shortened for a server that refuses it without a number", async () => {
    const app = await start({ primary: { fallback: [] } });
    const refuse = (): object => ({ error: { message: "Input is too long for requested model." } });
    const server = new WindowServer(models.primary, { windowTokens: 4_000, refuse });
    const reply = await app.post("/stream-chat", { messages: chatOf(100) });
    assert.equal(reply.status, 200, reply.body);
    assert.deepEqual([server.refusals, server.accepted.length], [1, 1]);
  });
});

describe("two replicas", { timeout: 120_000 }, () => {
  const { model, here, there } = useReplicas();

  test("cut a chat at the same place, so that the cache serves both", async () => {
    const server = new WindowServer(model, { windowTokens: 4_000 });
    const id = randomUUID();
    const asks = [askLeaf(here, id), askLeaf(there, id)];
    for (let turn = 0; turn < 80; turn += 1) await asks[turn % 2]?.(turn);
    assert.equal(server.accepted.length, 80);
    const share = server.cachedShare(50);
    assert.ok(share >= 0.8, `${(share * 100).toFixed(1)} % cached`);
  });
});

describe("a branch in the middle of a long chat", () => {
  const model = useModel();
  const app = useApp(model);

  test("is sent from its own start on, and the first branch is cached still", async () => {
    const server = new WindowServer(model, { windowTokens: 2_500 });
    const ask = askWhole(app, randomUUID());
    for (let turn = 0; turn < 60; turn += 1) await ask(turn);
    const before = server.accepted.at(-1);
    const edited = [...chatOf(20).slice(0, -1), { sender: "user", text: "Another question" }];
    assert.equal((await app.post("/stream-chat", { messages: edited })).status, 200);
    await ask(60);
    const after = server.accepted.at(-1);
    assert.ok(
      (after?.cachedTokens ?? 0) >= (before?.inputTokens ?? 0) * 0.9,
      JSON.stringify([before, after]),
    );
  });
});
