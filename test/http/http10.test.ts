/**
 * Replies in HTTP/1.0, where the end of the connection ends the body: one that is cut off ends with a reset.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const text = `- a\n---RESPONSE---\n${"0123456789".repeat(20_000)}`;
const lastWords = /\n\[error\] model_truncated: .*\n$/;

/** The bytes of a connection, and how it ended. */
interface Ending {
  readonly body: string;
  /** `ECONNRESET`; `undefined` for a clean end. */
  readonly code: unknown;
}

describe("in HTTP/1.0", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  /** Starts a turn; reads nothing yet. */
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

  test("a reply that the model cuts off arrives whole, with its error line, and then a reset", async () => {
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

  test("a complete reply ends cleanly", async () => {
    const next = model.nextCall();
    const reading = readToEnd(ask(app));
    (await next).text(text).finish();
    assert.deepEqual(await reading, { body: text, code: undefined });
  });

  test("typed events carry the error themselves, and end cleanly", async () => {
    const next = model.nextCall();
    const reading = readToEnd(ask(app, "text/event-stream"));
    (await next).text(text).end();
    const { body, code } = await reading;
    assert.match(body, /event: turn-error[^]*event: turn-end/);
    assert.equal(code, undefined);
  });

  test("a client that stopped reading for 30 s gets a reset, not a clean end", async () => {
    const clock = new ManualClock();
    const stalled = await startApp({ OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" }, clock);
    try {
      const connection = once(stalled.app.http.server, "connection");
      const next = model.nextCall();
      const socket = ask(stalled);
      const [atServer]: Socket[] = await connection;
      atServer?.cork(); // later bytes stay here, as if the client read nothing
      const reading = readToEnd(socket);
      (await next).text(`- a\n---RESPONSE---\n${"x".repeat(256 * 1024)}`);
      await clock.timer(30_000);
      clock.advance(30_000);
      assert.deepEqual(await reading, { body: "", code: "ECONNRESET" });
    } finally {
      await stalled.close();
    }
  });

  test("a client that has not read its reply when the server closes gets a reset, too", async () => {
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

  test("the log warns of the risk once", () => {
    const warnings = app.logs.filter(({ msg }) => msg.includes("HTTP/1.0"));
    assert.equal(warnings.length, 1);
    assert.equal(warnings[0]?.["level"], 40);
  });
});
