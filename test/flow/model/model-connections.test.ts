/**
 * Turns whose model connection, or this process, stalled: data that arrived counts, lost requests are sent
 * again.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { errorTable } from "../../../src/base/error-table.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { toChunk, toEvent, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { openTurn, readResponse, type AppResponse } from "../../support/apps/start-app.ts";
import { useModel, useApp } from "../../support/apps/use-app.ts";

const firstMs = 7_000;
const idleMs = 9_000;
const body = "- a\n---RESPONSE---\nb";
const reply = toEvent(toChunk({ content: body })) + toEvent(toChunk({}, "stop"));
const comment = ": keep-alive\n\n";

describe("a model's connection", { timeout: 120_000 }, () => {
  const clock = new ManualClock();
  const model = useModel("test");
  const app = useApp(
    model,
    { MODEL_FIRST_BYTE_TIMEOUT_MS: String(firstMs), MODEL_IDLE_TIMEOUT_MS: String(idleMs) },
    { clock, lifetime: "test" },
  );

  function assertFailed({ status, body: answer }: AppResponse, code: ErrorCode): void {
    assert.deepEqual([status, JSON.parse(answer).code], [errorTable[code].status, code]);
  }

  const ports = (): number => new Set(model.calls.map(({ remotePort }) => remotePort)).size;

  /**
   * Runs a first turn, whose connection is kept; `script` handles the next request on it, and one on another
   * succeeds.
   */
  async function reuse(script: (call: ScriptedCall) => void): Promise<void> {
    model.say(body);
    await app.chat("Hi");
    const [{ remotePort } = { remotePort: 0 }] = model.calls;
    model.script = (call) => {
      if (call.remotePort === remotePort) script(call);
      else call.raw(reply).end();
    };
  }

  /** Moves the clock past the first-byte timeout, once the turn waits for its first event. */
  async function passFirst(calls: number): Promise<void> {
    while (model.calls.length < calls) await nextTurn();
    await nextTurn();
    clock.advance(firstMs);
  }

  describe("that was used before", () => {
    test("and is reset without a byte is not a failure: the request is sent again at once, on a new one", async () => {
      await reuse((call) => call.destroy());
      assert.equal((await app.chat("Hi")).body, body);
      assert.deepEqual([model.calls.length, ports()], [3, 2]);
    });

    test("and stays silent is not a failure: the request is sent again on a new one after the timeout", async () => {
      await reuse(() => {});
      const answering = app.chat("Hi");
      await passFirst(2);
      assert.equal((await answering).body, body);
      assert.deepEqual([model.calls.length, ports()], [3, 2]);
    });

    test("and stays silent, like the new one, is model_silent after two requests in all", async () => {
      await reuse(() => {});
      model.script = () => {};
      const answering = app.chat("Hi");
      await passFirst(2);
      await passFirst(3);
      assertFailed(await answering, "model_silent");
      assert.deepEqual([model.calls.length, ports()], [3, 2]);
    });

    for (const [name, say] of [
      ["a comment", (call: ScriptedCall) => call.raw(comment)],
      ["a head", (call: ScriptedCall) => call.head()],
      ["an interim response", (call: ScriptedCall) => call.earlyHints()],
    ] as const) {
      test(`and sent ${name} has received the request: it is never paid for twice`, async () => {
        const heard = Promise.withResolvers<void>();
        await reuse((call) => {
          say(call);
          heard.resolve();
        });
        const answering = app.chat("Hi");
        await heard.promise;
        await passFirst(2);
        if (name === "a comment") await passFirst(2); // it has extended the first deadline
        assertFailed(await answering, "model_silent");
        assert.equal(model.calls.length, 2);
      });
    }

    test("is reused for 20 s, whatever Keep-Alive allows, and not after that", async () => {
      model.script = (call) =>
        call.head(200, { "content-type": "text/event-stream", "keep-alive": "timeout=600" }).raw(reply).end();
      await app.chat("Hi");
      clock.advance(19_999);
      await app.chat("Hi");
      assert.equal(ports(), 1);
      clock.advance(20_000);
      await app.chat("Hi");
      assert.equal(ports(), 2);
    });

    test("serves one reply at a time: two concurrent replies use two", async () => {
      const one = await openTurn(app, model);
      const two = await openTurn(app, model);
      for (const { call } of [one, two]) call.raw(reply).end();
      for (const { opening } of [one, two]) assert.equal((await readResponse(await opening)).body, body);
      assert.equal(ports(), 2);
    });
  });

  describe("whose reply arrived before a deadline, but unread because this process stalled,", () => {
    test("is read first: a complete reply is complete, not model_silent", async () => {
      model.script = (call) => {
        call.raw(reply).end();
        setImmediate(() => clock.advance(60 * 60 * 1_000));
      };
      const answer = await app.chat("Hi");
      assert.deepEqual([answer.body, answer.isComplete], [body, true]);
      assert.equal(model.calls.length, 1);
    });

    test("is read first: nor is it model_stalled", async () => {
      const { call, opening } = await openTurn(app, model);
      call.text("- a\n---RESPONSE---\n").text("So");
      const answering = readResponse(await opening);
      await clock.timer(idleMs);
      call.text(" far.").finish();
      await nextTurn();
      clock.advance(60 * 60 * 1_000);
      const answer = await answering;
      assert.deepEqual([answer.body, answer.isComplete], ["- a\n---RESPONSE---\nSo far.", true]);
    });

    test("is read first: a partial reply gets its full time again", async () => {
      const { call, opening } = await openTurn(app, model);
      call.text("- a\n---RESPONSE---\n").text("So");
      const answering = readResponse(await opening);
      await clock.timer(idleMs);
      call.text(" far");
      await nextTurn();
      clock.advance(idleMs);
      await clock.timer(idleMs);
      call.text(" and on.").finish();
      assert.equal((await answering).body, "- a\n---RESPONSE---\nSo far and on.");
    });
  });

  describe("on which comments come", () => {
    test("is alive before its first event, for 10 minutes and no longer", async () => {
      const { call, opening } = await openTurn(app, model);
      for (let leftMs = 600_000; leftMs > 0; leftMs -= firstMs) {
        const waitMs = Math.min(firstMs, leftMs);
        await clock.timer(waitMs);
        call.raw(comment);
        await nextTurn();
        clock.advance(waitMs);
      }
      assertFailed(await readResponse(await opening), "model_silent");
      assert.equal(model.calls.length, 1);
    });
  });

  describe("on which interim responses come first", () => {
    const interim =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nx: y\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";

    test("is still read: an unrequested 100 is not a failure, and the connection is kept", async () => {
      model.script = (call) => call.beforeHead(interim).raw(reply).end();
      for (const turn of ["one", "two"]) assert.equal((await app.chat(turn)).body, body);
      assert.deepEqual([model.calls.length, ports()], [2, 1]);
    });

    test("is still read, wherever they are split", async () => {
      for (const place of [1, 9, 10, 12, 20, 24, 25, 26, 40, interim.length - 1]) {
        model.calls.length = 0;
        model.script = async (call) => {
          call.beforeHead(interim.slice(0, place));
          await nextTurn();
          await nextTurn();
          call.beforeHead(interim.slice(place)).raw(reply).end();
        };
        assert.equal((await app.chat("Hi")).body, body);
        assert.equal(model.calls.length, 1);
      }
    });
  });

  describe("on which a finish reason arrives with text", () => {
    const early = toEvent(toChunk({ content: "- a\n---RESPONSE---\nb" }, "stop"));

    test("is given as long as between any two events: more text may come", async () => {
      const { call, opening } = await openTurn(app, model);
      call.raw(early);
      const answering = readResponse(await opening);
      await clock.timer(idleMs);
      clock.advance(idleMs - 1);
      call.raw(toEvent(toChunk({ content: "c" }, "stop"))).end();
      assert.equal((await answering).body, `${body}c`);
    });

    test("is not given longer, however many pings come", async () => {
      const { call, opening } = await openTurn(app, model);
      call.raw(early);
      const answering = readResponse(await opening);
      for (let waitedMs = 0; waitedMs < idleMs; waitedMs += idleMs / 3) {
        await clock.timer(idleMs);
        call.event({ type: "ping" });
        await nextTurn();
        clock.advance(idleMs / 3);
        await nextTurn();
        await nextTurn();
      }
      assert.deepEqual([(await answering).body, (await answering).isComplete], [body, true]);
    });

    test("and nothing more is complete then; with text after it, stalled", async () => {
      for (const more of ["", "c"]) {
        const { call, opening } = await openTurn(app, model);
        call.raw(early);
        const answering = readResponse(await opening);
        await clock.timer(idleMs);
        if (more !== "") {
          call.raw(toEvent(toChunk({ content: more }, "stop")));
          await nextTurn();
          clock.advance(idleMs);
          await clock.timer(idleMs);
        }
        clock.advance(idleMs);
        const answer = await answering;
        assert.equal(answer.isComplete, more === "");
        assert.ok(answer.body.startsWith(body + more));
        assert.equal(answer.body.includes("[error] model_stalled"), more !== "");
      }
    });
  });

  test("on which [DONE] comes without usage stays open for a second: usage may still come", async () => {
    const { call, opening } = await openTurn(app, model);
    call.raw(`${reply}data: [DONE]\n\n`);
    const answering = readResponse(await opening);
    await clock.timer(1_000);
    clock.advance(1_000);
    assert.deepEqual([(await answering).body, (await answering).isComplete], [body, true]);
  });

  test("with an encoding that cannot be decoded is refused with a clear reason, after one request", async () => {
    model.script = (call) =>
      call.head(200, { "content-type": "text/event-stream", "content-encoding": "compress" }).end("x");
    assertFailed(await app.chat("Hi"), "model_invalid_stream");
    const line = await app.logged(({ msg }) => msg === "turn");
    assert.match(String(line["reason"]), /an encoding that was not asked for: compress/);
    model.script = (call) =>
      call.head(200, { "content-type": "text/event-stream", "content-encoding": "gzip" }).end("x");
    assertFailed(await app.chat("Hi"), "model_invalid_stream");
    assert.equal(model.calls.length, 2);
    model.script = (call) => call.head(401, { "content-encoding": "compress" }).end("x");
    assertFailed(await app.chat("Hi"), "model_unauthorized");
    const refusal = gzipSync(JSON.stringify({ error: { code: "context_length_exceeded" } }));
    model.script = (call) => call.head(400, { "content-encoding": "gzip" }).raw(refusal).end();
    assertFailed(await app.chat("Hi"), "context_too_long");
  });
});
