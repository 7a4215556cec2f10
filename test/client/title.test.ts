/** The title that follows a turn: the client has it without waiting for it at the turn's end. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createClient } from "../../packages/foreword-client/src/client.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import type { ScriptedCall } from "../support/model/scripted-model.ts";

describe("the title of a conversation's first turn", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true", TITLE_MODEL: "titles" });
  const userId = randomUUID();
  const connect = () => createClient({ baseUrl: app.url, userId });

  /** Answers questions; resolves with the request for a title. */
  function answerAll(): Promise<ScriptedCall> {
    const title = Promise.withResolvers<ScriptedCall>();
    model.script = (call) => {
      if (String(call.body.messages[0]?.content).startsWith("Write a title")) title.resolve(call);
      else call.text("- p\n---RESPONSE---\nSunny.").finish();
    };
    return title.promise;
  }

  const ask = (conversationId: string) =>
    connect().start({ messages: [{ sender: "user", text: "The weather?" }], conversationId });

  test("comes after the end of its loop and its reply, which do not wait for it", async () => {
    const asked = answerAll();
    const turn = ask(randomUUID());
    const types = (await Array.fromAsync(turn)).map(({ type }) => type);
    assert.equal(types.at(-1), "turn-end");
    assert.equal((await turn.reply()).outcome, "complete");
    (await asked).text("Weather").finish();
    assert.equal(await turn.title(), "Weather");
    assert.equal(await turn.title(), "Weather");
  });

  test("is undefined for later turns, and for turns that are resumed, left or cannot be read", async () => {
    const asked = answerAll();
    const conversationId = randomUUID();
    const client = connect();
    const first = ask(conversationId);
    const title = first.title(); // which reads the turn
    (await asked).text("Weather").finish();
    assert.equal(await title, "Weather");
    const later = client.start({
      messages: [{ sender: "user", text: "And now?" }],
      conversationId,
      parentId: first.id,
    });
    await later.reply();
    assert.equal(await later.title(), undefined);
    const resumed = client.resume(first.id);
    await resumed.reply();
    assert.equal(await resumed.title(), undefined);
    const left = client.resume(first.id);
    for await (const _ of left) break;
    assert.equal(await left.title(), undefined);
    assert.equal(await client.resume(randomUUID()).title(), undefined);
  });

  test("ends with the signal of its turn", async () => {
    const asked = answerAll();
    const controller = new AbortController();
    const messages = [{ sender: "user", text: "The weather?" }] as const;
    const turn = connect().start({ messages }, { signal: controller.signal });
    await turn.reply();
    const call = await asked;
    controller.abort();
    assert.equal(await turn.title(), undefined);
    call.text("Weather").finish();
  });
});
