/**
 * Request bodies: unneeded ones are ignored, all together fit the memory limit, large ones are parsed one at
 * a time.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";
import { mebibyte } from "../../src/base/sizes.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const chat = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });

/** Sends a request as written; returns its status. */
async function statusOf(app: RunningApp, lines: readonly string[], body = ""): Promise<number> {
  const text = [...lines, "Host: localhost", "Connection: close", "", body].join("\r\n");
  return Number((await readRaw(openRaw(app.url, text))).split(" ")[1]);
}

describe("a request that needs no body", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  const bodies: readonly [string, readonly string[], string?][] = [
    ["none", []],
    ["none, of a type", ["Content-Type: application/json"]],
    ["none, of a type, and its length", ["Content-Type: application/json", "Content-Length: 0"]],
    ["none, in chunks", ["Content-Type: application/json", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["none, of another type", ["Content-Type: text/plain;charset=UTF-8", "Content-Length: 0"]],
    ["none, of no known type", ["Content-Type: nonsense", "Content-Length: 0"]],
    ["one that says nothing", ["Content-Type: application/json", "Content-Length: 2"], "{}"],
    ["null", ["Content-Type: application/json", "Content-Length: 4"], "null"],
    ["one that is no JSON", ["Content-Type: application/json", "Content-Length: 1"], "{"],
    ["a form", ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 3"], "a=b"],
    ["one of no known type", ["Content-Type: ;", "Content-Length: 3"], "a=b"],
    ["one without a type", ["Content-Length: 3"], "a=b"],
    [
      "one in chunks",
      ["Content-Type: application/json", "Transfer-Encoding: chunked"],
      "2\r\n{}\r\n0\r\n\r\n",
    ],
    [
      "one that is compressed",
      ["Content-Type: application/json", "Content-Encoding: gzip", "Content-Length: 2"],
      "xx",
    ],
  ];
  for (const [name, lines, body] of bodies)
    test(`works whatever its body: ${name}`, async () => {
      const made = JSON.parse((await app.post("/conversations", {})).body);
      assert.equal(await statusOf(app, [`DELETE /conversations/${made.id} HTTP/1.1`, ...lines], body), 204);
      const { headers } = await app.post("/stream-chat", chat);
      const turn = String(headers["x-turn-id"]);
      assert.equal(await statusOf(app, [`POST /turns/${turn}/stop HTTP/1.1`, ...lines], body), 200);
      assert.equal(await statusOf(app, ["POST /api/chat/x/stop HTTP/1.1", ...lines], body), 204);
      assert.equal(
        await statusOf(app, [`DELETE /conversations?userId=${randomUUID()} HTTP/1.1`, ...lines], body),
        200,
      );
    });

  test("creates a conversation, whose fields are all optional", async () => {
    for (const [name, lines, body] of bodies.slice(0, 7)) {
      const { length } = app.logs;
      assert.equal(
        await statusOf(app, ["POST /conversations HTTP/1.1", ...lines], body),
        201,
        `${name} ${length}`,
      );
    }
  });

  test("differs from one that needs a body, whose error names the missing field", async () => {
    const { status, body } = await app.post("/stream-chat", "");
    assert.equal(status, 400);
    const { code, detail } = JSON.parse(body);
    assert.deepEqual([code, detail], ["invalid_json", "The body is empty."]);
  });
});

describe("a compressed body", { timeout: 60_000 }, () => {
  test("is a 415 that names its encoding, on every wire", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    const encodings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
    try {
      for (const [name, compress] of Object.entries(encodings))
        for (const path of ["/stream-chat", "/api/chat", "/v1/chat/completions", "/conversations"]) {
          const headers = { "content-encoding": name.toUpperCase(), "content-type": "application/json" };
          const response = await fetch(app.url + path, { method: "POST", headers, body: compress(chat) });
          assert.equal(response.status, 415);
          assert.match(
            await response.text(),
            new RegExp(`Content-Encoding is ${name}: send the body uncompressed`),
          );
        }
      assert.equal((await app.post("/stream-chat", chat, { "content-encoding": "identity" })).status, 200);
    } finally {
      await app.close();
    }
  });
});

describe("LIMIT_BODIES_MIB", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { LIMIT_BODY_MIB: "4", LIMIT_BODIES_MIB: "4" });

  const length = 3 * mebibyte;
  const body = chat.padEnd(length, " ");
  const known = `POST /stream-chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
  const unknown = known.replace(/Content-Length: \d+/, "Transfer-Encoding: chunked");

  /** Resolves when the server accepts a body of 3 MiB again. */
  async function roomed(): Promise<void> {
    while ((await app.post("/stream-chat", body)).status === 503);
  }

  test("refuses a body that does not fit with a 503 and Retry-After, on each wire, and accepts small ones", async () => {
    model.say("- p\n---RESPONSE---\n", "Hello.");
    const taken = once(app.app.http.server, "request");
    const first = openRaw(app.url, known);
    first.write(body.slice(0, 10));
    await taken;
    const answer = await app.post("/stream-chat", body);
    assert.equal(answer.status, 503);
    assert.equal(JSON.parse(answer.body).code, "server_busy");
    assert.match(String(answer.headers["retry-after"]), /^[1-9]$/);
    const openAi = await app.post("/v1/chat/completions", body);
    assert.equal(openAi.status, 503);
    assert.equal(openAi.headers["x-should-retry"], "true");
    assert.equal((await app.post("/api/chat", body)).status, 503);
    // A body without a length is accepted until it does not fit.
    const chunked = openRaw(app.url, unknown);
    const reading = readRaw(chunked);
    const piece = `${mebibyte.toString(16)}\r\n${" ".repeat(mebibyte)}\r\n`;
    chunked.write(`${piece.repeat(3)}0\r\n\r\n`);
    assert.match(await reading, /^HTTP\/1\.1 503 /);
    assert.equal((await app.post("/stream-chat", chat)).status, 200);
    // The first body is accepted whole.
    const whole = readRaw(first);
    first.write(body.slice(10));
    assert.match(await whole, /^HTTP\/1\.1 200 [^]*Hello\./);
    await roomed();
  });

  test("counts a body until its response starts", async () => {
    const next = model.nextCall();
    const asking = app.open("POST", "/stream-chat", body);
    const call = await next;
    assert.equal((await app.post("/stream-chat", body)).status, 503);
    call.text("- p\n---RESPONSE---\nHello");
    const response = await asking;
    model.say("- p\n---RESPONSE---\n", "Hello.");
    assert.equal((await app.post("/stream-chat", body)).status, 200);
    call.finish();
    response.resume();
    await once(response, "end");
  });

  test("leaves room for others when one user holds half of it with stalled bodies", async () => {
    const provider = await IdentityProvider.start();
    const users = await startApp({
      AUTH: "supabase",
      SUPABASE_URL: provider.url,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      LIMIT_BODY_MIB: "4",
      LIMIT_BODIES_MIB: "8",
    });
    try {
      model.say("- p\n---RESPONSE---\n", "Hello.");
      const [greedy = "", other = ""] = await Promise.all(
        [1, 2].map(async () => `Bearer ${await provider.sign(provider.claimsOf(randomUUID(), new Date()))}`),
      );
      // Each loop opens one more request: a body whose response is being sent holds room too, so one of these
      // may be refused.
      const greedyHead = known.replace("Host", `Authorization: ${greedy}\r\nHost`);
      const large: Socket[] = [];
      do large.push(openRaw(users.url, greedyHead));
      while ((await users.post("/stream-chat", body, { authorization: greedy })).status !== 503);
      assert.equal((await users.post("/stream-chat", body, { authorization: other })).status, 200);
      for (const socket of large) socket.destroy();
      while ((await users.post("/stream-chat", body, { authorization: greedy })).status === 503);
      // Small bodies have their own room, with the same rule.
      const smallHead = greedyHead.replace(String(length), String(64 * 1024));
      const small = Array.from({ length: 127 }, () => openRaw(users.url, `${smallHead}{`));
      do small.push(openRaw(users.url, `${smallHead}{`));
      while ((await users.post("/stream-chat", chat, { authorization: greedy })).status !== 503);
      assert.equal((await users.post("/stream-chat", chat, { authorization: other })).status, 200);
      for (const socket of small) socket.destroy();
      while ((await users.post("/stream-chat", chat, { authorization: greedy })).status === 503);
    } finally {
      await users.close();
      await provider.close();
    }
  });

  test("frees the room however a request ends", async () => {
    model.say("- p\n---RESPONSE---\n", "Hello.");
    const endings: readonly ((socket: Socket) => void)[] = [
      (socket) => void socket.resetAndDestroy(),
      (socket) => void socket.end(),
      (socket) => void socket.end("x".repeat(length)), // no JSON
    ];
    for (const end of endings)
      for (const head of [known, unknown]) {
        const piece =
          head === known ? body.slice(0, 2 * mebibyte) : `200000\r\n${" ".repeat(2 * mebibyte)}\r\n`;
        const taken = once(app.app.http.server, "request");
        const socket = openRaw(app.url, head);
        socket.resume().write(piece);
        const [{ socket: theirs }] = await taken;
        while (theirs.bytesRead < head.length + piece.length) await nextTurn();
        assert.equal((await app.post("/stream-chat", body)).status, 503);
        const { promise: closed, resolve } = Promise.withResolvers<void>();
        socket.once("close", resolve);
        end(socket);
        await closed;
        await roomed();
      }
    assert.equal((await app.post("/stream-chat", "[".repeat(length))).status, 400);
    assert.equal((await app.post("/stream-chat", JSON.stringify({ a: "x".repeat(length) }))).status, 400);
    assert.equal((await app.post("/stream-chat", body)).status, 200);
  });
});

describe("large bodies", { timeout: 120_000 }, () => {
  test("that arrive at once are parsed one at a time, each in its own turn of the event loop", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    let turn = 0;
    let timer: NodeJS.Immediate;
    const count = (): void => {
      turn += 1;
      timer = setImmediate(count);
    };
    timer = setImmediate(count);
    try {
      const turns: number[] = [];
      const { server } = app.app.http;
      const open: Socket[] = [];
      server.on("request", (request, response) => {
        open.push(request.socket);
        // An invalid chat gets its response in the tick in which it was parsed.
        const writeHead = response.writeHead.bind(response);
        response.writeHead = (...given: readonly unknown[]) => {
          turns.push(turn);
          return Reflect.apply(writeHead, response, given);
        };
      });
      const body = JSON.stringify({ messages: "x".repeat(mebibyte) });
      const head = `POST /stream-chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
      const sockets = Array.from({ length: 12 }, () => openRaw(app.url, head + body.slice(0, -1)));
      const readings = sockets.map(readRaw);
      const arrived = (): boolean =>
        open.length === sockets.length &&
        open.every(({ bytesRead }) => bytesRead === head.length + body.length - 1);
      while (!arrived()) await nextTurn();
      for (const socket of sockets) socket.write(body.slice(-1));
      for (const answer of await Promise.all(readings)) assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.equal(turns.length, sockets.length);
      assert.equal(new Set(turns).size, turns.length, String(turns));
    } finally {
      clearImmediate(timer);
      await app.close();
    }
  });

  test("get the responses that small ones get: the same values, errors and fields", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    const image = (data: string): string =>
      `{"sender":"user","images":[{"inlineData":{"mimeType":"image/png","data":"${data}"}}]}`;
    const refused: Readonly<Record<string, string>> = {
      invalid_request: '{"messages":[{"sender":"user","text":"Hi"},{"sender":"user","text":7}]}',
      "invalid_request, of a file": `{"messages":[${image("AAAA")},${image("AAA\u0141")}]}`,
      "invalid_request, of a file's type": `{"messages":[${image("AAAA")}]}`,
      "invalid_request, of two": '{"messages":"Hi","userId":"bob"}',
      invalid_json: '{"messages":[{"sender":"user","text":"Hi"}',
      "invalid_json, of a string": '{"messages":[{"sender":"user","text":"Hi\n"}]}',
      "invalid_json, of a key": '{"messages":[],"\\u005f_proto__":{}}',
    };
    try {
      for (const [name, small] of Object.entries(refused)) {
        const { requestId: _, ...problem } = JSON.parse((await app.post("/stream-chat", small)).body);
        assert.equal(problem.code, name.split(",")[0]);
        // A member that is ignored, beside strings of other sizes and places.
        for (const size of [40_000, 70_000, 130_000]) {
          const large = small.replace(
            "{",
            `{"padding":"${'\\"\\u00e9 é'.repeat(size)}","${"x".repeat(size)}" : "",`,
          );
          const { requestId: __, ...same } = JSON.parse((await app.post("/stream-chat", large)).body);
          assert.deepEqual(same, problem, name);
        }
      }
    } finally {
      await app.close();
    }
  });
});
