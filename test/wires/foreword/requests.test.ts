/** Requests before any turn: which are refused, in which format, and which pages may read the response. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { startApp, type AppResponse } from "../../support/apps/start-app.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const mebibyte = 1024 * 1024;

describe("a request", () => {
  const model = useModel();
  const app = useApp(model);

  function assertProblem(response: AppResponse, status: number, code: string, detail = /./): void {
    assert.equal(response.status, status);
    assert.equal(response.headers["content-type"], "application/problem+json; charset=utf-8");
    const problem = JSON.parse(response.body);
    assert.deepEqual(Object.keys(problem), ["type", "title", "status", "code", "detail", "requestId"]);
    assert.equal(problem.status, status);
    assert.equal(problem.code, code);
    assert.match(problem.detail, detail);
  }

  const hello = { sender: "user", text: "Hi" };
  const wrong: readonly [string, unknown, RegExp][] = [
    ["without a body", undefined, /messages/],
    ["that is a list", [], /expected object/],
    ["that is null", null, /messages/],
    ["with a message that is a string", { messages: ["Hi"] }, /messages\[0\]/],
    ["with a text that is a number", { messages: [{ sender: "user", text: 7 }] }, /messages\[0\]\.text/],
    [
      "with an image without data",
      { messages: [{ sender: "user", images: [{ inlineData: { mimeType: "image/png" } }] }] },
      /messages\[0\]\.images\[0\]\.inlineData\.data/,
    ],
    [
      "with an image as a data URL",
      {
        messages: [
          {
            sender: "user",
            images: [{ inlineData: { mimeType: "image/png", data: "data:image/png;base64,AAAA" } }],
          },
        ],
      },
      /data: must be base64/,
    ],
    [
      "with a flag that is a string",
      { messages: [{ sender: "user", text: "Hi" }], use_web_search: "yes" },
      /use_web_search/,
    ],
    ["with a user that is a list", { messages: [hello], userId: [] }, /^userId: must be a UUID$/],
    [
      "with a parent that is a number",
      { messages: [hello], parentId: 7 },
      /^parentId: must be a message's id, or leaf$/,
    ],
    [
      "with two things wrong",
      { messages: [{ sender: "user", text: 1 }], userId: "bob" },
      /messages\[0\]\.text.*userId/,
    ],
  ];
  for (const [name, body, detail] of wrong) {
    test(`${name} is a 400 that names the field`, async () => {
      assertProblem(await app.post("/stream-chat", body), 400, "invalid_request", detail);
    });
  }

  test("that names its conversation in a header uses that conversation", async () => {
    const conversationId = "01890000-0000-7000-8000-0000000000ab";
    const body = { messages: [{ sender: "user", text: "Hi" }] };
    const { headers } = await app.post("/stream-chat", body, { "x-conversation-id": conversationId });
    assert.equal(headers["x-conversation-id"], conversationId);
    assertProblem(
      await app.post("/stream-chat", body, { "x-conversation-id": "x" }),
      400,
      "invalid_request",
      /x-conversation-id: must be a UUID/,
    );
  });

  test("with an empty sender is the user's, or its role's", async () => {
    const messages = [
      { sender: "", role: "assistant", content: "Hello" },
      { sender: "", text: "Hi" },
    ];
    assert.equal((await app.post("/stream-chat", { messages })).status, 200);
    assert.deepEqual(
      model.calls
        .at(-1)
        ?.body.messages.slice(1)
        .map(({ role }) => role),
      ["assistant", "user"],
    );
  });

  test("with the nulls that frontends of the Flask service send is accepted", async () => {
    const body = {
      messages: [{ sender: "user", text: "Hi", images: null }],
      conversationId: null,
      userId: "",
      knowledge_base: null,
    };
    assert.equal((await app.post("/stream-chat", body)).status, 200);
  });

  test("of another media type is a 415", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      assertProblem(
        await app.post("/stream-chat", "{}", { "content-type": type }),
        415,
        "unsupported_media_type",
      );
    }
  });

  test("that tries to reach the prototype is a 400", async () => {
    for (const body of [
      '{"__proto__":{"a":1},"messages":[]}',
      '{"messages":[{"constructor":{"prototype":1}}]}',
    ]) {
      const refused = await app.post("/stream-chat", body);
      assertProblem(refused, 400, "invalid_json");
      assert.match(JSON.parse(refused.body).detail, /, or has a key like `__proto__`\.$/);
    }
  });

  test("with a message of 1 MiB is accepted, and with one byte more a 413 that names it", async () => {
    assert.equal((await app.chat("ä".repeat(mebibyte / 2))).status, 200);
    assertProblem(
      await app.chat(`${"ä".repeat(mebibyte / 2)}x`),
      413,
      "message_too_large",
      /messages\[0\]\.text: must be at most 1 MiB/,
    );
  });

  test("that sends back a reply of 2 MiB is accepted", async () => {
    const messages = [
      { sender: "user", text: "Hi" },
      { sender: "bot", text: "x".repeat(2 * mebibyte) },
      { sender: "user", text: "Go on" },
    ];
    assert.equal((await app.post("/stream-chat", { messages })).status, 200);
    messages[1] = { sender: "bot", text: "x".repeat(2 * mebibyte + 2000) };
    assertProblem(
      await app.post("/stream-chat", { messages }),
      413,
      "message_too_large",
      /messages\[1\]\.text: must be at most 2 MiB/,
    );
  });

  test("of 20 MiB is accepted, and with one byte more a 413", async () => {
    const image = (length: number): string =>
      JSON.stringify({
        messages: [
          {
            sender: "user",
            images: [{ inlineData: { mimeType: "image/png", data: `iVBORw0KGgoA${"A".repeat(length)}` } }],
          },
        ],
      });
    const rest = image(0).length;
    const largest = 20 * mebibyte - rest;
    const data = largest - (largest % 4);
    assert.equal((await app.post("/stream-chat", image(data).padEnd(20 * mebibyte, " "))).status, 200);
    assertProblem(
      await app.post("/stream-chat", image(data).padEnd(20 * mebibyte + 1, " ")),
      413,
      "body_too_large",
      /20 MiB/,
    );
  });

  test("to an unknown path is a 404, with a wrong method a 405 with Allow, whatever its body", async () => {
    assertProblem(await app.get("/nowhere"), 404, "not_found");
    const got = await app.get("/stream-chat");
    assertProblem(got, 405, "method_not_allowed");
    assert.equal(got.headers.allow, "POST");
    assert.equal((await app.get("/stream-chat?a=b", {}, "TRACE")).headers.allow, "POST");
    const posted = await app.post("/healthz", "nonsense", { "content-type": "text/plain" });
    assertProblem(posted, 405, "method_not_allowed");
    assert.equal(posted.headers.allow, "GET, HEAD");
  });

  test("whose path cannot be decoded, or that is not HTTP, is a 400 problem too", async () => {
    for (const [path, detail] of [
      ["/%zz", /^The path is not valid/],
      ["/turns/%FF", /^The path is not valid/],
      [`/turns/${"x".repeat(1_001)}`, /longer than 1000 characters/],
    ] as const) {
      const refused = await app.get(path);
      assertProblem(refused, 400, "invalid_request");
      assert.match(JSON.parse(refused.body).detail, detail);
    }
    const socket = connect(Number(new URL(app.url).port), "127.0.0.1");
    socket.end("nonsense\r\n\r\n");
    const answer = (await socket.setEncoding("utf8").toArray()).join("");
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
    assert.equal(JSON.parse(answer.slice(answer.indexOf("{"))).code, "invalid_request");
  });

  test("from an origin of the Flask service may read the response and its ids, from any other not", async () => {
    const origins = ["localhost", "127.0.0.1"].flatMap((host) =>
      ["", ":3000", ":5173", ":4173"].map((port) => `http://${host}${port}`),
    );
    for (const origin of origins) {
      const { headers } = await app.post(
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }] },
        { origin },
      );
      assert.equal(headers["access-control-allow-origin"], origin);
      assert.match(headers["access-control-expose-headers"] ?? "", /X-Turn-Id, X-Conversation-Id/);
      assert.match(headers.vary ?? "", /Origin/);
    }
    for (const origin of [
      "null",
      "http://localhost:3001",
      "http://localhost:3000.evil.example",
      "https://localhost:3000",
      "http://evil.example",
    ]) {
      const { headers } = await app.post("/stream-chat", {}, { origin });
      assert.equal(headers["access-control-allow-origin"], undefined, origin);
    }
  });

  test("that is a CORS preflight from an allowed origin is allowed", async () => {
    const preflight = {
      origin: "http://localhost:5173",
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    const { status, headers } = await app.get("/stream-chat", preflight, "OPTIONS");
    assert.equal(status, 204);
    assert.equal(headers["access-control-allow-origin"], "http://localhost:5173");
    assert.match(headers["access-control-allow-methods"] ?? "", /POST/);
    assert.equal(headers["access-control-allow-headers"], "content-type");
    assert.equal(headers["access-control-allow-credentials"], undefined);
  });

  test("for health gets a response", async () => {
    const { status, body } = await app.get("/healthz");
    assert.deepEqual([status, body], [200, '{"status":"ok"}']);
    const ready = await app.get("/readyz");
    assert.equal(ready.status, 200);
    const { parts, status: state } = JSON.parse(ready.body);
    const { eventLoop, ...others } = parts;
    assert.equal(state, "ok");
    assert.deepEqual(others, { turns: { status: "ok", running: 0 }, store: { status: "ok" } });
    assert.ok(eventLoop.delayP99Ms >= 0 && eventLoop.delayMaxMs >= eventLoop.delayP99Ms);
  });

  test("for readiness after work that blocked the event loop reports the delay", async () => {
    const read = async (): Promise<number> =>
      JSON.parse((await app.get("/readyz")).body).parts.eventLoop.delayMaxMs;
    await read();
    const end = performance.now() + 150;
    while (performance.now() < end);
    assert.ok((await read()) >= 100);
  });
});

describe("CORS_ALLOW_ORIGINS", () => {
  test("replaces the origins of the Flask service", async () => {
    const app = await startApp({ CORS_ALLOW_ORIGINS: "https://chat.example.com, http://localhost:9000/" });
    try {
      const allowed = async (origin: string): Promise<unknown> =>
        (await app.get("/healthz", { origin })).headers["access-control-allow-origin"];
      assert.equal(await allowed("https://chat.example.com"), "https://chat.example.com");
      assert.equal(await allowed("http://localhost:9000"), "http://localhost:9000");
      assert.equal(await allowed("http://localhost:3000"), undefined);
    } finally {
      await app.close();
    }
  });
});
