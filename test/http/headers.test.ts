/** The standing headers of every response: streams, errors of all kinds, and responses of Node itself. */
import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { describe, test } from "node:test";
import { pino } from "pino";
import { createHttpServer } from "../../src/http/http-server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { openTurn, readResponse } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const chat = { messages: [{ sender: "user", text: "Hi" }] };
const ui = { id: "chat", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };
const completion = { model: "scripted", messages: [{ role: "user", content: "Hi" }] };

const standing = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function assertStanding(headers: IncomingHttpHeaders, name: string): void {
  for (const [header, value] of Object.entries(standing)) assert.equal(headers[header], value, name);
  assert.match(String(headers["x-request-id"]), uuid, name);
  assert.match(headers["cache-control"] ?? "", /^no-store(?:, no-transform)?$/, name);
  assert.doesNotMatch(headers["content-type"] ?? "", /html/, name);
}

/** Returns the headers of a raw response. */
function parseHead(answer: string): IncomingHttpHeaders {
  const [head = ""] = answer.split("\r\n\r\n");
  const lines = head.split("\r\n").slice(1);
  return Object.fromEntries(lines.map((line) => [line.split(": ")[0]?.toLowerCase(), line.split(": ")[1]]));
}

describe("every response forbids to store, embed or run it", () => {
  const model = useModel();
  const app = useApp(model);

  const streams: readonly [string, string, object, Record<string, string>][] = [
    ["plain text", "/stream-chat", chat, {}],
    ["typed events", "/stream-chat", chat, { accept: "text/event-stream" }],
    ["the AI SDK's stream", "/api/chat", ui, {}],
    ["OpenAI's chunks", "/v1/chat/completions", { ...completion, stream: true }, {}],
  ];
  for (const [name, path, body, headers] of streams) {
    test(`${name}, which proxies must not transform either`, async () => {
      const answer = await app.post(path, body, { ...headers, origin: "http://localhost:3000" });
      assert.equal(answer.status, 200);
      assertStanding(answer.headers, name);
      assert.equal(answer.headers["cache-control"], "no-store, no-transform");
      // A page of this origin may read it: only embedding is forbidden.
      assert.equal(answer.headers["access-control-allow-origin"], "http://localhost:3000");
    });
  }

  const cases: readonly [status: number, method: string, path: string, body?: unknown, headers?: object][] = [
    [200, "GET", "/healthz"],
    [200, "GET", "/readyz"],
    [200, "GET", "/v1/models"],
    [200, "POST", "/stream-chat", chat, { accept: "application/json" }],
    [200, "POST", "/v1/chat/completions", completion],
    [204, "GET", "/api/chat/nothing/stream"],
    [204, "OPTIONS", "/stream-chat", undefined, { "access-control-request-method": "POST" }],
    [400, "POST", "/stream-chat", "{"],
    [400, "POST", "/stream-chat", "{}"],
    [400, "POST", "/v1/chat/completions", "{}"],
    [400, "POST", "/api/chat", "{}"],
    [400, "GET", "/%zz"],
    [404, "GET", "/nowhere"],
    [404, "GET", "/v1/nowhere"],
    [405, "GET", "/stream-chat"],
    [405, "TRACE", "/stream-chat"],
    [406, "POST", "/stream-chat", chat, { accept: "image/png" }],
    [413, "POST", "/stream-chat", { messages: [{ sender: "user", text: "x".repeat(1024 * 1024 + 1) }] }],
    [413, "POST", "/stream-chat", "", { "content-length": String(20 * 1024 * 1024 + 1) }],
    [415, "POST", "/stream-chat", "{}", { "content-type": "text/plain" }],
    [417, "POST", "/stream-chat", undefined, { expect: "the-unexpected" }],
  ];
  for (const [status, method, path, body, more = {}] of cases) {
    test(`${method} ${path}, a ${status}${"expect" in more ? " that Node sends" : ""}`, async () => {
      const answer = await readResponse(
        await app.open(method, path, body, { origin: "http://localhost:3000", ...more }),
      );
      assert.equal(answer.status, status);
      assertStanding(answer.headers, path);
    });
  }

  test("bytes that are not HTTP, and a head of more than 16 KiB", async () => {
    for (const bytes of ["nonsense\r\n\r\n", `GET / HTTP/1.1\r\nx: ${"x".repeat(16 * 1024)}\r\n\r\n`]) {
      const answer = await readRaw(openRaw(app.url, bytes));
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assertStanding(parseHead(answer), bytes.slice(0, 10));
      assert.match(parseHead(answer)["content-type"] ?? "", /^application\/problem\+json/);
    }
  });

  test("the last response of a connection after 1,000 requests, which then closes", async () => {
    const one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const socket = openRaw(app.url, one.repeat(1_000)).end();
    const answers = (await readRaw(socket)).split("HTTP/1.1 ").slice(1);
    assert.equal(answers.length, 1_000);
    for (const answer of answers) assertStanding(parseHead(answer), answer);
    assert.equal(parseHead(answers[998] ?? "").connection, "keep-alive");
    assert.equal(parseHead(answers[999] ?? "").connection, "close");
  });

  test("a turn that fails before its first text", async () => {
    const { call, opening } = await openTurn(app, model);
    call.head(401, {}).end("no");
    const answer = await readResponse(await opening);
    assert.equal(answer.status, 502);
    assertStanding(answer.headers, "failed");
  });

  test("an internal error, a 500", async () => {
    const { app: http } = createHttpServer({
      logger: pino({ level: "silent" }),
      clock: systemClock,
      observe: () => {},
      trustedProxies: [],
      hosts: undefined,
      bodies: { maxBodyBytes: 20 * 1024 * 1024, maxBodiesBytes: 128 * 1024 * 1024 },
      maxConnections: 10,
    });
    http.get("/broken", () => {
      throw new Error("broken");
    });
    const url = await http.listen({ host: "127.0.0.1", port: 0 });
    const answer = await fetch(`${url}/broken`);
    assert.equal(answer.status, 500);
    assertStanding(Object.fromEntries(answer.headers), "broken");
    await http.close();
  });
});
