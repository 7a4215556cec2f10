/**
 * Refusals on a raw connection, of malformed or stalled requests: none becomes part of a reply in progress.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { ManualClock } from "../support/manual-clock.ts";
import { openRaw } from "../support/clients/raw-request.ts";
import { type ScriptedCall } from "../support/model/scripted-model.ts";
import { startApp } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const body = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
const said = "- a\n---RESPONSE---\nHello";

function post(version: string, path = "/stream-chat", length: number = body.length): string {
  return `POST ${path} HTTP/${version}\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
}

/** Collects the bytes of a connection, and how it ends. */
class Reading {
  readonly socket: Socket;
  readonly ended: Promise<unknown>;
  text = "";
  code: unknown;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.text += chunk.toString()));
    socket.on("error", (error) => (this.code = "code" in error && error.code));
    this.ended = new Promise((resolve) => socket.once("close", resolve));
  }

  async until(end: string): Promise<void> {
    while (!this.text.includes(end)) {
      assert.ok(!this.socket.closed, `closed before ${JSON.stringify(end)} came: ${this.text}`);
      await Promise.race([once(this.socket, "data"), this.ended]);
    }
  }
}

describe("while a reply is in progress on a connection", { timeout: 60_000 }, () => {
  const clock = new ManualClock();
  const model = useModel();
  const app = useApp(model, {}, { clock });

  /** Starts a reply that has some text. */
  async function start(version: string): Promise<{ reading: Reading; call: ScriptedCall }> {
    const next = model.nextCall();
    const reading = new Reading(openRaw(app.url, post(version) + body));
    const call = await next;
    call.text(said);
    await reading.until("Hello");
    return { reading, call };
  }

  for (const version of ["1.1", "1.0"]) {
    test(`bytes that are not HTTP get no response inside the reply, which arrives whole, in HTTP/${version}`, async () => {
      const { reading, call } = await start(version);
      reading.socket.write("GARBAGE\r\n\r\n");
      await app.logged(({ reason }) => String(reason).startsWith("not HTTP"));
      call.text(" again").finish();
      await reading.ended;
      assert.equal(reading.code, undefined);
      assert.equal(reading.text.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.match(reading.text, version === "1.1" ? / again\r\n0\r\n\r\n$/ : / again$/);
      assert.doesNotMatch(reading.text, /invalid_request/);
    });
  }

  test("a second request that stalls gets no response inside the reply, and the connection ends with the reply", async () => {
    const { reading, call } = await start("1.1");
    const arrived = once(app.app.http.server, "request");
    reading.socket.write(`${post("1.1", "/stream-chat", 100)}{`);
    await arrived;
    await clock.timer(20_000);
    clock.advance(20_000);
    await app.logged(({ code }) => code === "request_timeout");
    call.text(" again").finish();
    await reading.ended;
    assert.match(reading.text, / again\r\n0\r\n\r\n$/);
    assert.doesNotMatch(reading.text, /408|request_timeout/);
  });

  test("bytes after a request that waits for its response are not treated as that request", async () => {
    const next = model.nextCall();
    const reading = new Reading(openRaw(app.url, post("1.1") + body));
    const call = await next;
    reading.socket.write("GARBAGE\r\n\r\n");
    call.text(said).finish();
    await reading.ended;
    assert.match(reading.text, /^HTTP\/1\.1 200 [^]*Hello\r\n0\r\n\r\n$/);
  });

  test("a DELETE whose client sends a body without its length gets its response", async () => {
    const path = "/conversations/00000000-0000-4000-8000-000000000000";
    const head = `DELETE ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n`;
    const reading = new Reading(openRaw(app.url, `${head}{"a":1}`));
    await reading.ended;
    assert.match(reading.text, /^HTTP\/1\.1 404 [^]*"code":"history_off"/);
    assert.equal(reading.text.match(/HTTP\/1\.1 /g)?.length, 1);
  });
});

describe("a request whose body is malformed in transit", { timeout: 60_000 }, () => {
  test("is refused in the error format of its own wire, with its own id", async () => {
    const clock = new ManualClock();
    const app = await startApp({ DEMO_MODE: "true" }, clock);
    try {
      for (const [path, type, pattern] of [
        ["/stream-chat", "application/problem+json", /"code":"request_timeout"/],
        ["/v1/chat/completions", "application/json", /^\{"error":\{.*"code":"request_timeout"/],
        ["/api/chat", "text/plain", /^The request did not arrive in time\.$/],
      ] as const) {
        const arrived = once(app.app.http.server, "request");
        const reading = new Reading(openRaw(app.url, `${post("1.1", path, 100)}{`));
        await arrived;
        await clock.timer(20_000);
        clock.advance(20_000);
        await reading.until("HTTP/1.1 408 Request Timeout\r\n");
        const [head = "", answer = ""] = reading.text.split("\r\n\r\n");
        assert.ok(head.includes(`Content-Type: ${type}`), head);
        assert.match(answer, pattern);
        const id = /X-Request-Id: (\S+)/.exec(head)?.[1];
        const line = await app.logged(({ requestId }) => requestId === id);
        assert.equal(line["code"], "request_timeout");
        reading.socket.destroy();
      }
      const chunked = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`;
      const reading = new Reading(openRaw(app.url, chunked));
      await reading.until("HTTP/1.1 400 Bad Request\r\n");
      assert.match(reading.text, /\r\n\r\n\{"error":\{.*"code":"invalid_request"/);
      reading.socket.destroy();
    } finally {
      await app.close();
    }
  });
});
