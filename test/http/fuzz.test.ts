/** No request makes the server fail: every route, with arbitrary bodies and types, and with hostile ones. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { z } from "zod";
import { listRoutes } from "../support/apps/list-routes.ts";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { readResponse, startApp, type AppResponse, type RunningApp } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { pickCount } from "../support/process/thoroughness.ts";
import { OpenAiError } from "../support/clients/openai-wire.ts";

const key = randomUUID();
const mebibyte = 1024 * 1024;
const bodyRoutes = ["/stream-chat", "/api/chat", "/v1/chat/completions", "/v1/responses", "/ag-ui"];

const Problem = z.strictObject({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  requestId: z.uuid(),
});

/** Checks that a response is no server error, and that a refusal has the error format of its path. */
function assertGood(path: string, { status, headers, body }: AppResponse): void {
  assert.ok(status >= 200 && status < 500, `${path}: ${status} ${body}`);
  if (status < 400) return;
  if (path.startsWith("/v1")) OpenAiError.parse(JSON.parse(body));
  else if (path.startsWith("/api/chat"))
    assert.equal(headers["content-type"], "text/plain; charset=utf-8", body);
  else assert.equal(Problem.parse(JSON.parse(body)).status, status);
}

const word = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "prototype", "messages", "text", "parts", "content", "role"),
  fc.constantFrom(
    "sender",
    "user",
    "type",
    "id",
    "model",
    "userId",
    "conversationId",
    "images",
    "",
    "\u0000",
  ),
  fc.string({ unit: "binary", maxLength: 10 }),
);
const { value: arbitraryValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.constantFrom(null, true, "user", "Hi", "\ud800", "\u0000", "\udc00x", "1e999", -0, 1e308, 2 ** 63),
    word,
    fc.double(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(word, tie("value")), { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs)),
  ),
}));
/** Bodies: any JSON, JSON that resembles a request, no JSON, none. */
const arbitraryBody = fc.oneof(
  arbitraryValue.map((value) => JSON.stringify(value)),
  arbitraryValue.map((messages) => JSON.stringify({ model: "demo", id: "chat", messages })),
  fc
    .tuple(word, arbitraryValue)
    .map(([name, value]) => JSON.stringify({ messages: [{ role: "user", sender: "user", [name]: value }] })),
  arbitraryValue.map((input) => JSON.stringify({ model: "demo", input })),
  fc.tuple(word, arbitraryValue).map(([name, value]) =>
    JSON.stringify({
      threadId: "t",
      runId: name,
      messages: [{ role: "user", content: "Hi", [name]: value }],
    }),
  ),
  fc.constantFrom(
    '{"__proto__":{"a":1}}',
    '{"constructor":{"prototype":{}}}',
    '{"a":1e99999}',
    "[",
    "\ufeff{}",
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
  fc.constant(undefined),
);
const arbitraryType = fc.oneof(
  { weight: 6, arbitrary: fc.constant("application/json") },
  fc.constantFrom("", "application/json; charset=utf-16", "application/json\t; x", "text/plain", ";"),
  fc.constantFrom("multipart/form-data", "application/x-www-form-urlencoded", "application/vnd.api+json"),
  fc.string({ unit: fc.constantFrom("a", "/", "+", ";", "=", '"', ",", " ", "\t"), maxLength: 20 }),
);

describe("any request", { timeout: 300_000 }, () => {
  const apps: [name: string, variables: Record<string, string>, headers: Record<string, string>][] = [
    ["AUTH=none", {}, {}],
    ["AUTH=none and a store", { CHAT_STORE_ENABLED: "true" }, {}],
    ["AUTH=keys", { AUTH: "keys", API_KEYS: key }, { authorization: `Bearer ${key}` }],
  ];
  for (const [name, variables, headers] of apps)
    describe(`with ${name}`, () => {
      let app: RunningApp;
      before(async () => {
        app = await startApp({ DEMO_MODE: "true", ON_DISCONNECT: "abort", ...variables });
      });
      after(() => app.close());

      async function send(method: string, path: string, body?: string, type?: string): Promise<AppResponse> {
        const more = type === undefined ? {} : { "content-type": type };
        const answering = app.open(method, path, body, { ...headers, ...more });
        const response = await answering;
        // A turn that has started was accepted: its reply does not matter here, and takes time.
        if (response.statusCode !== 200 || !bodyRoutes.includes(path)) return await readResponse(response);
        response.destroy();
        return { status: 200, headers: response.headers, body: "", isComplete: false };
      }

      test("to any route, of any type, gets a response: never a 5xx, and refusals in the error format of its wire", async () => {
        const routes = listRoutes(app.app);
        assert.ok(routes.length >= 12);
        const id = fc.oneof(fc.uuid(), fc.string({ unit: "binary", maxLength: 20 }), word);
        const property = fc.asyncProperty(
          fc.constantFrom(...routes),
          arbitraryBody,
          arbitraryType,
          id,
          async (route, body, type, given) => {
            const [method = "", address = ""] = route.split(" ");
            const path = address.replace(/:\w+/g, encodeURIComponent(given.toWellFormed()));
            assertGood(path, await send(method, path, method === "GET" ? undefined : body, type));
          },
        );
        await fc.assert(property, { numRuns: pickCount(400, 1_000) });
        assert.equal((await app.get("/healthz")).status, 200);
        assert.deepEqual(
          app.logs.filter((line) => Number(line["level"]) >= 50),
          [],
        );
      });

      for (const path of bodyRoutes)
        test(`to ${path} with a hostile body is a 4xx: too long by a byte, deep, wide, a prototype`, async () => {
          const deep = 500_000;
          const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index]));
          const bodies: readonly [string, string, string?][] = [
            ["one byte too long", "{}".padEnd(20 * mebibyte + 1)],
            ["deep lists", "[".repeat(deep) + "]".repeat(deep)],
            ["deep objects", `${'{"messages":'.repeat(deep)}1${"}".repeat(deep)}`],
            ["deep messages", `{"messages":${"[".repeat(deep)}${"]".repeat(deep)}}`],
            ["10,000 keys", JSON.stringify(wide)],
            ["10,000 keys in a message", JSON.stringify({ messages: [wide] })],
            ["a prototype", '{"messages":[{"__proto__":{"role":"user"}}]}'],
          ];
          for (const [label, body] of bodies) {
            const answer = await send("POST", path, body);
            assert.ok(answer.status >= 400, `${label}: ${answer.status}`);
            assertGood(path, answer);
          }
        });
    });
});

describe("a body on the wire", { timeout: 60_000 }, () => {
  const app = useApp(useModel());

  test("that grows too long without a length, or is compressed, is a 4xx", async () => {
    const head = (path: string, more: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n${more}\r\n\r\n`;
    for (const path of bodyRoutes) {
      const chunk = `${mebibyte.toString(16)}\r\n${" ".repeat(mebibyte)}\r\n`;
      const long = openRaw(app.url, head(path, "Transfer-Encoding: chunked"));
      const reading = readRaw(long);
      long.write(`${chunk.repeat(20)}1\r\n \r\n0\r\n\r\n`);
      assert.match(await reading, /^HTTP\/1\.1 413 /);
      const packed = gzipSync("{}");
      const socket = openRaw(
        app.url,
        head(path, `Content-Encoding: gzip\r\nContent-Length: ${packed.length}`),
      );
      const answer = readRaw(socket);
      socket.write(packed);
      assert.match(await answer, /^HTTP\/1\.1 4\d\d /);
    }
  });
});
