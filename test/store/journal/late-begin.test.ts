/** A turn whose begin is late: the client is told nothing that turns out wrong, and gets the whole reply. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client } from "pg";
import { z } from "zod";
import { ManualClock } from "../../support/manual-clock.ts";
import { toEventData } from "../../support/clients/openai-wire.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { ScriptedModel, toChunk } from "../../support/model/scripted-model.ts";
import { readResponse, startApp, type RunningApp } from "../../support/apps/start-app.ts";
import { readTypedEvents } from "../../support/clients/wire-readers.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";

const Event = z.looseObject({ type: z.string(), text: z.string().default("") });

describe("a turn whose begin takes more than 500 ms", { timeout: 60_000 }, () => {
  let harness: Awaited<ReturnType<typeof startPostgresHarness>>;
  let model: ScriptedModel;
  let clock: ManualClock;
  let app: RunningApp;
  /** Blocks new messages in existing conversations. */
  let lock: Client;
  before(async () => {
    [harness, model] = await Promise.all([startPostgresHarness(), ScriptedModel.start()]);
    clock = new ManualClock();
    const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
    app = await startApp({ ...base, ...harness.variables, SHOW_REASONING: "true" }, clock);
    lock = new Client({ connectionString: harness.server.url });
    await lock.connect();
  });
  after(async () => {
    await lock.end();
    await app.close();
    await model.close();
    await harness.stop();
  });

  /** Runs a turn, and returns the chat that continues it; the next begin will wait for {@link lock}. */
  async function beginLate(): Promise<{ conversationId: string; userId: string; messages: object[] }> {
    const userId = randomUUID();
    model.say("- Think\n---RESPONSE---\n", "Hello.");
    const first = await app.chat("Hi", { userId });
    await lock.query("begin");
    await lock.query("select from conversations for update");
    const messages = [
      { sender: "user", text: "Hi" },
      { sender: "bot", text: first.body },
      { sender: "user", text: "And?" },
    ];
    return { conversationId: String(first.headers["x-conversation-id"]), userId, messages };
  }

  test("names no conversation if it may continue a stored one, and is stored there once the database responds", async () => {
    const { conversationId, userId, messages } = await beginLate();
    const next = model.nextCall();
    const opening = app.open("POST", "/stream-chat", { messages, userId });
    const call = await next; // the begin is on its way, too
    clock.advance(500);
    call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
    const answer = await opening;
    assert.equal(answer.headers["x-conversation-id"], undefined);
    assert.ok(answer.headers["x-turn-id"] !== undefined);
    await lock.query("commit");
    assert.ok((await readResponse(answer)).isComplete);
    const stored = (): number =>
      app.logs.filter(
        ({ msg, turnId }) => msg === "queued write stored" && turnId === answer.headers["x-turn-id"],
      ).length;
    await app.logged(() => stored() === 2);
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content }) => content),
      ["Hi", "Hello.", "And?", "Hello."],
    );
  });

  for (const [how, texts] of [
    ["that thinks long", ["Hello."]],
    ["that also answers long", Array.from({ length: 400 }, (_, index) => `é${index} `)],
  ] as const) {
    test(`of a model ${how} meanwhile returns all of the reasoning and text as typed events`, async () => {
      const { userId, messages } = await beginLate();
      const next = model.nextCall();
      const typed = { accept: "text/event-stream" };
      const asking = app.post("/stream-chat", { messages, userId }, typed);
      const call = await next;
      const thoughts = Array.from({ length: 900 }, (_, index) => `${index}, `);
      for (const thought of thoughts) call.event(toChunk({ reasoning_content: thought }));
      call.text("- p\n---RESPONSE---\n");
      for (const text of texts) call.text(text);
      call.event(toChunk({}, "stop")).raw("data: [DONE]\n\n");
      await clock.timer(1_000); // the server has read all of it, and waits for the end of the body
      call.end();
      await lock.query("commit");
      const answer = await asking;
      assert.deepEqual(readTypedEvents(answer), {
        plan: "- p",
        answer: texts.join(""),
        outcome: "complete",
        code: undefined,
        calls: [],
      });
      const events = toEventData(answer.body).map((data) => Event.parse(JSON.parse(data)));
      const reasoning = events.map(({ type, text }) => (type === "reasoning-delta" ? text : ""));
      assert.equal(reasoning.join(""), thoughts.join(""));
    });
  }
});
