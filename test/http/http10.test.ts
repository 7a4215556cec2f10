/** Replies in HTTP/1.0, whose body ends with its connection: one that is cut off ends in a reset, never in good order. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const text = `- a\n---RESPONSE---\n${"0123456789".repeat(20_000)}`;
const lastWords = /\n\[error\] model_truncated: .*\n$/;

/** What came on a connection, and how it ended. */
interface Ending {
  readonly body: string;
  /** `ECONNRESET`; `undefined` for an end in good order. */
  readonly code: unknown;
}

describe("in HTTP/1.0", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  /** Asks for a turn; reads nothing yet. */
  function ask(server: RunningApp, accept = "text/plain"): Socket {
    const body = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1").pause();
    socket.write(
      `POST /stream-chat HTTP/1.0\r\nHost: localhost\r\nAccept: ${accept}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return socket;
  }

  async function readToEnd(socket: Socket): Promise<Ending> {
    const chunks: Buffer[] = [];
    let code: unknown;
    socket
      .on("data", (chunk: Buffer) => chunks.push(chunk))
      .on("error", (error) => (code = "code" in error && error.code));
    await new Promise((resolve) => socket.once("close", resolve).resume());
    const whole = Buffer.concat(chunks).toString();
    return { body: whole.slice(whole.indexOf("\r\n\r\n") + 4), code };
  }

  test("a reply that the model breaks off comes whole, with its last words, and then a reset", async () => {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const next = model.nextCall();
      const reading = readToEnd(ask(app));
      (await next).text(text).end();
      const { body, code } = await reading;
      assert.equal(code, "ECONNRESET");
      assert.equal(body.replace(lastWords, ""), text);
      assert.match(body, lastWords);
    }
  });

  test("a reply that is complete ends in good order", async () => {
    const next = model.nextCall();
    const reading = readToEnd(ask(app));
    (await next).text(text).finish();
    assert.deepEqual(await reading, { body: text, code: undefined });
  });

  test("typed events say so themselves, and end in good order", async () => {
    const next = model.nextCall();
    const reading = readToEnd(ask(app, "text/event-stream"));
    (await next).text(text).end();
    const { body, code } = await reading;
    assert.match(body, /event: turn-error[^]*event: turn-end/);
    assert.equal(code, undefined);
  });

  test("a client that stopped reading for 30 s is reset, not given an end in good order", async () => {
    const clock = new ManualClock();
    const stalled = await startApp({ OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" }, clock);
    try {
      const connection = once(stalled.app.http.server, "connection");
      const next = model.nextCall();
      const socket = ask(stalled);
      const [atServer]: Socket[] = await connection;
      atServer?.cork(); // what is written from now on stays here, as if the client took nothing
      const reading = readToEnd(socket);
      (await next).text(`- a\n---RESPONSE---\n${"x".repeat(256 * 1024)}`);
      await clock.timer(30_000);
      clock.advance(30_000);
      assert.deepEqual(await reading, { body: "", code: "ECONNRESET" });
    } finally {
      await stalled.close();
    }
  });

  test("a client that has not read its reply when the server closes is reset, too", async () => {
    const clock = new ManualClock();
    const closed = await startApp({ OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" }, clock);
    const connection = once(closed.app.http.server, "connection");
    const next = model.nextCall();
    const socket = ask(closed);
    const [atServer]: Socket[] = await connection;
    atServer?.cork();
    const ended = closed.logged(({ msg }) => msg === "turn");
    (await next).text(`- a\n---RESPONSE---\n${"x".repeat(256 * 1024)}`).finish();
    await ended;
    const reading = readToEnd(socket);
    const closing = closed.close();
    await clock.timer(1_000);
    clock.advance(1_000);
    await closing;
    assert.equal((await reading).code, "ECONNRESET");
  });

  test("the log says once that it is a risk", () => {
    const warnings = app.logs.filter(({ msg }) => msg.includes("HTTP/1.0"));
    assert.equal(warnings.length, 1);
    assert.equal(warnings[0]?.["level"], 40);
  });
});
