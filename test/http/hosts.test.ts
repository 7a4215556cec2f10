/** The host names that a server answers to, and the web pages whose requests it accepts. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ConfigError, parseConfig } from "../../src/config/config.ts";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { startApp, type AppResponse, type RunningApp } from "../support/apps/start-app.ts";

const chat = { messages: [{ sender: "user", text: "Hi" }] };

/** Sends a request as written; returns its status, head and body. */
async function ask(
  app: RunningApp,
  lines: readonly string[],
  body = "",
): Promise<Omit<AppResponse, "isComplete" | "headers"> & { head: string }> {
  const length = body === "" ? [] : ["Content-Type: application/json", `Content-Length: ${body.length}`];
  const text = [...lines, ...length, "Connection: close", "", body].join("\r\n");
  const answer = await readRaw(openRaw(app.url, text));
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  return { status: Number(answer.split(" ")[1]), head, body: rest.join("\r\n\r\n") };
}

async function statusOf(app: RunningApp, host: string | undefined, target = "/v1/models"): Promise<number> {
  const lines = [`GET ${target} HTTP/1.1`, ...(host === undefined ? [] : [`Host: ${host}`])];
  return (await ask(app, lines)).status;
}

/** Runs `use` with an app configured by `variables`. */
async function withApp(
  variables: Record<string, string>,
  use: (app: RunningApp) => Promise<void>,
): Promise<void> {
  const app = await startApp({ DEMO_MODE: "true", ...variables });
  try {
    await use(app);
  } finally {
    await app.close();
  }
}

