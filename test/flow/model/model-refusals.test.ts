/**
 * The code of each refusal of a model server, as an HTTP error, in a stream and under status 200, and its
 * error response.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import OpenAI, { APIError } from "openai";
import { errorTable } from "../../../src/base/error-table.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { passingRefusals, vendorRefusals } from "../../fixtures/model/vendor-refusals.ts";
import { type ScriptedCall } from "../../support/model/scripted-model.ts";
import { startApp } from "../../support/apps/start-app.ts";
import { createHastyClock } from "../../support/hasty-clock.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const json = { "content-type": "application/json" };
const chat = { messages: [{ sender: "user", text: "Hi" }] };
const secret = "sk-secret-of-ours";

const error = (fields: object): object => ({ error: { message: secret, ...fields } });
const says = (message: string, more: object = {}): object =>
  error({ message: `${message} ${secret}`, ...more });

/** Status, body, and the code that follows from them. */
const refusals: readonly (readonly [number, object | string, ErrorCode])[] = [
  // OpenAI, Groq
  [
    400,
    says(
      "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
      { code: "context_length_exceeded" },
    ),
    "context_too_long",
  ],
  // llama.cpp
  [
    400,
    error({ code: 400, type: "exceed_context_size_error", n_prompt_tokens: 9000, n_ctx: 4096 }),
    "context_too_long",
  ],
  // vLLM, old and new; SGLang; TGI; Ollama; LM Studio
  [
    400,
    {
      object: "error",
      message: "This model's maximum context length is 4096 tokens.",
      type: "BadRequestError",
      code: 400,
    },
    "context_too_long",
  ],
  [
    400,
    says("The decoder prompt (length 5000) is longer than the maximum model length of 4096."),
    "context_too_long",
  ],
  [
    400,
    says("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
    "context_too_long",
  ],
  [
    422,
    {
      error: "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
      error_type: "validation",
    },
    "context_too_long",
  ],
  [400, says("the input length exceeds the context length"), "context_too_long"],
  [400, { error: "The model is loaded with context length of only 4096 tokens" }, "context_too_long"],
  // Anthropic, Gemini, Mistral, xAI, Bedrock, Moonshot, Cohere, DashScope
  [
    400,
    {
      type: "error",
      error: { type: "invalid_request_error", message: "prompt is too long: 210000 tokens > 200000 maximum" },
    },
    "context_too_long",
  ],
  [
    400,
    [
      {
        error: {
          code: 400,
          message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
          status: "INVALID_ARGUMENT",
        },
      },
    ],
    "context_too_long",
  ],
  [
    400,
    {
      object: "error",
      message: "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
      code: 3051,
    },
    "context_too_long",
  ],
  [
    400,
    says("This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
    "context_too_long",
  ],
  [400, { message: "Input is too long for requested model." }, "context_too_long"],
  [400, says("Invalid request: Your request exceeded model token limit: 8192"), "context_too_long"],
  [
    400,
    { message: "too many tokens: total number of tokens in the prompt cannot exceed 4081" },
    "context_too_long",
  ],
  [400, says("Range of input length should be [1, 30720]"), "context_too_long"],
  [500, says("the request exceeds the available context size"), "context_too_long"],
  [413, "<html>413 Request Entity Too Large</html>", "context_too_long"],
  // Azure, OpenAI, OpenRouter, DashScope, GLM
  [
    400,
    error({ code: "content_filter", status: 400, innererror: { code: "ResponsibleAIPolicyViolation" } }),
    "model_filtered",
  ],
  [400, error({ code: "content_policy_violation", type: "invalid_request_error" }), "model_filtered"],
  [
    400,
    says("The response was filtered due to the prompt triggering Azure OpenAI's content management policy."),
    "model_filtered",
  ],
  [
    403,
    says("Your chosen model requires moderation and your input was flagged", { code: 403 }),
    "model_filtered",
  ],
  [400, error({ code: "data_inspection_failed" }), "model_filtered"],
  [400, error({ code: "1301" }), "model_filtered"],
  // DeepSeek, OpenRouter, OpenAI, Anthropic, GLM
  [402, says("Insufficient Balance"), "model_no_credit"],
  [402, "", "model_no_credit"],
  [429, error({ code: "insufficient_quota", type: "insufficient_quota" }), "model_no_credit"],
  [429, error({ type: "insufficient_quota" }), "model_no_credit"],
  [400, says("Your credit balance is too low to access the API."), "model_no_credit"],
  [429, error({ code: "1113" }), "model_no_credit"],
  [403, error({ code: "insufficient_balance" }), "model_no_credit"],
  // Keys
  [401, error({ code: "invalid_api_key" }), "model_unauthorized"],
  [401, "", "model_unauthorized"],
  [403, { detail: "Forbidden" }, "model_unauthorized"],
  [
    400,
    [
      {
        error: {
          code: 400,
          message: "API key not valid. Please pass a valid API key.",
          status: "INVALID_ARGUMENT",
        },
      },
    ],
    "model_unauthorized",
  ],
  // OpenAI, Ollama, vLLM, Azure, OpenRouter, DeepSeek; OpenAI with a project that may not use it
  [404, error({ code: "model_not_found", message: "The model `x` does not exist" }), "model_not_found"],
  [
    404,
    error({ message: 'model "x" not found, try pulling it first', type: "api_error" }),
    "model_not_found",
  ],
  [
    404,
    { object: "error", message: "The model `x` does not exist.", type: "NotFoundError", code: 404 },
    "model_not_found",
  ],
  [
    404,
    error({ code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." }),
    "model_not_found",
  ],
  [404, error({ code: 404, message: "No endpoints found for x." }), "model_not_found"],
  [400, error({ message: "Model Not Exist" }), "model_not_found"],
  [400, error({ message: "x is not a valid model ID", code: 400 }), "model_not_found"],
  [403, error({ code: "model_not_found" }), "model_not_found"],
  // A wrong URL is not a missing model.
  [404, { detail: "Not Found" }, "model_refused"],
  [404, "<h1>404 page not found</h1>", "model_refused"],
  [404, error({ message: "Invalid URL (POST /chat/completions)" }), "model_refused"],
  [404, error({ code: "404", message: "Resource not found" }), "model_refused"],
  [400, { detail: [{ loc: ["body", "messages"], msg: "Field required" }] }, "model_refused"],
  [400, "", "model_refused"],
  [400, "null", "model_refused"],
  [400, error({ message: { detail: [{ loc: ["body", "seed"], msg: "Extra inputs" }] } }), "model_refused"],
];

describe("a model server that refuses", { timeout: 240_000 }, () => {
  const model = useModel();
  const clock = createHastyClock(501, 999); // before the model is called once more
  const app = useApp(model, { OPENAI_API_KEY: secret }, { clock });
  beforeEach(() => void (model.calls.length = 0));

  for (const [status, body, code] of refusals) {
    const bytes = typeof body === "string" ? body : JSON.stringify(body);
    test(`with ${status} ${bytes.slice(0, 90)} is ${code}, and not called again`, async () => {
      model.script = (call) => call.head(status, json).end(bytes);
      const answer = await app.post("/stream-chat", chat);
      assert.deepEqual([answer.status, JSON.parse(answer.body).code], [errorTable[code].status, code]);
      assert.equal(model.calls.length, 1);
      assert.ok(!answer.body.includes(secret));
    });
  }

  for (const [status, body, code] of vendorRefusals) {
    const bytes = typeof body === "string" ? body : JSON.stringify(body);
    test(`with ${status} ${bytes.slice(0, 120)} is ${code}, as its vendor documents it`, async () => {
      model.script = (call) => call.head(status, json).end(bytes);
      const answer = await app.post("/stream-chat", chat);
      assert.deepEqual([answer.status, JSON.parse(answer.body).code], [errorTable[code].status, code]);
      assert.equal(model.calls.length, 1);
      assert.ok(!answer.body.includes("litellm") && !answer.body.includes("Provider"));
    });
  }

  for (const [status, body, code] of passingRefusals) {
    const bytes = JSON.stringify(body);
    test(`with ${status} ${bytes.slice(0, 120)} is ${code}, and called once more`, async () => {
      model.script = (call) =>
        (status === 200 ? call.event(body) : call.head(status, json)).end(status === 200 ? "" : bytes);
      const answer = await app.post("/stream-chat", chat);
      assert.deepEqual([answer.status, JSON.parse(answer.body).code], [errorTable[code].status, code]);
      assert.equal(model.calls.length, 2);
    });
  }

  for (const [name, body] of [
    ["a code that is no text", '{"error":{"code":{"toString":1,"valueOf":1}}}'],
    ["a code that is nested deep", `{"error":{"code":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`],
    [
      "a message that is nested deep",
      `{"error":{"message":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}}`,
    ],
    ["places that are no text", '{"detail":[{"loc":[{"toString":1}],"msg":"no"}]}'],
  ] as const)
    test(`with ${name} ends the turn as well`, async () => {
      model.script = (call) => call.head(400, json).end(body);
      assert.equal(JSON.parse((await app.post("/stream-chat", chat)).body).code, "model_refused");
      assert.equal(model.calls.length, 1);
    });

  test("names through OpenRouter a parameter that its provider rejects, and is called again without it", async () => {
    const raw = JSON.stringify({ error: { message: "Unsupported value", param: "stream_options" } });
    model.script = (call) => {
      if (call.body["stream_options"] === undefined) call.text("- a\n---RESPONSE---\nb").finish();
      else
        call
          .head(400, json)
          .end(
            JSON.stringify({ error: { message: "Provider returned error", code: 400, metadata: { raw } } }),
          );
    };
    const own = await startApp({ OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" });
    assert.equal((await own.post("/stream-chat", chat)).status, 200);
    await own.close();
  });

  const bodies = refusals.filter(
    ([status, body, code]) =>
      typeof body === "object" &&
      status < 404 &&
      code !== "model_refused" &&
      JSON.stringify(body).includes("code"),
  );
  const ways: readonly (readonly [string, (call: ScriptedCall, body: object) => void])[] = [
    ["in its stream", (call, body) => call.event(body).end()],
    [
      "in an event named error",
      (call, body) => call.raw(`event: error\ndata: ${JSON.stringify(body)}\n\n`).end(),
    ],
    ["as JSON with status 200", (call, body) => call.head(200, json).end(JSON.stringify(body))],
  ];
  for (const [way, send] of ways) {
    test(`${way} has the same code as with a status of its own`, async () => {
      for (const [, body, code] of bodies) {
        if (typeof body === "string" || JSON.stringify(body).includes("INVALID")) continue;
        model.calls.length = 0;
        model.script = (call) => send(call, body);
        const answer = await app.post("/stream-chat", chat);
        assert.equal(JSON.parse(answer.body).code, code, JSON.stringify(body));
        assert.equal(model.calls.length, 1);
        assert.ok(!answer.body.includes(secret));
      }
    });
  }

  test("has its context window in the log, if it names the size", async () => {
    model.script = (call) => call.head(400, json).end(JSON.stringify(refusals[1]?.[1]));
    await app.post("/stream-chat", chat);
    const line = await app.logged(({ reason }) => String(reason).includes("exceed_context_size_error"));
    assert.match(String(line["reason"]), /a window of 4096 tokens/);
    model.script = (call) => call.head(400, json).end(JSON.stringify(refusals[3]?.[1]));
    await app.post("/stream-chat", chat);
    await app.logged(({ reason }) => String(reason).includes("a window of 4096 tokens: The decoder prompt"));
  });

  const openAiTypes: readonly (readonly [ErrorCode, number, string])[] = [
    ["context_too_long", 400, "invalid_request_error"],
    ["model_filtered", 400, "invalid_request_error"],
    ["model_not_found", 404, "invalid_request_error"],
    ["model_no_credit", 502, "server_error"],
    ["model_unauthorized", 502, "server_error"],
  ];
  for (const [code, status, type] of openAiTypes) {
    test(`is a ${status} of type ${type} with ${code} on OpenAI's wire, which its client does not retry`, async () => {
      const refusal = refusals.find((each) => each[2] === code);
      model.script = (call) => call.head(refusal?.[0] ?? 0, json).end(JSON.stringify(refusal?.[1]));
      const client = new OpenAI({ baseURL: `${app.url}/v1`, apiKey: "none", maxRetries: 2 });
      for (const name of ["scripted", "scripted+plan"]) {
        model.calls.length = 0;
        await assert.rejects(
          client.chat.completions.create({ model: name, messages: [{ role: "user", content: "Hi" }] }),
          (failure) => {
            assert.ok(failure instanceof APIError);
            assert.deepEqual([failure.status, failure.code, failure.type], [status, code, type]);
            // Which of the two depends on what the server has answered so far.
            const tooLong = /too long for the model's context window|leave no room for the chat/;
            const sentence = code === "context_too_long" ? tooLong : undefined;
            assert.match(
              failure.message,
              sentence ?? new RegExp(`^${status} ${errorTable[code].publicMessage}$`),
            );
            return true;
          },
        );
        assert.equal(model.calls.length, 1);
      }
    });
  }

  test("for a parameter that Foreword adds, in FastAPI's words, is called again without it", async () => {
    model.script = (call) => {
      if (call.body["stream_options"] === undefined) call.text("- a\n---RESPONSE---\nb").finish();
      else {
        const detail = [
          {
            type: "extra_forbidden",
            loc: ["body", "stream_options"],
            msg: "Extra inputs",
            input: "x".repeat(5_000),
          },
        ];
        call.head(422, json).end(JSON.stringify({ detail }));
      }
    };
    assert.equal((await app.post("/stream-chat", chat)).status, 200);
    assert.equal(model.calls.length, 2);
  });

  const waits: readonly (readonly [string, string])[] = [
    ["61", "61"],
    ["61.5", "62"],
    ["99999999999999999999", "86400"],
    ["Fri, 31 Dec 9999 23:59:59 GMT", "86400"],
  ];
  for (const [given, passedOn] of waits) {
    test(`with 429 and Retry-After: ${given} makes clients wait ${passedOn} s`, async () => {
      model.script = (call) => call.head(429, { ...json, "retry-after": given }).end("{}");
      const answer = await app.post("/stream-chat", chat);
      assert.equal(answer.headers["retry-after"], passedOn);
      assert.equal(model.calls.length, 1);
    });
  }

  for (const given of ["Infinity", "1e400", "-5", "soon", "0x10", "", "NaN"]) {
    test(`with 429 and Retry-After: ${given || "nothing"} is called once more as if there were no such header`, async () => {
      model.script = (call) => call.head(429, { ...json, "retry-after": given }).end("{}");
      const answer = await app.post("/stream-chat", chat);
      assert.deepEqual([answer.status, answer.headers["retry-after"]], [429, "5"]);
      assert.equal(model.calls.length, 2);
    });
  }

  test("before any text by a filter, in a valid stream, is model_filtered; without a plan, its own finish reason", async () => {
    model.script = (call) => call.finish("content_filter");
    const answer = await app.post("/stream-chat", chat);
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [400, "model_filtered"]);
    const asked = { model: "scripted", messages: [{ role: "user", content: "Hi" }] };
    const completion = JSON.parse((await app.post("/v1/chat/completions", asked)).body);
    assert.equal(completion.choices[0].finish_reason, "content_filter");
  });
});
