/** A request that is refused while its body is in transit: its client always reads the response. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { readResponse, RunningApp, startApp } from "../support/apps/start-app.ts";
import { useResource } from "../support/apps/use-app.ts";

const mebibyte = 1024 * 1024;
const json = { "content-type": "application/json" };
const tooLarge = [mebibyte + 1, 3 * mebibyte, 24 * mebibyte, 90 * mebibyte];

/** The app in demo mode, which takes bodies of at most 1 MiB. */
function useDemoApp(): RunningApp {
  const app = new RunningApp();
  useResource(async (closing) => {
    await app.start({ DEMO_MODE: "true", LIMIT_BODY_MIB: "1" });
    closing.defer(() => app.close());
  });
  return app;
}

/** A body of `sizeBytes` in pieces, without a `Content-Length`. */
function stream(sizeBytes: number): ReadableStream<Uint8Array> {
  let left = sizeBytes;
  return new ReadableStream({
    pull: (controller) => {
      const piece = new Uint8Array(Math.min(left, 256 * 1024)).fill(32);
      left -= piece.length;
      controller.enqueue(piece);
      if (left === 0) controller.close();
    },
  });
}

/** Runs curl; resolves with the status it printed, and its exit code. */
async function curl(input: string, ...options: readonly string[]): Promise<readonly [string, unknown]> {
  const process = spawn("curl", ["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", ...options]);
  process.stdin.on("error", () => {}).end(input); // it need not read all of it
  const closed = once(process, "close");
  const printed = await process.stdout.toArray();
  const [code]: unknown[] = await closed;
  return [Buffer.concat(printed).toString(), code];
}

describe("a client whose body is over the limit reads a 413", { timeout: 120_000 }, () => {
  const app = useDemoApp();

  for (const sizeBytes of tooLarge) {
    test(`with fetch, ${sizeBytes} bytes, with or without a known length`, async () => {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const known = await fetch(`${app.url}/stream-chat`, {
          method: "POST",
          headers: json,
          body: "x".repeat(sizeBytes),
        });
        assert.equal(known.status, 413);
        assert.match(await known.text(), /"code":"body_too_large"/);
        const unknown = await fetch(`${app.url}/stream-chat`, {
          method: "POST",
          headers: json,
          body: stream(sizeBytes),
          duplex: "half",
        });
        assert.equal(unknown.status, 413);
        assert.match(await unknown.text(), /"detail":"The body is larger than 1 MiB\."/);
      }
    });

    test(`with openai, ${sizeBytes} bytes`, async () => {
      const client = new OpenAI({ baseURL: `${app.url}/v1`, apiKey: "none", maxRetries: 0 });
      const content = "x".repeat(sizeBytes);
      const asking = client.chat.completions.create({ model: "demo", messages: [{ role: "user", content }] });
      await assert.rejects(asking, (error) => error instanceof OpenAI.APIError && error.status === 413);
    });

    test(`with node:http and curl, ${sizeBytes} bytes`, async () => {
      const body = "x".repeat(sizeBytes);
      assert.equal((await app.post("/stream-chat", body)).status, 413);
      const url = `${app.url}/stream-chat`;
      const type = ["-H", "content-type: application/json", "--data-binary", "@-"];
      assert.deepEqual(await curl(body, url, ...type), ["413", 0]);
      assert.deepEqual(await curl(body, url, ...type, "-H", "expect:"), ["413", 0]);
      assert.deepEqual(await curl(body, url, ...type, "-H", "transfer-encoding: chunked"), ["413", 0]);
    });
  }

  test("once, however it disconnects: the log has one line per request", async () => {
    const leaving = await startApp({ DEMO_MODE: "true", LIMIT_BODY_MIB: "1" });
    try {
      const head =
        "POST /stream-chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n";
      for (const body of ["", "x".repeat(100_000)]) {
        const socket = openRaw(leaving.url, head + body);
        const reading = readRaw(socket);
        socket.once("data", () => socket.end());
        assert.equal((await reading).split("HTTP/1.1 ").length, 2);
      }
    } finally {
      await leaving.close();
    }
    const lines = leaving.logs.filter(({ msg }) => msg === "a request was refused");
    assert.deepEqual(
      lines.map(({ code }) => code),
      ["body_too_large", "body_too_large"],
    );
  });

  test("and its connection is closed, while that of a small unneeded body is kept", async () => {
    const large = await app.post("/stream-chat", "x".repeat(2 * mebibyte));
    assert.equal(large.headers.connection, "close");
    const post = (path: string, body: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const answers = await readRaw(
      openRaw(app.url, post("/healthz", "x".repeat(1000)) + post("/nowhere", "y") + last),
    );
    assert.deepEqual(
      Array.from(answers.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status),
      ["405", "404", "200"],
    );
  });
});

describe("a client that sends Expect: 100-continue", { timeout: 60_000 }, () => {
  const app = useDemoApp();

  const head = (path: string, lengthBytes: number): string =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${lengthBytes}\r\n\r\n`;

  test("is told to continue once its body is needed", async () => {
    const body = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
    const sent = request(`${app.url}/stream-chat`, {
      method: "POST",
      agent: false,
      headers: { ...json, expect: "100-continue", "content-length": body.length },
    });
    sent.flushHeaders();
    await once(sent, "continue");
    sent.end(body);
    const [response] = await once(sent, "response");
    assert.equal((await readResponse(response)).status, 200);
  });

  test("is refused before it sends its body, and the connection is closed", async () => {
    for (const [path, status] of [
      ["/stream-chat", 413],
      ["/nowhere", 404],
      ["/healthz", 405],
    ] as const) {
      const socket = openRaw(app.url, head(path, 2 * mebibyte));
      const reading = readRaw(socket);
      socket.once("data", () => socket.end());
      const answer = await reading;
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close`, "i"));
      assert.doesNotMatch(answer, /100 Continue/);
    }
  });
});

describe("every other early refusal reaches a client that is sending 24 MiB", { timeout: 120_000 }, () => {
  const key = "k".repeat(32);
  let app: RunningApp;
  before(async () => {
    app = await startApp({
      DEMO_MODE: "true",
      AUTH: "keys",
      API_KEYS: key,
      ALLOWED_HOSTS: "chat.example.com",
      LIMIT_REQUESTS_PER_MINUTE: "0",
    });
  });
  after(() => app.close());

  const cases: readonly [number, string, string, Record<string, string>][] = [
    [401, "POST", "/stream-chat", {}],
    [401, "POST", "/v1/chat/completions", { authorization: "Bearer wrong" }],
    [415, "POST", "/stream-chat", { authorization: `Bearer ${key}`, "content-type": "text/plain" }],
    [415, "POST", "/api/chat", { authorization: `Bearer ${key}`, "content-encoding": "gzip" }],
    [421, "POST", "/stream-chat", { host: "evil.example" }],
    [404, "POST", "/nowhere", {}],
    [405, "POST", "/healthz", {}],
    [404, "PUT", "/elsewhere", {}],
  ];
  for (const [status, method, path, headers] of cases)
    test(`${status} of ${method} ${path}`, async () => {
      const body = "x".repeat(24 * mebibyte);
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const answer = await readResponse(await app.open(method, path, body, headers));
        assert.equal(answer.status, status);
        assert.ok(answer.isComplete);
        // Node's fetch chooses Host itself.
        if (status === 421) continue;
        const response = await fetch(app.url + path, { method, headers: { ...json, ...headers }, body });
        assert.equal(response.status, status);
        await response.text();
      }
    });
});
