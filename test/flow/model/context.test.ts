/** Chats that are longer than the window of their model. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { useApp, useModel } from "../../support/apps/use-app.ts";
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

  test("fails if its newest message alone is too long", async () => {
    const messages = [...chatOf(2), { sender: "user", text: words.repeat(100) }];
    const refused = await app.post("/stream-chat", { messages });
    assert.equal(refused.status, 400);
    assert.match(refused.body, /context_too_long/);
    const next = await app.post("/stream-chat", { messages: chatOf(2) });
    assert.equal(next.status, 200);
  });
});
