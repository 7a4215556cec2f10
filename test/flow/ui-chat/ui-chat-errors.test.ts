/**
 * Failures in a `useChat` client: the message shown, the rows left, and that the chat continues afterwards.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { errorTable } from "../../../src/base/error-table.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { type Script } from "../../support/model/scripted-model.ts";
import { ObservedChat, promptOf } from "../../support/clients/ui-chat.ts";
import { useApp, makeTestFolder, useModel, useStartApp } from "../../support/apps/use-app.ts";

const secret = JSON.stringify({ error: { message: "sk-secret is wrong", code: "upstream" } });
const json = { "content-type": "application/json" };
const again = "- b\n---RESPONSE---\nNow.";

describe("a useChat client", { timeout: 120_000 }, () => {
  const clock = new ManualClock();
  const model = useModel();
  const app = useApp(
    model,
    { CHAT_STORE_ENABLED: "true", MODEL_FIRST_BYTE_TIMEOUT_MS: "7000", MODEL_IDLE_TIMEOUT_MS: "9000" },
    { clock },
  );

  async function rowsOf(shown: ObservedChat, userId: string): Promise<unknown[]> {
    const conversationId = shown.last.metadata?.conversationId ?? "";
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    return rows.map(({ content, status }) => [content, status]);
  }

  /** Lets the time before the model's second attempt pass. */
  const retry = async (): Promise<void> =>
    // 800 is the search's.
    clock.advance(await clock.timerThat((waitMs) => waitMs > 500 && waitMs <= 1_000 && waitMs !== 800));

  /** A failure of the model, its code, and the time that must pass until it is detected. */
  const early: readonly [string, ErrorCode, Script, () => unknown][] = [
    ["answers 500", "model_unavailable", (call) => call.head(500, json).end(secret), retry],
    ["answers 429", "model_rate_limited", (call) => call.head(429, json).end(secret), retry],
    ["answers 401", "model_unauthorized", (call) => call.head(401, json).end(secret), () => {}],
    [
      "reports an error",
      "model_failed",
      (call) => call.event({ error: { message: "sk-secret" } }).end(),
      retry,
    ],
    ["breaks the connection", "model_unavailable", (call) => call.destroy(), retry],
    ["says nothing", "empty_reply", (call) => call.finish(), () => {}],
    ["is silent", "model_silent", (call) => call.head(), () => clock.pass(7_000)],
  ];
  for (const [how, code, script, pass] of early) {
    test(`whose model ${how} before any text shows only Foreword's message, and can send another`, async () => {
      const userId = randomUUID();
      const shown = new ObservedChat(app.url, { userId });
      const { call, sending } = await shown.ask(model, "Hi");
      model.script = script;
      // Its message is stored: otherwise the time would pass for the database.
      await shown.until(() => shown.chat.messages.length === 2);
      await script(call);
      await pass();
      await sending;
      assert.equal(shown.chat.status, "error");
      assert.equal(shown.chat.error?.message, errorTable[code].publicMessage);
      assert.deepEqual(shown.ends, [{ isAbort: false, isError: true, finishReason: undefined }]);
      const { outcome, errorCode } = shown.last.metadata ?? {};
      assert.deepEqual([outcome, errorCode], ["failed", code]);
      assert.deepEqual(
        shown.chat.messages.map(({ role, parts }) => [role, parts.map(({ type }) => type)]),
        [
          ["user", ["text"]],
          ["assistant", ["step-start"]],
        ],
      );
      assert.doesNotMatch(JSON.stringify([shown.chat.messages, String(shown.chat.error)]), /secret|upstream/);
      const prompt = await shown.say(model, "Again", again);
      assert.deepEqual([shown.chat.status, shown.chat.error, shown.text], ["ready", undefined, "Now."]);
      assert.deepEqual(prompt, [
        ["user", "Hi"],
        ["user", "Again"],
      ]);
      assert.deepEqual(await rowsOf(shown, userId), [
        ["Hi", null],
        ["Again", null],
        ["Now.", "complete"],
      ]);
    });
  }

  test("whose reply failed before any text may regenerate it instead", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    model.script = (call) => call.head(401, json).end(secret);
    await shown.chat.sendMessage({ text: "Hi" });
    model.say(again);
    await shown.chat.regenerate();
    assert.equal(shown.chat.status, "ready");
    assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Hi"]]);
    assert.deepEqual(await rowsOf(shown, userId), [
      ["Hi", null],
      ["Now.", "complete"],
    ]);
  });

  const late: readonly [string, ErrorCode, Script][] = [
    ["ends without saying why", "model_truncated", (call) => call.end()],
    ["resets the connection", "model_truncated", (call) => call.destroy()],
    ["reports an error", "model_failed", (call) => call.event({ error: { message: "sk-secret" } }).end()],
    ["goes silent", "model_stalled", () => clock.pass(9_000)],
  ];
  for (const [how, code, script] of late) {
    test(`whose model ${how} after text began keeps that text with Foreword's message, and can continue from it`, async () => {
      const userId = randomUUID();
      const shown = new ObservedChat(app.url, { userId });
      const { call, sending } = await shown.ask(model, "Hi");
      call.text("- a\n---RESPONSE---\nSo far");
      await shown.until(() => shown.text === "So far");
      await script(call);
      await sending;
      assert.deepEqual(
        [shown.chat.status, shown.chat.error?.message, shown.text],
        ["error", errorTable[code].publicMessage, "So far"],
      );
      assert.deepEqual([shown.last.metadata?.outcome, shown.last.metadata?.errorCode], ["failed", code]);
      assert.doesNotMatch(JSON.stringify(shown.chat.messages), /secret/);
      const prompt = await shown.say(model, "Go on", again);
      assert.deepEqual(prompt, [
        ["user", "Hi"],
        ["assistant", "So far"],
        ["user", "Go on"],
      ]);
      assert.deepEqual(await rowsOf(shown, userId), [
        ["Hi", null],
        ["So far", "failed"],
        ["Go on", null],
        ["Now.", "complete"],
      ]);
    });
  }

  test("whose reply is cut off in its plan keeps the plan, which is not sent to the model", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    model.script = (call) => call.text("- a\n- b").end();
    await shown.chat.sendMessage({ text: "Hi" });
    assert.equal(shown.chat.status, "error");
    assert.equal(shown.plans.at(-1)?.text, "- a\n- b");
    assert.deepEqual(await shown.say(model, "Again", again), [
      ["user", "Hi"],
      ["user", "Again"],
    ]);
    assert.deepEqual(await rowsOf(shown, userId), [
      ["Hi", null],
      ["", "failed"],
      ["Again", null],
      ["Now.", "complete"],
    ]);
  });

  test("whose message is refused shows how to fix it, and its chat continues", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    const sheet = {
      type: "file" as const,
      mediaType: "text/csv",
      url: "data:text/csv;base64,YSxi",
    };
    const calls = model.calls.length;
    await shown.chat.sendMessage({ text: "Read it", files: [sheet] });
    assert.deepEqual(shown.statuses, ["ready", "submitted", "error"]);
    assert.equal(
      shown.chat.error?.message,
      "This file (text/csv) cannot be read. Attach a PNG, JPEG, GIF or WebP image or a PDF, or paste the text of the file.",
    );
    assert.equal(shown.chat.messages.length, 1);
    assert.equal(model.calls.length, calls);
    model.say(again);
    await shown.chat.sendMessage({ text: "Well then" });
    assert.deepEqual([shown.chat.status, shown.text], ["ready", "Now."]);
    assert.deepEqual(await rowsOf(shown, userId), [
      ["Read it", null],
      ["Well then", null],
      ["Now.", "complete"],
    ]);
  });

  test("whose message was empty is told so, and its chat continues without it", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    await shown.chat.sendMessage({ text: " " });
    assert.equal(shown.chat.error?.message, "messages: Last message must have a text or an image");
    model.say(again);
    await shown.chat.sendMessage({ text: "Hi" });
    assert.deepEqual(await rowsOf(shown, userId), [
      ["Hi", null],
      ["Now.", "complete"],
    ]);
  });
});

