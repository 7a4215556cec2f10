/** The log lines and the responses of refused requests. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openRaw, readRaw } from "../support/clients/raw-request.ts";
import { startApp, type LogLine, type RunningApp } from "../support/apps/start-app.ts";

const isRefusal = ({ msg }: LogLine): boolean => msg === "a request was refused";

describe("a refused request", { timeout: 60_000 }, () => {
  test("gets one log line at info, with the client's request id, the code and the reason", async () => {
    const app = await startApp({ DEMO_MODE: "true", LIMIT_BODY_MIB: "1" });
    try {
      const cases: readonly [string, number, () => ReturnType<RunningApp["get"]>][] = [
        ["not_found", 404, () => app.get("/nowhere")],
        ["method_not_allowed", 405, () => app.get("/stream-chat")],
        ["invalid_request", 400, () => app.post("/stream-chat", {})],
        ["invalid_json", 400, () => app.post("/stream-chat", "{")],
        ["body_too_large", 413, () => app.post("/stream-chat", "x".repeat(1024 * 1024 + 1))],
        [
          "unsupported_media_type",
          415,
          () => app.post("/stream-chat", "x", { "content-type": "text/plain" }),
        ],
        ["invalid_request", 400, () => app.get("/turns/%zz")],
        ["invalid_request", 400, () => app.get(`/turns/${"a".repeat(2_000)}`)],
        ["host_not_allowed", 421, () => app.get("/docs", { host: "evil.example" })],
        ["origin_not_allowed", 403, () => app.post("/stream-chat", {}, { origin: "https://evil.example" })],
      ];
      for (const [code, status, ask] of cases) {
        const answer = await ask();
        assert.equal(answer.status, status, code);
        const id = answer.headers["x-request-id"];
        const line = await app.logged((one) => isRefusal(one) && one["requestId"] === id);
        assert.deepEqual([line["level"], line["status"], line["code"]], [30, status, code]);
        assert.deepEqual([line["ip"], line["method"] === undefined], ["127.0.0.1", false]);
        assert.equal(JSON.parse(answer.body).requestId, line["requestId"]);
        assert.ok(String(line["reason"]).length > 5, code);
      }
      assert.equal(app.logs.filter(isRefusal).length, cases.length);
    } finally {
      await app.close();
    }
  });

  test("leaves no query in the log, and only the beginning of a long path", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    try {
      const query = "?api_key=sk-secret&query=private+words";
      const paths = [
        "/nowhere",
        "/v1/nowhere",
        "/turns/%zz",
        "/api/chat/%zz/stream",
        `/${"long".repeat(500)}`,
      ];
      for (const path of paths) await app.get(path + query);
      await app.get(`/conversations${query}`, {}, "PUT");
      await app.get("/healthz");
      await app.logged((line) => isRefusal(line) && app.logs.filter(isRefusal).length === paths.length + 1);
      const log = JSON.stringify(app.logs);
      assert.doesNotMatch(log, /sk-secret|private|(?:long){100}/);
      assert.match(log, /no route GET \/v1\/nowhere"/);
    } finally {
      await app.close();
    }
  });

  test("gets its log line on a connection that speaks no HTTP, too", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    try {
      const answer = await readRaw(openRaw(app.url, "nonsense\r\n\r\n"));
      const { requestId, code } = JSON.parse(answer.slice(answer.indexOf("{")));
      const line = await app.logged(isRefusal);
      assert.deepEqual([line["requestId"], line["code"], line["status"]], [requestId, code, 400]);
      assert.match(answer, new RegExp(`X-Request-Id: ${requestId}`));
    } finally {
      await app.close();
    }
  });

  test("is only counted after 30 lines in 30 s, by code", async () => {
    const clock = new ManualClock();
    const app = await startApp({ DEMO_MODE: "true" }, clock);
    try {
      for (let count = 0; count < 50; count += 1) await app.get(count < 40 ? "/nowhere" : "/stream-chat");
      while (app.logs.filter(isRefusal).length < 30) await app.get("/healthz");
      clock.advance(30_000);
      const { count, codes } = await app.logged(({ msg }) => msg.startsWith("more requests were refused"));
      assert.deepEqual([count, codes], [20, { not_found: 10, method_not_allowed: 10 }]);
      await app.get("/nowhere");
      await app.logged((line) => isRefusal(line) && app.logs.filter(isRefusal).length === 31);
    } finally {
      await app.close();
    }
  });

  test("is reported when the server stops, if it was only counted so far", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    for (let count = 0; count < 31; count += 1) await app.get("/nowhere");
    await app.close();
    assert.ok(app.logs.some(({ count }) => count === 1));
  });
});

describe("a 401", { timeout: 60_000 }, () => {
  const clock = new ManualClock();
  const key = "k".repeat(32);
  let provider: IdentityProvider;
  let users: RunningApp;
  let servers: RunningApp;
  before(async () => {
    provider = await IdentityProvider.start();
    users = await startApp({ AUTH: "supabase", SUPABASE_URL: provider.url }, clock);
    servers = await startApp({ AUTH: "keys", API_KEYS: key });
  });
  after(async () => {
    await users.close();
    await servers.close();
    await provider.close();
  });

  /** Returns the challenge and the detail in response to `authorization`, and the reason in the log. */
  async function refuse(app: RunningApp, authorization?: string): Promise<readonly [string, string, string]> {
    const { status, headers, body } = await app.get(
      "/conversations",
      authorization === undefined ? {} : { authorization },
    );
    assert.equal(status, 401);
    const { requestId, detail } = JSON.parse(body);
    const { reason } = await app.logged((line) => isRefusal(line) && line["requestId"] === requestId);
    return [headers["www-authenticate"] ?? "", detail, String(reason)];
  }

  test("names no error to a client that sent no bearer token", async () => {
    for (const authorization of [undefined, "Basic YTpi", "bearerx"]) {
      const [challenge] = await refuse(servers, authorization);
      assert.equal(challenge, 'Bearer realm="Foreword"', authorization);
    }
  });

  test("names invalid_token to one that did, and never repeats the token; the log has the reason", async () => {
    const sentence = "Authentication is required, or the credentials are invalid.";
    const invalid = `Bearer error="invalid_token", error_description="${sentence}"`;
    const claims = provider.claimsOf(randomUUID(), clock.now());
    const cases: readonly [RunningApp, string, RegExp][] = [
      [servers, `Bearer ${"x".repeat(32)}`, /not one of API_KEYS/],
      [servers, 'Bearer a"b\\c', /not a bearer token/],
      [users, "Bearer a.b.c", /^the token is not valid: /],
      [users, `Bearer ${await provider.sign({ ...claims, iss: "https://evil.example" })}`, /"iss"/],
      [users, `Bearer ${await provider.sign({ ...claims, role: "anon" })}`, /role/],
    ];
    for (const [app, authorization, pattern] of cases) {
      const [challenge, detail, reason] = await refuse(app, authorization);
      assert.deepEqual([challenge, detail], [invalid, sentence]);
      assert.match(reason, pattern);
      assert.ok(
        !JSON.stringify(app.logs).includes(authorization.slice("Bearer ".length)) ||
          authorization.length < 20,
      );
    }
  });

  test("tells a client that its token has expired, so that it fetches a new one", async () => {
    const claims = provider.claimsOf(randomUUID(), new Date(clock.now().getTime() - 7_200_000));
    const [challenge, detail, reason] = await refuse(users, `Bearer ${await provider.sign(claims)}`);
    assert.equal(
      challenge,
      'Bearer error="invalid_token", error_description="The access token has expired."',
    );
    assert.equal(detail, "The access token has expired.");
    assert.equal(reason, "the token has expired");
  });
});