describe("a server on loopback without authentication", { timeout: 60_000 }, () => {
  let app: RunningApp;
  before(async () => {
    app = await startApp({ DEMO_MODE: "true" });
  });
  after(() => app.close());

  const own = [
    "localhost", "LOCALHOST:8000", "localhost.", "localhost.:80", "127.0.0.1", "127.0.0.1:8000", "127.1.2.3",
    "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]",
  ]; // prettier-ignore
  test("answers to localhost and to every loopback address, with any port", async () => {
    for (const host of own) assert.equal(await statusOf(app, host), 200, host);
  });

  const foreign = [
    "evil.example", "evil.example:8000", "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example",
    "localhost@evil.example", "evil.example@localhost", "localhost:80@evil.example", "localhost, evil.example",
    "localhost/evil", "128.0.0.1", "10.0.0.1", "0.0.0.0", "[::]", "[::2]", "[::ffff:10.0.0.1]", "[::1%25lo]", "::1",
    "localhost:x", "localhost:123456", "localhost..", ".", "", "xn--localhost-", "l\u00f6calhost", "2130706433", "foo.localhost",
  ]; // prettier-ignore
  test("refuses every other name with a 421, before anything else and with no CORS header", async () => {
    for (const host of foreign) assert.equal(await statusOf(app, host), 421, host);
    for (const target of ["/nowhere", "/docs", "/openapi.json", "/conversations", "/%zz"])
      assert.equal(await statusOf(app, "evil.example", target), 421, target);
    const lines = ["OPTIONS /stream-chat HTTP/1.1", "Host: evil.example", "Origin: http://localhost:3000"];
    const preflight = await ask(app, [...lines, "Access-Control-Request-Method: POST"]);
    assert.equal(preflight.status, 421);
    assert.doesNotMatch(preflight.head, /access-control-allow/i);
  });

  test("refuses it in the error format of each wire", async () => {
    const shapes: readonly [string, RegExp][] = [
      ["/stream-chat", /^\{"type":"about:blank".*"code":"host_not_allowed"/],
      ["/v1/chat/completions", /^\{"error":\{"message":.*"code":"host_not_allowed"/],
      ["/api/chat", /^The Host header does not name this server\./],
    ];
    for (const [path, shape] of shapes) {
      const answer = await ask(app, [`POST ${path} HTTP/1.1`, "Host: evil.example"], JSON.stringify(chat));
      assert.equal(answer.status, 421);
      assert.match(answer.body, shape);
    }
  });

  test("checks the name of an absolute target like Host, and requires both to be allowed", async () => {
    assert.equal(await statusOf(app, "localhost", "http://localhost/v1/models"), 200);
    assert.equal(await statusOf(app, "localhost", "HTTP://127.0.0.1:8000/v1/models?a=b"), 200);
    assert.equal(await statusOf(app, "localhost", "http://evil.example/v1/models"), 421);
    assert.equal(await statusOf(app, "localhost", "http://localhost@evil.example/v1/models"), 421);
    assert.equal(await statusOf(app, "localhost", "http://evil.example@localhost/v1/models"), 421);
    assert.equal(await statusOf(app, "evil.example", "http://localhost/v1/models"), 421);
    const { body } = await ask(app, ["GET http://localhost/v1/models/none HTTP/1.1", "Host: localhost"]);
    assert.match(body, /^\{"error":/);
  });

  test("refuses HTTP/1.1 without Host, and with two, with a 400; HTTP/1.0 has none", async () => {
    assert.equal(await statusOf(app, undefined), 400);
    const twice = await ask(app, ["GET /v1/models HTTP/1.1", "Host: localhost", "HOST: localhost"]);
    assert.equal(twice.status, 400);
    assert.match(twice.body, /"code":"invalid_request"/);
    assert.equal((await ask(app, ["GET /v1/models HTTP/1.0"])).status, 200);
    assert.equal((await ask(app, ["GET /v1/models HTTP/1.0", "Host: evil.example"])).status, 421);
  });

  test("answers health checks under any name", async () => {
    for (const target of ["/healthz", "/readyz"])
      assert.equal(await statusOf(app, "10.1.2.3:8000", target), 200);
  });

  test("logs once which setting to change", async () => {
    await statusOf(app, "chat.example.com");
    const { reason } = await app.logged(({ setting }) => setting === "ALLOWED_HOSTS");
    assert.match(String(reason), /^Host is "/);
    assert.equal(app.logs.filter(({ setting }) => setting === "ALLOWED_HOSTS").length, 1);
  });
});

describe("ALLOWED_HOSTS", { timeout: 60_000 }, () => {
  test("adds names, with a port or with any, and one label below a name", async () => {
    await withApp(
      { ALLOWED_HOSTS: "Chat.example.com, api.example.com:8443, *.apps.example.com,10.0.0.7" },
      async (app) => {
        for (const host of [
          "chat.example.com",
          "CHAT.example.com.:99",
          "api.example.com:8443",
          "a.apps.example.com",
          "10.0.0.7",
          "localhost",
        ])
          assert.equal(await statusOf(app, host), 200, host);
        for (const host of [
          "example.com",
          "api.example.com",
          "api.example.com:443",
          "apps.example.com",
          "a.b.apps.example.com",
          "xapps.example.com",
          "10.0.0.8",
        ])
          assert.equal(await statusOf(app, host), 421, host);
      },
    );
  });

  test("applies to a server with authentication only if it is set", async () => {
    const keys = { AUTH: "keys", API_KEYS: "k".repeat(32) };
    await withApp(keys, async (app) => assert.equal(await statusOf(app, "evil.example"), 401));
    await withApp({ ...keys, ALLOWED_HOSTS: "chat.example.com" }, async (app) => {
      assert.equal(await statusOf(app, "evil.example"), 421);
      assert.equal(await statusOf(app, "chat.example.com"), 401);
    });
  });

  test("is needed for names on a public server, but not for addresses, which no page can take over", async () => {
    await withApp(
      { HOST: "0.0.0.0", ALLOW_UNAUTHENTICATED: "true", ALLOWED_HOSTS: "foreword" },
      async (app) => {
        for (const host of ["10.0.0.7:8000", "[fd00::7]", "foreword:8000", "localhost"])
          assert.equal(await statusOf(app, host), 200, host);
        for (const host of ["evil.example", "0.0.0.0", "[::]"])
          assert.equal(await statusOf(app, host), 421, host);
      },
    );
    await withApp({ HOST: "chat.lan", ALLOW_UNAUTHENTICATED: "true" }, async (app) =>
      assert.equal(await statusOf(app, "chat.lan"), 200),
    );
  });

  test("accepts names and addresses only, and no wildcard for everything", () => {
    for (const value of [
      "*",
      "*.com",
      "a.*.example.com",
      "**.example.com",
      "https://example.com",
      "example.com/",
      "a b",
      "a,,b",
      "example.com:0",
      "example.com:70000",
      "[::x]",
      "user@example.com",
    ])
      assert.throws(
        () => parseConfig({ ALLOWED_HOSTS: value }),
        (error) =>
          error instanceof ConfigError && error.problems[0]?.startsWith("ALLOWED_HOSTS must be") === true,
        value,
      );
  });
});

describe("a page of another origin", { timeout: 60_000 }, () => {
  let app: RunningApp;
  before(async () => {
    app = await startApp({
      DEMO_MODE: "true",
      CHAT_STORE_ENABLED: "true",
      CORS_ALLOW_ORIGINS: "https://chat.example.com",
    });
  });
  after(() => app.close());

  const id = "01890000-0000-7000-8000-0000000000ab";
  const changes: readonly [string, string, unknown?][] = [
    ["POST", "/stream-chat", chat],
    ["POST", `/turns/${id}/stop`],
    ["POST", "/api/chat", {}],
    ["POST", "/api/chat/x/stop"],
    ["POST", "/v1/chat/completions", {}],
    ["POST", "/conversations"],
    ["PATCH", `/conversations/${id}`, {}],
    ["DELETE", `/conversations/${id}`],
    ["DELETE", `/conversations?userId=${id}`],
  ];
  const pages: readonly Record<string, string>[] = [
    { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { origin: "http://localhost:5000", "sec-fetch-site": "same-site" },
    { origin: "https://chat.example.com.evil.example" },
  ];
  test("can neither change data nor start a turn", async () => {
    for (const [method, path, body] of changes)
      for (const headers of pages) {
        const response = await app.open(method, path, body, headers);
        response.resume();
        assert.equal(response.statusCode, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      }
    const { body } = await app.post("/stream-chat", chat, { origin: "null" });
    assert.equal(JSON.parse(body).code, "origin_not_allowed");
  });

  test("may do so if CORS_ALLOW_ORIGINS lists it, like the server's own pages and clients that are not browsers", async () => {
    const { host } = new URL(app.url);
    const allowed: readonly Record<string, string>[] = [
      {},
      { origin: "https://chat.example.com", "sec-fetch-site": "cross-site" },
      { origin: `http://${host}` },
      { origin: `http://${host}`, "sec-fetch-site": "same-origin" },
      { "sec-fetch-site": "none" },
      { host: "localhost", origin: "https://localhost" },
    ];
    for (const headers of allowed)
      assert.equal((await app.post("/conversations", {}, headers)).status, 201, JSON.stringify(headers));
  });

  test("may send requests that only read, since CORS keeps it from reading the response", async () => {
    const answer = await app.get(`/conversations?userId=${id}`, { origin: "https://evil.example" });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
  });

  test("with authentication is refused only for lack of credentials", async () => {
    await withApp({ AUTH: "keys", API_KEYS: "k".repeat(32) }, async (keyed) =>
      assert.equal((await keyed.post("/stream-chat", chat, pages[0])).status, 401),
    );
  });
});

describe("CORS_ALLOW_ORIGINS", { timeout: 60_000 }, () => {
  test("accepts one label below a name, and the origins of apps and extensions", async () => {
    const extension = `chrome-extension://${"a".repeat(32)}`;
    const origins = [
      "https://*.example.com",
      "http://*.localhost:3000",
      "tauri://localhost",
      "capacitor://localhost",
      extension,
      "moz-extension://0b8a3c5e-1a2b-4c3d-8e9f-0123456789ab",
    ];
    await withApp({ CORS_ALLOW_ORIGINS: origins.join(",") }, async (app) => {
      const allowed = async (origin: string): Promise<unknown> => {
        const { status, headers } = await app.post("/stream-chat", {}, { origin });
        assert.equal(status, headers["access-control-allow-origin"] === undefined ? 403 : 400);
        return headers["access-control-allow-origin"];
      };
      for (const origin of [
        "https://a.example.com",
        "https://a-1.example.com",
        "http://t.localhost:3000",
        ...origins.slice(2),
      ])
        assert.equal(await allowed(origin), origin);
      for (const origin of [
        "https://example.com",
        "https://a.b.example.com",
        "http://a.example.com",
        "https://a.example.com:8443",
        "https://aXexample.com",
        "https://a.example.com.evil.example",
        "https://.example.com",
        "https://evil.example/.example.com",
        "tauri://evil",
        "null",
      ])
        assert.equal(await allowed(origin), undefined, origin);
    });
  });

  test("accepts no pattern that could match nothing or everything", () => {
    for (const value of [
      "*",
      "null",
      "https://*",
      "https://*.com",
      "https://a.*.example.com",
      "https://*.*.example.com",
      "https://chat.example.com/path",
      "https://Chat.example.com",
      "https://chat.example.com:443",
      "chat.example.com",
      "file://x",
      "tauri://",
      "tauri://localhost/x",
      "javascript://x",
      "https://a@b.example",
    ])
      assert.throws(
        () => parseConfig({ CORS_ALLOW_ORIGINS: value }),
        (error) =>
          error instanceof ConfigError &&
          error.problems[0]?.startsWith("CORS_ALLOW_ORIGINS must be") === true,
        value,
      );
  });
});