describe("a useChat client of a server that shuts down", { timeout: 60_000 }, () => {
  const model = useModel();
  const startApp = useStartApp(model);

  test("keeps the text so far with Foreword's message, and continues with the next server", async (context) => {
    const variables = { CHAT_STORE_ENABLED: "true", DATA_DIR: await makeTestFolder(context) };
    const clock = new ManualClock();
    const app = await startApp(variables, clock);
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nHalf");
    await shown.until(() => shown.text === "Half");
    const closing = app.close(10_000);
    const late = new ObservedChat(app.url, { userId });
    await late.chat.sendMessage({ text: "Me too" });
    assert.deepEqual(
      [late.chat.status, late.chat.error?.message, late.chat.messages.length],
      ["error", "The server is shutting down. Try again shortly.", 1],
    );
    await clock.timer(10_000);
    await clock.pass(10_000);
    await sending;
    assert.deepEqual(
      [shown.chat.status, shown.chat.error?.message, shown.text, shown.last.metadata?.outcome],
      ["error", "The server stopped before the reply was complete.", "Half", "interrupted"],
    );
    await closing;
    const next = await startApp(variables, new ManualClock()); // by this clock no write is late
    model.say(again);
    const reopened = new ObservedChat(next.url, { id: shown.chat.id, userId, messages: shown.chat.messages });
    await reopened.chat.sendMessage({ text: "Go on" });
    assert.deepEqual([reopened.chat.status, reopened.text], ["ready", "Now."]);
    const conversationId = shown.last.metadata?.conversationId ?? "";
    assert.equal(reopened.last.metadata?.conversationId, conversationId);
    const rows = await readMessages(next.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["Half", "interrupted"],
        ["Go on", null],
        ["Now.", "complete"],
      ],
    );
  });
});
