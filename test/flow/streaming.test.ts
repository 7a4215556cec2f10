/**
 * A streaming reply as its client sees it: bytes as soon as they are known, headers, and no faster than it
 * reads.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { openTurn, readResponse } from "../support/apps/start-app.ts";
import { useApp, makeTestFolder, useModel, useStartApp } from "../support/apps/use-app.ts";
import { readUntil } from "../support/clients/read-until.ts";

describe("a streamed reply", () => {
  const model = useModel();
  const app = useApp(model);

  test("shows the plan while the model is still planning, and the answer while it is still answering", async () => {
    const { call, opening } = await openTurn(app, model);
    call.text("- Look it");
    const response = await opening;
    assert.equal(await readUntil(response, "- Look it"), "- Look it");
    call.text(" up\n- Answer\n---RESPONSE---\nIt");
    assert.equal(await readUntil(response, "It"), " up\n- Answer\n---RESPONSE---\nIt");
    call.text(" is").text(" so.");
    assert.equal(await readUntil(response, "so."), " is so.");
    call.finish();
    assert.ok((await readResponse(response)).isComplete);
  });

  test("holds back a plan only if it may be the start of a boundary", async () => {
    const { call, opening } = await openTurn(app, model);
    call.text("- One --");
    const response = await opening;
    assert.equal(await readUntil(response, "One"), "- One");
    call.text("- two");
    assert.equal(await readUntil(response, "two"), " --- two");
    call.finish();
    const { body: rest } = await readResponse(response);
    assert.equal(rest, "\n---RESPONSE---\n- One --- two");
  });

  test("has the headers that keep proxies from buffering it and that name the turn", async () => {
    model.say("- a\n---RESPONSE---\nb");
    const { headers, status } = await app.chat("Hi");
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(headers["x-accel-buffering"], "no");
    assert.equal(headers["cache-control"], "no-store, no-transform");
    assert.match(String(headers["x-turn-id"]), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
    assert.match(String(headers["x-conversation-id"]), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
  });

  test("goes to the conversation that the client names", async () => {
    const conversationId = "01890000-0000-7000-8000-0000000000AB";
    const { headers } = await app.chat("Hi", { conversationId });
    assert.equal(headers["x-conversation-id"], conversationId.toLowerCase());
  });

  test("is never written faster than its client reads: the log waits, not a copy of it", async () => {
    const connection = once(app.app.http.server, "connection");
    const piece = "x".repeat(16 * 1024);
    const { call, opening } = await openTurn(app, model);
    call.text("- a\n---RESPONSE---\n");
    const response = await opening;
    // The client's side of a loopback connection buffers megabytes: hold the data back on the server's side.
    const [socket]: Socket[] = await connection;
    assert.ok(socket !== undefined);
    socket.cork();
    for (let sent = 0; sent < 100; sent += 1) call.text(piece);
    call.finish();
    await app.logged(
      ({ msg, conversationId }) => msg === "turn" && conversationId === response.headers["x-conversation-id"],
    );
    assert.ok(socket.writableLength < 256 * 1024, `${socket.writableLength} bytes wait in the socket`);
    socket.uncork();
    const { body: read, isComplete } = await readResponse(response);
    assert.ok(isComplete);
    assert.equal(read, `- a\n---RESPONSE---\n${piece.repeat(100)}`);
  });

  test("is cut with reply_too_large once it passes 2 MiB, and its model is told to stop", async () => {
    const piece = "y".repeat(128 * 1024);
    const next = model.nextCall();
    const answering = app.chat("Hi");
    const call = await next;
    call.text("- a\n---RESPONSE---\n");
    for (let sent = 0; sent < 17; sent += 1) call.text(piece);
    const answer = await answering;
    await call.closed;
    assert.equal(answer.isComplete, false);
    assert.ok(answer.body.endsWith("y\n[error] reply_too_large: The model's reply is larger than 2 MiB.\n"));
    assert.ok(Buffer.byteLength(answer.body) <= 2 * 1024 * 1024 + 100);
  });
});

describe("a turn with CHAT_STORE_ENABLED=false", () => {
  const startApp = useStartApp(useModel());

  test("gets its reply and leaves nothing behind", async (context) => {
    const path = await makeTestFolder(context);
    const app = await startApp({ CHAT_STORE_ENABLED: "false", DATA_DIR: path });
    assert.equal((await app.chat("Hi")).status, 200);
    await app.close();
    assert.equal(app.app.store.database, undefined);
    assert.deepEqual(await readdir(path), []);
    assert.deepEqual(
      app.logs.map(({ msg }) => msg),
      ["turn"],
    );
  });
});
