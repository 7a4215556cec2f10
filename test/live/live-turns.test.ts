/** The order of the checks before a turn starts. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { chatFor, codeOf, keyedVariables } from "../support/apps/keyed-server.ts";
import { startApp } from "../support/apps/start-app.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";

describe("LiveTurns", { timeout: 120_000 }, () => {
  test("refuses a turn over its user's limit before it reads the message that the turn continues", async () => {
    const model = await ScriptedModel.start();
    const app = await startApp({
      ...keyedVariables,
      CHAT_STORE_ENABLED: "true",
      LIMIT_CONCURRENT_TURNS: "1",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
    });
    const userId = randomUUID();
    const unknown = { parentId: randomUUID() };
    assert.equal(codeOf(await chatFor(userId, app, unknown)), "message_not_found");
    const next = model.nextCall();
    const running = chatFor(userId, app);
    const call = await next;
    assert.equal(codeOf(await chatFor(userId, app, unknown)), "too_many_turns");
    call.text("- p\n---RESPONSE---\nHello.");
    call.finish();
    await running;
    await app.close();
    await model.close();
  });
});
