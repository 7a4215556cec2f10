/** The client's retries against a scripted server: their causes, their waits, and their end. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  createClient,
  ForewordError,
  type ClientOptions,
  type ForewordClient,
  type StreamEvent,
  type Turn,
} from "../../packages/foreword-client/src/client.ts";
import {
  answer,
  cutOff,
  end,
  refuse,
  refuseAs,
  say,
  sayAndCutOff,
  sayOnly,
  ScriptedServer,
  start,
  type Respond,
} from "./scripted-server.ts";

const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;
const id = "00000000-0000-4000-8000-000000000001";
const whole = [start(id), answer("Hi.", 19), end(19)];

/** Reads `turn` until it throws. */
async function failureOf(turn: Turn): Promise<ForewordError> {
  const failure = await turn.reply().then(
    () => "it has a reply",
    (error: unknown) => error,
  );
  assert.ok(failure instanceof ForewordError, String(failure));
  return failure;
}

describe("a client whose server is in trouble", () => {
  let server: ScriptedServer;
  before(async () => {
    server = await ScriptedServer.start();
  });
  after(() => server.close());

  function connect(retry: ClientOptions["retry"] = {}): ForewordClient {
    return createClient({
      baseUrl: `${server.url}/chat/`,
      retry: { firstDelayMs: 1, maxDelayMs: 4, ...retry },
    });
  }

  test("asks again for a running turn after 429 and any 5xx, from a gateway too", async () => {
    for (const refusal of [
      refuse(429),
      refuse(500),
      refuse(502),
      refuse(599),
      refuseAs(503, "store_unavailable"),
      refuseAs(503, "server_stopping"),
    ]) {
      server.expect(refusal, refusal, say(...whole));
      assert.equal((await connect().resume(id).reply()).answer, "Hi.");
      assert.equal(server.requests.length, 3);
    }
  });

  test("throws any other error at once", async () => {
    for (const [status, code] of [
      [400, "invalid_request"],
      [404, "not_found"],
      [406, "not_acceptable"],
    ] as const) {
      server.expect(refuseAs(status, code));
      await assert.rejects(connect().resume(id).reply(), { code, status, message: `It is ${code}.` });
      assert.equal(server.requests.length, 1);
    }
    for (const status of [401, 403, 404]) {
      server.expect(refuse(status));
      await assert.rejects(connect().resume(id).reply(), { code: "http_error", status });
      assert.equal(server.requests.length, 1);
    }
  });

  test("repeats its first request only if no Foreword got it; otherwise it throws the error", async () => {
    for (const refusal of [refuse(502), refuse(503), refuse(504), refuseAs(503, "server_stopping"), cutOff]) {
      server.expect(refusal, say(...whole));
      assert.equal((await connect().start(hello).reply()).answer, "Hi.");
      assert.equal(server.requests.length, 2);
      const [first, second] = server.requests;
      assert.ok(first?.headers["idempotency-key"] !== undefined && first.headers["x-turn-id"] !== undefined);
      for (const name of ["idempotency-key", "x-turn-id"])
        assert.equal(second?.headers[name], first.headers[name]);
    }
    for (const [refusal, code] of [
      [refuse(500), "http_error"],
      [refuse(429), "http_error"],
      [refuseAs(503, "store_unavailable"), "store_unavailable"],
      [refuseAs(409, "idempotency_mismatch"), "idempotency_mismatch"],
    ] as const) {
      server.expect(refusal);
      await assert.rejects(connect().start(hello).reply(), { code });
      assert.equal(server.requests.length, 1);
    }
  });

  test("recognizes a response that is not an event stream", async () => {
    server.expect((response) => void response.setHeader("content-type", "text/html").end("<!doctype html>"));
    await assert.rejects(connect().start(hello).reply(), { code: "invalid_response", status: 200 });
    server.expect((response) => {
      response.setHeader("content-type", "text/event-stream").end("event: turn-start\ndata: {\n\n");
    });
    await assert.rejects(connect().start(hello).reply(), { code: "invalid_response", status: 200 });
    for (const data of ["null", "7", "{}", `{"type":"turn-end"}`, `[{"type":"turn-start"}]`]) {
      server.expect((response) => {
        response.setHeader("content-type", "text/event-stream").end(`event: turn-start\ndata: ${data}\n\n`);
      });
      await assert.rejects(connect().start(hello).reply(), { code: "invalid_response", status: 200 }, data);
    }
    server.expect((response) => void response.setHeader("content-type", "application/json").end("{"));
    await assert.rejects(connect().get(id), { code: "invalid_response", status: 200 });
  });

  test("does not treat an endless message as an event", async () => {
    for (const piece of ["x".repeat(64), `data: ${"x".repeat(57)}\n`]) {
      server.expect((response) => {
        sayOnly(response, [start(id)]).end(`data: ${piece.repeat(320_000)}`); // 20 MB
      });
      const { code, cause } = await failureOf(connect({ maxRetries: 0 }).start(hello));
      assert.deepEqual([code, cause instanceof RangeError], ["invalid_response", true]);
    }
  });

  test("repeats calls of the history, whose first request may have done its work", async () => {
    const { conversations } = connect();
    server.expect(cutOff, (response) => void response.writeHead(204).end());
    await conversations.delete(id);
    server.expect(cutOff, refuseAs(404, "conversation_not_found"));
    await conversations.delete(id);
    server.expect(refuseAs(404, "conversation_not_found"));
    await assert.rejects(conversations.delete(id), { code: "conversation_not_found" });

    const sayJson: Respond = (response) =>
      void response.writeHead(200, { "content-type": "application/json" }).end(`{"id":"1"}`);
    server.expect(cutOff, refuseAs(409, "conversation_exists"), sayJson);
    assert.deepEqual(await conversations.create(), { id: "1" });
    const [, second, third] = server.requests.map(({ line }) => line);
    assert.equal(second, "POST /chat/conversations");
    assert.match(third ?? "", /^GET \/chat\/conversations\/[\da-f-]{36}$/);
    server.expect(cutOff, refuseAs(409, "conversation_exists"), sayJson);
    await assert.rejects(conversations.create({ id }), { code: "conversation_exists" });
  });

  test("reads an error below /v1 in OpenAI's format, if it is Foreword's", async () => {
    const body = JSON.stringify({ error: { message: "Sign in.", code: "unauthenticated" } });
    const json = { "content-type": "application/json" };
    server.expect(refuse(401, { ...json, "x-should-retry": "false" }, body));
    await assert.rejects(connect().models(), { code: "unauthenticated", message: "Sign in." });
    server.expect(refuse(401, json, body));
    await assert.rejects(connect().models(), { code: "http_error", status: 401 });
  });

  test("treats a problem with an unknown code as a gateway's error", async () => {
    for (const body of [`{"code":5,"detail":{}}`, `{"code":null}`, "null", `"not_found"`]) {
      server.expect(refuse(409, { "content-type": "application/problem+json" }, body));
      await assert.rejects(connect().start(hello).reply(), { code: "http_error", status: 409 }, body);
      assert.equal(server.requests.length, 1);
    }
  });

  test("waits as long as the server asks, but at most a minute", async () => {
    server.expect(refuse(503, { "retry-after": "1" }), say(...whole));
    await connect().resume(id).reply();
    const [first, second] = server.requests.map(({ atMs }) => atMs);
    assert.ok(Number(second) - Number(first) >= 950);
    server.expect(refuse(503, { "retry-after": new Date(Date.now() + 120_000).toUTCString() }));
    await assert.rejects(connect().resume(id).reply(), ({ status, retryAfterMs }) => {
      assert.equal(status, 503);
      assert.ok(retryAfterMs > 100_000 && retryAfterMs <= 120_000, `${retryAfterMs}`);
      return true;
    });
    assert.equal(server.requests.length, 1);
  });

  test("gives up with the last failure after enough retries without anything new", async () => {
    server.expect(cutOff);
    await assert.rejects(connect().start(hello).reply(), { code: "connection_lost", status: undefined });
    assert.equal(server.requests.length, 11);
    server.expect(cutOff, refuseAs(503, "server_stopping"));
    await assert.rejects(connect({ maxRetries: 2 }).resume(id).reply(), {
      code: "server_stopping",
      status: 503,
    });
    assert.equal(server.requests.length, 3);
    server.expect(cutOff);
    await assert.rejects(connect({ maxRetries: 0 }).resume(id).reply(), { code: "connection_lost" });
    assert.equal(server.requests.length, 1);
  });

  test("counts from zero after something new; repeated events are not new, and not yielded again", async () => {
    const [first, second, third] = [answer("Hi", 18), answer("!", 19), answer("?", 20)];
    server.expect(
      sayAndCutOff(start(id)),
      cutOff,
      cutOff,
      sayAndCutOff(start(id), first),
      sayAndCutOff(start(id), first),
      cutOff,
      sayAndCutOff(start(id), first, second),
      sayAndCutOff(start(id)),
      say(start(id)),
      say(start(id), third, end(20)),
    );
    const events = await Array.fromAsync(connect({ maxRetries: 3 }).start(hello));
    assert.deepEqual(events, [start(id), first, second, third, end(20)]);
    const lines = server.requests.map(({ line }) => line);
    const at = (position: number): string => `GET /chat/turns/${id}/stream?after=${position}`;
    const positions = [0, 0, 0, 18, 18, 18, 19, 19, 19];
    assert.deepEqual(lines, ["POST /chat/stream-chat", ...positions.map(at)]);
    server.expect(sayAndCutOff(start(id)), sayAndCutOff(start(id)));
    await assert.rejects(connect({ maxRetries: 3 }).start(hello).reply(), { code: "connection_lost" });
    assert.equal(server.requests.length, 4);
  });

  test("gives up on a server that repeats itself from the start, although its reasoning is yielded", async () => {
    const thought: StreamEvent = { type: "reasoning-delta", text: "Hm.", position: 0, ordinal: 3 };
    const replay = say(start(id), thought, answer("Hi", 18));
    server.expect(...Array.from({ length: 20 }, () => replay), say(start(id), end(18)));
    const { code } = await failureOf(connect({ maxRetries: 3 }).start(hello));
    assert.deepEqual([code, server.requests.length], ["connection_lost", 4]);
  });

  test("yields no error from a cut connection if the turn then ends well", async () => {
    const error: StreamEvent = {
      type: "turn-error",
      code: "interrupted",
      message: "It stopped.",
      retryable: true,
      retryAfterMs: null,
    };
    server.expect(sayAndCutOff(start(id), error), say(start(id), end(0)));
    assert.deepEqual(await Array.fromAsync(connect().start(hello)), [start(id), end(0)]);
    server.expect(sayAndCutOff(start(id), error), say(start(id), error, end(0, "interrupted")));
    const events = await Array.fromAsync(connect().start(hello));
    assert.deepEqual(events, [start(id), error, end(0, "interrupted")]);
  });

  test("computes headers before each request, and lets none of them override its own", async () => {
    let token = 0;
    const client = createClient({
      baseUrl: server.url,
      userId: "5f0f6a3e-3d4c-4a53-9a0e-0b6f4c1f2a11",
      headers: async () => ({ Authorization: `Bearer ${(token += 1)}`, Accept: "text/plain" }),
      retry: { firstDelayMs: 1 },
    });
    server.expect(sayAndCutOff(start(id)), cutOff, say(start(id), end(0)));
    await client.start(hello).reply();
    const facts = server.requests.map(({ line, headers }) => [line, headers.authorization, headers.accept]);
    const path = `/turns/${id}/stream?userId=5f0f6a3e-3d4c-4a53-9a0e-0b6f4c1f2a11&after=0`;
    // An EventSource accepts one type, and cannot read errors.
    const accepted = "text/event-stream, application/problem+json";
    assert.deepEqual(facts, [
      ["POST /stream-chat", "Bearer 1", accepted],
      [`GET ${path}`, "Bearer 2", accepted],
      [`GET ${path}`, "Bearer 3", accepted],
    ]);
  });

  test("throws errors of its headers, and for an invalid URL, at once", async () => {
    server.expect(say(...whole));
    const failure = new Error("signed out");
    const headers = (): never => {
      throw failure;
    };
    await assert.rejects(createClient({ baseUrl: server.url, headers }).start(hello).reply(), failure);
    assert.equal(server.requests.length, 0);
    assert.throws(() => createClient({ baseUrl: "/chat" }), TypeError);
  });

  test("calls the fetch function without a receiver, as a browser's own requires", async () => {
    server.expect(say(...whole));
    const send = async function (this: unknown, ...args: Parameters<typeof fetch>): Promise<Response> {
      assert.equal(this, undefined);
      return await fetch(...args);
    };
    assert.equal(
      (await createClient({ baseUrl: server.url, fetch: send }).start(hello).reply()).answer,
      "Hi.",
    );
  });

  test("skips unknown events", async () => {
    server.expect((response) => {
      response.setHeader("content-type", "text/event-stream");
      response.write("event: turn-news\ndata: {}\n\n: keep-alive\n\ndata: x\n\n");
      say(...whole)(response);
    });
    assert.deepEqual(await Array.fromAsync(connect().start(hello)), whole);
  });
});
