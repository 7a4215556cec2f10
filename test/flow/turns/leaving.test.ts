/** Clients that disconnect and servers that shut down: the effect on the wire and on the rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { readResponse, openTurn } from "../../support/apps/start-app.ts";
import { useModel, useApp, useStartApp, makeTestFolder } from "../../support/apps/use-app.ts";
import { Stopwatch } from "../../support/process/stopwatch.ts";

describe("a client that disconnects, with ON_DISCONNECT=abort,", () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true", ON_DISCONNECT: "abort" });

  const moments: readonly [string, string, readonly (string | undefined)[][]][] = [
    [
      "in the plan",
      "- Look at",
      [
        ["user", "Hi", undefined],
        ["assistant", "", "- Look at"],
      ],
    ],
    [
      "in the answer",
      "- a\n---RESPONSE---\nSo far",
      [
        ["user", "Hi", undefined],
        ["assistant", "So far", "- a"],
      ],
    ],
  ];
  for (const [moment, text, rows] of moments) {
    test(`${moment} cancels the model within a second, and the text so far is stored as stopped`, async () => {
      const [userId, conversationId] = [randomUUID(), randomUUID()];
      const { call, opening } = await openTurn(app, model, { userId, conversationId });
      call.text(text);
      const response = await opening;
      await once(response, "readable");
      const watch = new Stopwatch();
      response.destroy();
      await call.closed;
      assert.ok(watch.ownMs < 1_000, `${watch.ownMs} ms`);
      const line = await app.logged((found) => found["conversationId"] === conversationId);
      assert.equal(line["outcome"], "stopped");
      const messages = await readMessages(app.app.store.database, conversationId, userId);
      assert.deepEqual(
        messages.map(({ role, content, metadata }) => [role, content, metadata?.["plan"]]),
        rows,
      );
      assert.equal(messages.at(-1)?.status, "stopped");
    });
  }

  test("before the first text cancels the model as well, and its message stays", async () => {
    const [userId, conversationId] = [randomUUID(), randomUUID()];
    const { call, opening } = await openTurn(app, model, { userId, conversationId });
    app.app.http.server.closeAllConnections();
    await assert.rejects(opening);
    await call.closed;
    const line = await app.logged((found) => found["conversationId"] === conversationId);
    assert.equal(line["outcome"], "stopped");
    const messages = await readMessages(app.app.store.database, conversationId, userId);
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["Hi"],
    );
  });
});

describe("a server that shuts down", () => {
  const model = useModel();
  const startApp = useStartApp(model);

  test("lets a running reply finish, accepts no new turn meanwhile, and exits afterwards", async () => {
    const clock = new ManualClock();
    const app = await startApp({}, clock);
    const { call, opening } = await openTurn(app, model);
    call.text("- a\n---RESPONSE---\n").text("Half,");
    const response = await opening;
    const closing = app.close(10_000);
    const refused = await app.chat("Me too");
    assert.equal(refused.status, 503);
    assert.equal(JSON.parse(refused.body).code, "server_stopping");
    assert.equal(refused.headers["retry-after"], "5");
    const ready = await app.get("/readyz");
    assert.equal(ready.status, 503);
    assert.equal(JSON.parse(ready.body).parts.turns.status, "draining");
    assert.equal((await app.get("/healthz")).status, 200);
    call.text(" whole.").finish();
    const { body, isComplete } = await readResponse(response);
    assert.deepEqual([body, isComplete], ["- a\n---RESPONSE---\nHalf, whole.", true]);
    await closing;
    await assert.rejects(app.get("/healthz"), { code: "ECONNREFUSED" });
  });

  test("interrupts a reply that outlasts DRAIN_SECONDS, for its client and in its row", async (context) => {
    const variables = { CHAT_STORE_ENABLED: "true", DATA_DIR: await makeTestFolder(context) };
    const clock = new ManualClock();
    const app = await startApp(variables, clock);
    const [userId, conversationId] = [randomUUID(), randomUUID()];
    const { call, opening } = await openTurn(app, model, { userId, conversationId });
    call.text("- a\n---RESPONSE---\n").text("Half");
    const reading = readResponse(await opening);
    const closing = app.close(10_000);
    await clock.timer(10_000);
    await clock.pass(10_000);
    const { body, isComplete } = await reading;
    assert.equal(
      body,
      "- a\n---RESPONSE---\nHalf\n[error] interrupted: The server stopped before the reply was complete.\n",
    );
    assert.equal(isComplete, false);
    await call.closed;
    await closing;
    const again = await startApp(variables);
    const messages = await readMessages(again.app.store.database, conversationId, userId);
    assert.deepEqual(
      messages.map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["Half", "interrupted"],
      ],
    );
  });

  test("does not wait for a client that does not read a reply that has ended", async () => {
    const clock = new ManualClock();
    const app = await startApp({}, clock);
    const connection = once(app.app.http.server, "connection");
    const { call, opening } = await openTurn(app, model);
    call.text("- a\n---RESPONSE---\n").text("So");
    const reading = readResponse(await opening);
    const [socket]: Socket[] = await connection;
    socket?.cork();
    for (let sent = 0; sent < 20; sent += 1) call.text("x".repeat(16 * 1024));
    call.finish();
    await app.logged(({ msg }) => msg === "turn");
    const closing = app.close(10_000);
    await clock.timer(1_000);
    clock.advance(1_000);
    await closing;
    assert.equal((await reading).isComplete, false);
  });
});
