/** Timeouts of requests and connections: stalled ones are cut off, slow ones and streams are not. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pino } from "pino";
import { createHttpServer } from "../../src/http/http-server.ts";
import { createApp, type App } from "../../src/app.ts";
import { toServerUrl } from "../../src/observe/server-url.ts";
import { createLogObserver } from "../../src/observe/log-observer.ts";
import { openStore } from "../../src/store/open-store.ts";
import { parseConfig } from "../../src/config/config.ts";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { readResponse } from "../support/apps/start-app.ts";

const chat = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
const windowMs = 20_000;
const pieceBytes = 1024 * 1024;

function toHead(path: string, lengthBytes: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${lengthBytes}\r\n\r\n`;
}

/** Runs `use` with an app of `model`, after `adjust` has changed its server. */
async function withApp(
  clock: Clock,
  adjust: (server: App["http"]["server"]) => void,
  use: (url: string, model: ScriptedModel, app: App) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const model = await ScriptedModel.start();
  const variables = { CHAT_STORE_ENABLED: "false", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
  const options = parseConfig({ ...variables, ...more }).app;
  const logger = pino({ level: "silent" });
  const observe = createLogObserver(logger, options.logsContent, clock);
  const store = await openStore(options.store, clock, observe);
  const app = await createApp(options, store, { clock, logger, observe });
  adjust(app.http.server);
  try {
    await app.listeners.listen({ host: "127.0.0.1", port: 0 });
    await use(toServerUrl(app.http.server), model, app);
  } finally {
    await app.close(0);
    await model.close();
  }
}

/** Sends `bytes` once the server has read all earlier ones. */
async function send(socket: Socket, bytes: Buffer | string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.write(bytes, () => resolve());
  await promise;
}

describe("a server", { timeout: 60_000 }, () => {
  const { maxConnections } = parseConfig({ DEMO_MODE: "true" }).app.limits;
  const options = {
    logger: pino({ level: "silent" }),
    clock: systemClock,
    observe: () => {},
    maxConnections,
  };

  test("waits 10 s for a head and 15 min for a request, and keeps 5,000 connections for 1,000 requests each", () => {
    const bodies = { maxBodyBytes: 20 * 1024 * 1024, maxBodiesBytes: 128 * 1024 * 1024 };
    const {
      app: { server },
    } = createHttpServer({ ...options, trustedProxies: [], hosts: undefined, bodies });
    const { headersTimeout, requestTimeout, timeout } = server;
    assert.deepEqual(
      { headersTimeout, requestTimeout, timeout },
      { headersTimeout: 10_000, requestTimeout: 900_000, timeout: 0 },
    );
    assert.deepEqual([server.maxConnections, server.maxRequestsPerSocket], [5_000, 1_000]);
  });

  test("closes a connection past LIMIT_CONNECTIONS without a response, and accepts one once another has ended", async () => {
    const use = async (url: string, _: ScriptedModel, { http }: App): Promise<void> => {
      const head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
      const connection = once(http.server, "connection");
      const held = openRaw(url, `${head}\r\n`);
      const [taken]: Socket[] = await connection;
      assert.match(String((await once(held, "data"))[0]), /^HTTP\/1\.1 200 OK\r\n/);
      assert.equal(await readRaw(openRaw(url, `${head}\r\n`)), "");
      const ended = taken && once(taken, "close");
      held.end();
      await ended;
      assert.match(await readRaw(openRaw(url, `${head}Connection: close\r\n\r\n`)), /^HTTP\/1\.1 200 OK\r\n/);
    };
    await withApp(systemClock, () => {}, use, { LIMIT_CONNECTIONS: "1" });
  });

  test("keeps an idle connection for 75 s, longer than proxies keep theirs, whether it trusts one or not", () => {
    const bodies = { maxBodyBytes: 1024 * 1024, maxBodiesBytes: 1024 * 1024 };
    for (const trustedProxies of [[], ["10.0.0.1"]]) {
      const {
        app: { server },
      } = createHttpServer({ ...options, trustedProxies, hosts: undefined, bodies });
      assert.equal(server.keepAliveTimeout, 75_000);
    }
  });

  test("cuts off an unfinished head with a 408, but no stream, however old", async () => {
    const adjust = (server: App["http"]["server"]): void => {
      Object.assign(server, {
        headersTimeout: 30,
        requestTimeout: 60,
        connectionsCheckingInterval: 5,
        keepAliveTimeout: 5,
      });
    };
    await withApp(systemClock, adjust, async (url, model) => {
      for (const accept of ["text/plain", "text/event-stream"]) {
        const next = model.nextCall();
        const headers = { "content-type": "application/json", accept };
        const sent = request(`${url}/stream-chat`, { method: "POST", headers }).end(chat);
        const opening = once(sent, "response");
        const call = await next;
        call.text("- p\n---RESPONSE---\nOne");
        const [response] = await opening;
        const reading = readResponse(response);
        const [head, body] = [openRaw(url, "GET / HTTP/1.1\r\nHos"), openRaw(url, toHead("/stream-chat", 9))];
        for (const answer of await Promise.all([readRaw(head), readRaw(body)])) {
          assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
          assert.match(answer, /"code":"request_timeout"/);
        }
        call.text(" two.").finish();
        const { body: whole, isComplete } = await reading;
        assert.equal(isComplete, true);
        assert.match(whole, /One[^]* two\./);
      }
    });
  });
});

describe("a body", { timeout: 60_000 }, () => {
  test("of which less than 512 KiB arrive in 20 s is cut off with a 408", async () => {
    const clock = new ManualClock();
    await withApp(
      clock,
      () => {},
      async (url) => {
        const socket = openRaw(url, toHead("/stream-chat", 20 * 1024 * 1024));
        await clock.timer(windowMs);
        await send(socket, "x".repeat(100));
        const reading = readRaw(socket);
        clock.advance(windowMs);
        assert.match(await reading, /^HTTP\/1\.1 408 Request Timeout\r\n/);
      },
    );
  });

  test("whose rest had arrived but was unread after the 20 s is accepted", async () => {
    const clock = new ManualClock();
    await withApp(
      clock,
      () => {},
      async (url) => {
        const head = toHead("/stream-chat", chat.length).replace("Host", "Connection: close\r\nHost");
        const socket = openRaw(url, head + chat.slice(0, 5));
        await clock.timer(windowMs);
        const reading = readRaw(socket);
        socket.write(chat.slice(5));
        clock.advance(windowMs);
        assert.match(await reading, /^HTTP\/1\.1 200 OK\r\n/);
      },
    );
  });

  test("of 20 MiB that arrives slowly but steadily is accepted, however long it takes", async () => {
    const clock = new ManualClock();
    await withApp(
      clock,
      () => {},
      async (url, _, { http }) => {
        const connection = once(http.server, "connection");
        const body = Buffer.from(chat.padEnd(20 * 1024 * 1024, " "));
        const head = toHead("/stream-chat", body.length).replace("Host", "Connection: close\r\nHost");
        const socket = openRaw(url, head);
        const reading = readRaw(socket);
        const [taken]: Socket[] = await connection;
        const isTaken = (bytes: number): boolean => taken === undefined || taken.bytesRead >= bytes;
        for (let start = 0; start < body.length - pieceBytes; start += pieceBytes) {
          await clock.timer(windowMs);
          await send(socket, body.subarray(start, start + pieceBytes));
          while (!isTaken(start + pieceBytes)) await nextTurn();
          clock.advance(windowMs);
        }
        await send(socket, body.subarray(-pieceBytes));
        assert.match(await reading, /^HTTP\/1\.1 200 OK[^]*Hello\./);
      },
    );
  });
});
