/** How much of a stored path is read: as much as the window of the turn's model may hold. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { startPglite } from "../../support/databases/store-harness.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { useModels } from "../../support/apps/use-models.ts";

/** About 30,000 characters and 6,000 tokens. */
const chapter = "The lamp was lit at six, and two ships passed the harbour before dawn. ".repeat(420);
const chapters = 20;
/** More characters than are read without a known window. */
const allChars = chapter.length * chapters;

describe("a stored path", { timeout: 300_000 }, () => {
  const database = useDatabase(startPglite);
  const { models, start } = useModels(database);
  const { primary, backup } = models;

  /** Stores a long chat; returns how to ask about it: the characters of chapters that the model gets. */
  async function store(app: RunningApp): Promise<string> {
    const conversationId = randomUUID();
    const messages = Array.from({ length: chapters }, (_, index) => [
      { sender: "user", text: `Chapter ${index}: ${chapter}` },
      { sender: "assistant", text: "Noted." },
    ]).flat();
    const body = { messages: [...messages, { sender: "user", text: "Ready?" }], conversationId };
    assert.equal((await app.post("/stream-chat", body)).status, 200);
    return conversationId;
  }

  async function ask(app: RunningApp, conversationId: string, model: string): Promise<readonly number[]> {
    const sentTo = model === "backup" ? backup : primary;
    const messages = [{ sender: "user", text: "Which ships?" }];
    await app.post("/stream-chat", { messages, conversationId, parentId: "leaf", model });
    const message = { id: randomUUID(), role: "user", parts: [{ type: "text", text: "And when?" }] };
    await app.post("/api/chat", { id: conversationId, trigger: "submit-message", message, model });
    return sentTo.calls
      .slice(-2)
      .map(({ body }) =>
        body.messages.reduce((sum, { content }) => sum + (String(content).length > 10_000 ? 1 : 0), 0),
      );
  }

  test("is read whole for a window that holds it, and by 400,000 characters for an unknown one", async () => {
    const windowTokens = 400_000;
    const app = await start({ primary: { windowTokens, fallback: [] }, backup: { fallback: [] } });
    const id = await store(app);
    assert.deepEqual(await ask(app, id, "primary"), [chapters, chapters]);
    for (const count of await ask(app, id, "backup"))
      assert.ok(count < 400_000 / chapter.length && count > 200_000 / chapter.length, `${count} chapters`);
    assert.ok(allChars > 500_000);
  });

  test("is read no further than MODEL_CONTEXT_CHARS if that is set, however large the window", async () => {
    const variables = { MODEL_CONTEXT_CHARS: "100000" };
    const app = await start({ primary: { windowTokens: 1_000_000, fallback: [] } }, variables);
    const id = await store(app);
    for (const count of await ask(app, id, "primary")) assert.ok(count <= 3, `${count} chapters`);
  });

  test("is read as far as the largest window of the model and its fallbacks holds", async () => {
    const app = await start({
      primary: { windowTokens: 20_000, fallback: ["backup"] },
      backup: { windowTokens: 400_000, fallback: [] },
    });
    const id = await store(app);
    primary.script = (call) => call.head(503).end();
    backup.say("- p\n---RESPONSE---\nTwo.");
    assert.deepEqual(await ask(app, id, "primary").then(() => backup.calls.length > 1), true);
    const { messages } = backup.calls.at(-1)?.body ?? assert.fail();
    assert.equal(messages.filter(({ content }) => String(content).length > 10_000).length, chapters);
  });
});
