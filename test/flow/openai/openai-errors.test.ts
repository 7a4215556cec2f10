/** Errors as OpenAI's clients see them: before the first text, after it, and outside of turns. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  APIError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { z } from "zod";
import { errorTable } from "../../../src/base/error-table.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import {
  OpenAiError,
  StreamedReply,
  toChat,
  toEventData,
  useOpenAiWire,
} from "../../support/clients/openai-wire.ts";
import { toChunk, type Script } from "../../support/model/scripted-model.ts";
import { readResponse, type AppResponse } from "../../support/apps/start-app.ts";

const json = { "content-type": "application/json" };
const secret = JSON.stringify({ error: { message: "sk-secret is wrong" } });
const url = "/v1/chat/completions";
const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;

const Choices = z.object({ choices: z.array(z.object({ finish_reason: z.string().nullable() })) });

describe("a completion that fails before its first text", () => {
  const clock = new ManualClock();
  const wire = useOpenAiWire(
    { SHOW_REASONING: "true", MODEL_FIRST_BYTE_TIMEOUT_MS: "7000" },
    { clock, lifetime: "test" },
  );

  const failures: readonly [string, ErrorCode, new (...values: never[]) => APIError, Script][] = [
    ["refuses us", "model_unauthorized", InternalServerError, (call) => call.head(401, json).end(secret)],
    [
      "does not stream",
      "model_invalid_stream",
      InternalServerError,
      (call) => call.head(200, json).end("{}"),
    ],
    [
      "takes no more for 90 s",
      "model_rate_limited",
      RateLimitError,
      (call) => call.head(429, { ...json, "retry-after": "90" }).end(secret),
    ],
    ["says nothing", "model_silent", InternalServerError, () => clock.advance(7_000)],
  ];
  for (const [name, code, type, script] of failures) {
    const { status, publicMessage, retryable } = errorTable[code];
    test(`since the model ${name} is a ${status}, typed, that ${retryable ? "may" : "must not"} be retried`, async () => {
      wire.model.script = script;
      const options = retryable ? { maxRetries: 0 } : {};
      for (const ask of [() => wire.stream("Hi", {}, options), () => wire.complete("Hi", {}, options)]) {
        wire.requests = 0;
        await assert.rejects(ask(), (error) => {
          assert.ok(error instanceof type, String(error));
          assert.deepEqual([error.status, error.code, error.param], [status, code, null]);
          assert.equal(error.type, status === 429 ? "rate_limit_error" : "server_error");
          assert.equal(error.message, `${status} ${publicMessage}`);
          assert.equal(error.headers?.get("x-should-retry"), String(retryable));
          assert.match(error.headers?.get("x-turn-id") ?? "", /^[0-9a-f-]{36}$/);
          assert.equal(error.headers?.get("content-type"), "application/json; charset=utf-8");
          if (code === "model_rate_limited") assert.equal(error.headers?.get("retry-after"), "90");
          return true;
        });
        assert.equal(wire.requests, 1);
      }
    });
  }

  test("and may succeed later is retried by the client itself", async () => {
    wire.model.script = (call) => {
      wire.model.say("So.");
      clock.advance(7_000);
      call.closed.catch(() => {});
    };
    wire.requests = 0;
    assert.equal((await wire.stream("Hi")).text, "So.");
    assert.equal(wire.requests, 2);
  });

  test("but after visible reasoning is cut off in the stream, and is an error without streaming", async () => {
    wire.model.script = (call) => call.event(toChunk({ reasoning_content: "Hm." })).end();
    const reply = new StreamedReply();
    const asked = { model: "scripted", messages: toChat("Hi"), stream: true } as const;
    await assert.rejects(reply.read(await wire.client.chat.completions.create(asked)), {
      status: undefined,
      code: "model_truncated",
    });
    assert.deepEqual([reply.reasoning, reply.text, reply.finishReasons], ["Hm.", "", []]);
    await assert.rejects(wire.complete("Hi", {}, { maxRetries: 0 }), {
      status: 502,
      code: "model_truncated",
    });
  });
});

describe("a completion that is cut off after text began", () => {
  const clock = new ManualClock();
  const wire = useOpenAiWire({ MODEL_IDLE_TIMEOUT_MS: "9000" }, { clock });

  const breaks: readonly [string, ErrorCode, Script][] = [
    ["ends without a finish reason", "model_truncated", (call) => call.end()],
    ["reports an error", "model_failed", (call) => call.event({ error: { message: "sk-secret" } }).end()],
    ["talks nonsense", "model_invalid_stream", (call) => call.raw("data: {\n\n").end()],
    [
      "says nothing more",
      "model_stalled",
      async () => {
        await clock.timer(9_000);
        clock.advance(9_000);
      },
    ],
  ];
  for (const [name, code, script] of breaks) {
    const { publicMessage, status } = errorTable[code];

    test(`since the model ${name} is an error of the iterator, after the text`, async () => {
      const next = wire.model.nextCall();
      const asked = { model: "scripted", messages: toChat("Hi"), stream: true } as const;
      const opening = wire.client.chat.completions.create(asked);
      const call = await next;
      call.text("So").text(" far");
      const stream = await opening;
      await script(call);
      const reply = new StreamedReply();
      await assert.rejects(reply.read(stream), (error) => {
        assert.ok(error instanceof APIError, String(error));
        assert.deepEqual([error.status, error.code, error.message], [undefined, code, publicMessage]);
        return true;
      });
      assert.deepEqual([reply.text, reply.finishReasons], ["So far", []]);
    });

    test(`since the model ${name} has neither a finish reason nor [DONE], only the error, in its body`, async () => {
      const next = wire.model.nextCall();
      const asked = { model: "scripted", messages: toChat("Hi"), stream: true };
      const opening = wire.app.open("POST", url, asked);
      const call = await next;
      call.text("So far");
      const response = await opening;
      await script(call);
      const { status: sent, body, isComplete } = await readResponse(response);
      assert.deepEqual([sent, isComplete], [200, true]);
      const data = toEventData(body);
      const { error } = OpenAiError.parse(JSON.parse(data.pop() ?? ""));
      assert.deepEqual(error, { message: publicMessage, type: toType(status), param: null, code });
      for (const chunk of data)
        assert.equal(Choices.parse(JSON.parse(chunk)).choices[0]?.finish_reason, null);
      assert.ok(!body.includes("sk-secret"));
    });

    test(`since the model ${name} rejects finalChatCompletion(), and a completion without streaming`, async () => {
      wire.model.script = (call) => script(call.text("So far"));
      const asked = { model: "scripted", messages: toChat("Hi") };
      await assert.rejects(wire.client.chat.completions.stream(asked).finalChatCompletion(), { code });
      await assert.rejects(wire.complete("Hi", {}, { maxRetries: 0 }), { status, code, param: null });
    });
  }

  test("since the model loses its connection is an error of the iterator, after the text", async () => {
    const next = wire.model.nextCall();
    const asked = { model: "scripted", messages: toChat("Hi"), stream: true } as const;
    const opening = wire.client.chat.completions.create(asked);
    const call = await next;
    call.text("So far");
    const stream = await opening;
    call.destroy();
    const reply = new StreamedReply();
    await assert.rejects(reply.read(stream), { status: undefined, code: "model_truncated" });
    assert.deepEqual([reply.text, reply.finishReasons], ["So far", []]);
  });

  test("with a plan and no answer is an error too", async () => {
    wire.model.say("- a\n---RESPONSE---\n \n");
    const model = "scripted+plan";
    await assert.rejects(wire.stream("Hi", { model }), { status: undefined, code: "empty_answer" });
    await assert.rejects(wire.complete("Hi", { model }, { maxRetries: 0 }), {
      status: 502,
      code: "empty_answer",
    });
  });

  test("since it is over 2 MiB is not retried", async () => {
    wire.model.say(...Array.from({ length: 17 }, () => "y".repeat(128 * 1024)));
    await assert.rejects(wire.stream("Hi"), { code: "reply_too_large" });
    wire.requests = 0;
    await assert.rejects(wire.complete("Hi"), { status: 502, code: "reply_too_large" });
    assert.equal(wire.requests, 1);
  });
});

describe("an error under /v1", () => {
  const wire = useOpenAiWire();

  function assertError(
    answer: AppResponse,
    status: number,
    code: string,
    param: string | null = null,
  ): string {
    assert.equal(answer.status, status, answer.body);
    assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
    assert.equal(answer.headers["x-should-retry"], "false");
    const { error } = OpenAiError.parse(JSON.parse(answer.body));
    assert.deepEqual([error.code, error.param, error.type], [code, param, "invalid_request_error"]);
    return error.message;
  }

  const asked = { model: "scripted", messages: toChat("Hi") };
  const requests: readonly [string, () => Promise<AppResponse>, number, string][] = [
    ["for an unknown path", () => wire.app.post("/v1/embeddings", {}), 404, "not_found"],
    ["for /v1 itself", () => wire.app.get("/v1"), 404, "not_found"],
    ["for a path with a query", () => wire.app.get("/v1?a=b"), 404, "not_found"],
    ["for a path that cannot be decoded", () => wire.app.get("/v1/%zz"), 400, "invalid_request"],
    ["for another method", () => wire.app.get(url), 405, "method_not_allowed"],
    ["for a method that changes models", () => wire.app.post("/v1/models", {}), 405, "method_not_allowed"],
    [
      "for another media type",
      () => wire.app.post(url, "{}", { "content-type": "text/plain" }),
      415,
      "unsupported_media_type",
    ],
    ["for a body that is not JSON", () => wire.app.post(url, '{"model":'), 400, "invalid_json"],
    ["for a body that is empty", () => wire.app.post(url, ""), 400, "invalid_json"],
    [
      "for a body that reaches for the prototype",
      () => wire.app.post(url, '{"__proto__":{}}'),
      400,
      "invalid_json",
    ],
    [
      "for a body over 20 MiB",
      () => wire.app.post(url, JSON.stringify(asked).padEnd(20 * 1024 * 1024 + 1)),
      413,
      "body_too_large",
    ],
  ];
  for (const [name, ask, status, code] of requests) {
    test(`${name} is a ${status} in OpenAI's shape`, async () => {
      assert.notEqual(assertError(await ask(), status, code), "");
    });
  }

  test("for a missing body names the expected one", async () => {
    const message = assertError(await wire.app.get(url, {}, "POST"), 400, "invalid_request", "model");
    assert.match(message, /^model: is required; messages: /);
  });

  for (const [name, field, more] of [
    ["a response format", "response_format", `"response_format":{"type":"json_object","a":${deep}}`],
    ["a message", "messages", `"messages":[{"role":"user","content":"Hi","a":${deep}}]`],
  ] as const) {
    test(`for ${name} nested 20,000 deep names the field, and the model is not called`, async () => {
      const calls = wire.model.calls.length;
      const body = `${JSON.stringify(asked).slice(0, -1)},${more}}`;
      const message = assertError(await wire.app.post(url, body), 400, "invalid_request", field);
      assert.equal(message, `${field}: must be nested at most 100 levels deep`);
      assert.equal(wire.model.calls.length, calls);
    });
  }

  test("for a model's name of 10 MB does not repeat it", async () => {
    const answer = await wire.app.post(url, { ...asked, model: "x".repeat(10_000_000) });
    const message = assertError(answer, 400, "invalid_request", "model");
    assert.equal(message, "model: must be at most 255 characters");
    assert.ok(answer.body.length < 200, `${answer.body.length} characters`);
  });

  test("is a problem outside of /v1, and under a path that only starts like it", async () => {
    for (const path of ["/v1x", "/nowhere"])
      assert.match((await wire.app.get(path)).headers["content-type"] ?? "", /^application\/problem\+json/);
  });

  test("lets a page of another origin read whether to retry", async () => {
    const { headers } = await wire.app.post(url, {}, { origin: "http://localhost:3000" });
    assert.match(String(headers["access-control-expose-headers"]), /x-should-retry/i);
  });

  test("shows its message in the client: an unsupported parameter", async () => {
    wire.requests = 0;
    for (const ask of [() => wire.stream("Hi", { n: 2 }), () => wire.complete("Hi", { n: 2 })]) {
      await assert.rejects(ask(), (error) => {
        assert.ok(error instanceof BadRequestError);
        assert.equal(error.message, "400 n: is not supported (only 1 is accepted)");
        assert.deepEqual(
          [error.param, error.code, error.type],
          ["n", "invalid_request", "invalid_request_error"],
        );
        return true;
      });
    }
    assert.equal(wire.requests, 2);
  });

  test("shows its message in the client: an unknown model, and the known ones", async () => {
    const message = '404 model: "gpt-4o" does not exist; use scripted or scripted+plan';
    for (const asking of [wire.complete("Hi", { model: "gpt-4o" }), wire.client.models.retrieve("gpt-4o")]) {
      await assert.rejects(asking, (error) => {
        assert.ok(error instanceof NotFoundError);
        assert.deepEqual([error.message, error.code, error.param], [message, "model_not_found", "model"]);
        return true;
      });
    }
  });

  test("shows its message in the client: an unknown URL", async () => {
    const embedding = wire.client.embeddings.create({ model: "scripted", input: "Hi" });
    const routes = "POST /v1/chat/completions, GET /v1/models, GET /v1/models/:model";
    await assert.rejects(embedding, (error) => {
      assert.ok(error instanceof NotFoundError);
      assert.match(error.message, /^404 This server does not support POST \/v1\/embeddings\. /);
      for (const route of routes.split(", ")) assert.ok(error.message.includes(route), error.message);
      return true;
    });
    const moderation = wire.client.moderations.create({ model: "scripted", input: "Hi" });
    await assert.rejects(moderation, { status: 404, code: "not_found" });
  });

  test("shows its message in the client: a body that is too large", async () => {
    const asking = wire.complete("x".repeat(21 * 1024 * 1024), {}, { maxRetries: 0 });
    await assert.rejects(asking, {
      status: 413,
      code: "body_too_large",
      message: "413 The body is larger than 20 MiB.",
    });
    await assert.rejects(wire.complete("x".repeat(1024 * 1024 + 1)), {
      status: 413,
      code: "message_too_large",
      param: "messages[0].content",
    });
  });

  test("is not retried if the same key came with another request", async () => {
    const headers = { "idempotency-key": "one" };
    await wire.complete("Hi", {}, { headers });
    wire.requests = 0;
    await assert.rejects(wire.complete("Ho", {}, { headers }), (error) => {
      assert.ok(error instanceof ConflictError);
      assert.equal(error.code, "idempotency_mismatch");
      return true;
    });
    assert.equal(wire.requests, 1);
  });
});

function toType(status: number): string {
  return status < 500 ? "invalid_request_error" : "server_error";
}
