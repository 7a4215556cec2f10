/** The client's documented times: its waits between retries, and the silence after which it reconnects. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { createClient } from "../../packages/foreword-client/src/client.ts";
import { end, start, toFrame } from "./scripted-server.ts";

const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;

/** Resolves once everything has happened that needs no time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

describe("a client's time", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.reset());

  for (const [random, share] of [
    [0, 1],
    [0.999_999, 0.5],
  ] as const) {
    test(`passes in ten waits from 250 ms, doubled up to 8 s, randomly shortened to ${share}`, async () => {
      mock.method(Math, "random", () => random);
      const fetch = mock.fn(async () => {
        throw new TypeError("fetch failed");
      });
      const replying = createClient({ baseUrl: "http://127.0.0.1:1", fetch }).start(hello).reply();
      const rejected = assert.rejects(replying, (error) => {
        assert.ok(error instanceof Error && error.cause instanceof TypeError);
        return true;
      });
      let calls = 1;
      for (const delayMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000]) {
        await settle();
        mock.timers.tick(Math.floor(delayMs * share) - 1);
        await settle();
        assert.equal(fetch.mock.callCount(), calls);
        mock.timers.tick(2);
        await settle();
        calls += 1;
        assert.equal(fetch.mock.callCount(), calls);
      }
      await rejected;
      assert.equal(calls, 11);
    });
  }

  test("ends a connection after 45 s without a byte, heartbeats included; time without a reader does not count", async () => {
    const signals: (AbortSignal | null | undefined)[] = [];
    let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
    let pulls = 0;
    const fetch = mock.fn(async (_input: unknown, init?: RequestInit) => {
      signals.push(init?.signal);
      const body = new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            stream = controller;
            init?.signal?.addEventListener("abort", () => controller.error(init.signal?.reason));
          },
          pull: () => void (pulls += 1),
        },
        { highWaterMark: 0 },
      );
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    const send = async (text: string): Promise<void> => {
      stream?.enqueue(new TextEncoder().encode(text));
      await settle();
    };
    const turn = createClient({ baseUrl: "http://127.0.0.1:1", fetch }).start(hello);
    await settle();
    await send(toFrame(start()));
    const events = turn[Symbol.asyncIterator]();
    assert.equal((await events.next()).value?.type, "turn-start");
    mock.timers.tick(1_000_000);
    assert.equal(signals[0]?.aborted, false, "no more was requested");
    const next = events.next();
    await settle();
    for (let beat = 0; beat < 4; beat += 1) {
      const before = pulls;
      mock.timers.tick(44_999);
      await send(": keep-alive\n\n");
      assert.equal(pulls, before + 1, "it reads on");
    }
    mock.timers.tick(44_999);
    assert.equal(signals[0]?.aborted, false);
    mock.timers.tick(1);
    assert.equal(signals[0]?.aborted, true);
    await settle();
    mock.timers.tick(250);
    await settle();
    assert.equal(fetch.mock.callCount(), 2);
    await send(`${toFrame(start())}event: plan-end\ndata: {"type":"plan-end","position":16}\n\n`);
    assert.deepEqual(await next, { done: false, value: { type: "plan-end", position: 16 } });
    await events.return?.(undefined);
    assert.equal(signals[1]?.aborted, true);
  });

  test("is longer for a large request: a second for each 64 KB", async () => {
    const signals: (AbortSignal | null | undefined)[] = [];
    const fetch = async (_input: unknown, init?: RequestInit): Promise<Response> => {
      signals.push(init?.signal);
      return await new Promise((_, reject) => {
        init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      });
    };
    const client = createClient({ baseUrl: "http://127.0.0.1:1", fetch, retry: { maxRetries: 0 } });
    const turn = client.start({ messages: [{ sender: "user", text: "x".repeat(640_000) }] });
    const rejected = assert.rejects(turn.reply(), { code: "connection_lost" });
    await settle();
    mock.timers.tick(54_999);
    assert.equal(signals[0]?.aborted, false);
    mock.timers.tick(10);
    assert.equal(signals[0]?.aborted, true);
    await rejected;
  });

  for (const silenceMs of [Infinity, 2 ** 31]) {
    test(`is the longest possible timer if a silence of ${silenceMs} ms is allowed`, async () => {
      const opened = Promise.withResolvers<Response>();
      const signals: (AbortSignal | null | undefined)[] = [];
      const fetch = async (_input: unknown, init?: RequestInit): Promise<Response> => {
        signals.push(init?.signal);
        return await opened.promise;
      };
      const retry = { silenceMs, maxRetries: 0 };
      const replying = createClient({ baseUrl: "http://127.0.0.1:1", fetch, retry }).start(hello).reply();
      await settle();
      mock.timers.tick(2 ** 31 - 2);
      assert.equal(signals[0]?.aborted, false);
      const body = toFrame(start()) + toFrame(end(0));
      opened.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
      assert.equal((await replying).outcome, "complete");
    });
  }
});
