/** Turns whose model fails: a status before the first text, an `[error]` line after it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorTable } from "../../../src/base/error-table.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { toChunk, toEvent, type Script } from "../../support/model/scripted-model.ts";
import {
  openTurn,
  readResponse,
  startApp,
  type AppResponse,
  type RunningApp,
} from "../../support/apps/start-app.ts";
import { useModel } from "../../support/apps/use-app.ts";

const errorBody = (fields: object): string =>
  JSON.stringify({ error: { message: "sk-secret is wrong", ...fields } });
const json = { "content-type": "application/json" };

describe("a model that fails", () => {
  const model = useModel();
  let app: RunningApp;
  let clock: ManualClock;

  async function withApp(run: () => Promise<void>, more: Record<string, string> = {}): Promise<void> {
    clock = new ManualClock();
    model.calls.length = 0;
    app = await startApp(
      { OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted", OPENAI_API_KEY: "sk-secret", ...more },
      clock,
    );
    try {
      await run();
    } finally {
      await app.close();
    }
  }

  function assertProblem(answer: AppResponse, code: ErrorCode): void {
    assert.equal(answer.status, errorTable[code].status);
    assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
    assert.equal(JSON.parse(answer.body).code, code);
    assert.equal(JSON.parse(answer.body).detail, errorTable[code].publicMessage);
    assert.ok(!answer.body.includes("sk-secret"));
    assert.ok(answer.headers["x-turn-id"] !== undefined && answer.headers["x-conversation-id"] !== undefined);
  }

  const refusals: readonly [string, ErrorCode, number, Script][] = [
    [
      "401",
      "model_unauthorized",
      1,
      (call) => call.head(401, json).end(errorBody({ code: "invalid_api_key" })),
    ],
    ["400", "model_refused", 1, (call) => call.head(400, json).end(errorBody({}))],
    [
      "404 with a page",
      "model_refused",
      1,
      (call) => call.head(404, { "content-type": "text/html" }).end("<h1>no</h1>"),
    ],
    [
      "302 to another host",
      "model_refused",
      1,
      (call) => call.head(302, { location: "http://127.0.0.1:1/" }).end(),
    ],
    ["500", "model_unavailable", 2, (call) => call.head(500, json).end(errorBody({}))],
    [
      "503 with an endless page",
      "model_unavailable",
      2,
      (call) => call.head(503, json).raw("x".repeat(200_000)),
    ],
    ["429", "model_rate_limited", 2, (call) => call.head(429, json).end(errorBody({}))],
    [
      "429 for lack of quota",
      "model_no_credit",
      1,
      (call) => call.head(429, json).end(errorBody({ code: "insufficient_quota" })),
    ],
    [
      "429 for more than a minute",
      "model_rate_limited",
      1,
      (call) => call.head(429, { ...json, "retry-after": "61" }).end(errorBody({})),
    ],
    ["a reset before any answer", "model_unavailable", 2, (call) => call.destroy()],
    ["a reset after the head", "model_unavailable", 2, (call) => call.head().destroy()],
    ["a stream that says nothing", "model_truncated", 2, (call) => call.head().end()],
    ["[DONE] without a finish reason", "model_truncated", 2, (call) => call.raw("data: [DONE]\n\n").end()],
    ["200 with JSON", "model_invalid_stream", 1, (call) => call.head(200, json).end("{}")],
    [
      "200 with an error object",
      "model_failed",
      2,
      (call) => call.event({ error: { message: "no", type: "server_error" } }).end(),
    ],
    ["200 with an error as a string", "model_failed", 2, (call) => call.event({ error: "no" }).end()],
    [
      "200 with a numeric error code",
      "model_rate_limited",
      2,
      (call) => call.event({ error: { message: "no", code: 429 } }).end(),
    ],
    [
      "200 with an error event",
      "model_failed",
      2,
      (call) => call.raw('event: error\ndata: {"message":"no"}\n\n').end(),
    ],
    ["an event that is not JSON", "model_invalid_stream", 1, (call) => call.raw("data: {\n\n").end()],
    ["a line over 1 MiB", "model_invalid_stream", 1, (call) => call.raw(`data: ${"x".repeat(1_100_000)}`)],
    ["an empty reply", "empty_reply", 1, (call) => call.finish()],
    ["a reply of white space", "empty_reply", 1, (call) => call.text("  \n ").finish()],
    ["a reply of reasoning alone", "empty_reply", 1, (call) => call.text("<think>hm</think>").finish()],
    ["a boundary and nothing else", "empty_reply", 1, (call) => call.text("---RESPONSE---\n").finish()],
  ];
  for (const [name, code, calls, script] of refusals) {
    test(`${name}, before its first text, is ${errorTable[code].status} ${code} after ${calls} call(s)`, async () => {
      await withApp(async () => {
        model.script = script;
        const answering = app.chat("Hi");
        if (calls > 1) clock.advance(await clock.timer(500.001, 1000));
        assertProblem(await answering, code);
        assert.equal(model.calls.length, calls);
      });
    });
  }

  test("gets a second request no sooner than its Retry-After, and may then succeed", async () => {
    await withApp(async () => {
      model.script = (call) => {
        model.say("- a\n---RESPONSE---\nb");
        call.head(429, { ...json, "retry-after": "7" }).end(errorBody({}));
      };
      const answering = app.chat("Hi");
      assert.equal(await clock.timer(7_000), 7_000);
      clock.advance(6_999);
      assert.equal(model.calls.length, 1);
      clock.advance(1);
      assert.equal((await answering).body, "- a\n---RESPONSE---\nb");
      assert.equal(model.calls.length, 2);
    });
  });

  test("passes its Retry-After on to the client when there is no second attempt", async () => {
    await withApp(async () => {
      model.script = (call) => call.head(429, { ...json, "retry-after": "90" }).end(errorBody({}));
      const answer = await app.chat("Hi");
      assertProblem(answer, "model_rate_limited");
      assert.equal(answer.headers["retry-after"], "90");
    });
  });

  test("does not listen: 503 after a second attempt", async () => {
    await withApp(
      async () => {
        const answering = app.chat("Hi");
        clock.advance(await clock.timer(500.001, 1000));
        assertProblem(await answering, "model_unavailable");
      },
      { OPENAI_BASE_URL: "http://127.0.0.1:1/v1" },
    );
  });

  test("is silent: 504 after MODEL_FIRST_BYTE_TIMEOUT_MS, its connection closed", async () => {
    await withApp(
      async () => {
        const next = model.nextCall();
        const answering = app.chat("Hi");
        const call = await next;
        clock.advance(7_000);
        assertProblem(await answering, "model_silent");
        await call.closed;
        assert.equal(model.calls.length, 1);
      },
      { MODEL_FIRST_BYTE_TIMEOUT_MS: "7000" },
    );
  });

  test("that refuses with an endless body is judged by its status", async () => {
    await withApp(
      async () => {
        const refused = Promise.withResolvers<void>();
        model.script = (call) => {
          call.head(401, json).raw('{"error":');
          refused.resolve();
        };
        const answering = app.chat("Hi");
        await refused.promise;
        clock.advance(7_000); // data that was sent is read before the timeout counts
        assertProblem(await answering, "model_unauthorized");
      },
      { MODEL_FIRST_BYTE_TIMEOUT_MS: "7000" },
    );
  });

  /** Checks a reply that is cut off after "So far", without another call of the model. */
  async function chatUntilCut(code: ErrorCode): Promise<void> {
    const { status, body, isComplete } = await app.chat("Hi");
    assert.deepEqual([status, isComplete, model.calls.length], [200, false, 1]);
    assert.equal(body, `- a\n---RESPONSE---\nSo far\n[error] ${code}: ${errorTable[code].publicMessage}\n`);
  }

  const breaks: readonly [string, ErrorCode, Script][] = [
    ["ends without a finish reason", "model_truncated", (call) => call.end()],
    ["reports an error", "model_failed", (call) => call.event({ error: { message: "sk-secret" } }).end()],
    ["ends in the middle of an event", "model_truncated", (call) => call.raw('data: {"choi').end()],
  ];
  for (const [name, code, script] of breaks) {
    test(`${name} after text began: an [error] line, then a cut`, async () => {
      await withApp(async () => {
        model.script = (call) => script(call.text("- a\n---RESPONSE---\n").text("So far"));
        await chatUntilCut(code);
      });
    });
  }

  test("resets the connection after text began: model_truncated", async () => {
    await withApp(async () => {
      const { call, opening } = await openTurn(app, model);
      call.text("- a\n---RESPONSE---\nSo far");
      const reading = readResponse(await opening);
      call.destroy();
      const { body, isComplete } = await reading;
      assert.ok(body.endsWith("So far\n[error] model_truncated: The model's reply was cut off.\n"));
      assert.equal(isComplete, false);
    });
  });

  test("stalls after text began: model_stalled after MODEL_IDLE_TIMEOUT_MS of no event", async () => {
    await withApp(
      async () => {
        const { call, opening } = await openTurn(app, model);
        call.text("- a\n---RESPONSE---\nSo far");
        const response = await opening;
        await clock.timer(9_000);
        call.raw(": keep-alive\n\n");
        clock.advance(9_000);
        const { body } = await readResponse(response);
        assert.ok(
          body.endsWith("So far\n[error] model_stalled: The model stopped in the middle of its reply.\n"),
        );
        await call.closed;
      },
      { MODEL_IDLE_TIMEOUT_MS: "9000" },
    );
  });

  const held: readonly [string, string, string][] = [
    ["inside the plan", "- Look\n- Ans\n---RESP", "- Look\n- Ans\n---RESP\n---RESPONSE---\n"],
    ["while text is held", "Well, I", "\n---RESPONSE---\nWell, I"],
    ["between boundary and answer", "- a\n---RESPONSE---\n", "- a\n---RESPONSE---\n"],
  ];
  for (const [name, text, shown] of held) {
    test(`is cut off ${name}: held text and the boundary are sent before the [error] line`, async () => {
      await withApp(async () => {
        model.script = (call) => call.text(text).end();
        const answer = await app.chat("Hi");
        assert.equal(
          answer.body,
          `${shown}\n[error] model_truncated: ${errorTable.model_truncated.publicMessage}\n`,
        );
        assert.equal(answer.isComplete, false);
      });
    });
  }

  test("plans and gives no answer: empty_answer", async () => {
    await withApp(async () => {
      model.say("- a\n---RESPONSE---\n \n");
      const answer = await app.chat("Hi");
      assert.equal(
        answer.body,
        `- a\n---RESPONSE---\n\n[error] empty_answer: ${errorTable.empty_answer.publicMessage}\n`,
      );
      assert.equal(answer.isComplete, false);
    });
  });

  const inOneRead: readonly [string, string, ErrorCode][] = [
    ["an error", toEvent({ error: { message: "no" } }), "model_failed"],
    ["nonsense", "data: {\n\n", "model_invalid_stream"],
  ];
  for (const [name, bytes, code] of inOneRead) {
    test(`sends text and ${name} in one packet: the text is kept, the model is not called again`, async () => {
      await withApp(async () => {
        model.script = (call) =>
          call.raw(toEvent(toChunk({ content: "- a\n---RESPONSE---\nSo far" })) + bytes).end();
        await chatUntilCut(code);
      });
    });
  }

  test("sends an interim response first, or unknown events between: the reply is read all the same", async () => {
    await withApp(async () => {
      model.script = (call) => {
        call
          .earlyHints()
          .text("- a\n---RESPONSE---\n")
          .raw("data:\n\n")
          .event({ usage: { prompt_tokens: "7" } });
        call.text("b").finish();
      };
      assert.equal((await app.chat("Hi")).body, "- a\n---RESPONSE---\nb");
    });
  });

  test("complains about something other than a parameter: nothing is left out, then or later", async () => {
    await withApp(async () => {
      model.script = (call) =>
        call.head(403, json).end(errorBody({ message: "stream_options and temperature are forbidden" }));
      assertProblem(await app.chat("Hi"), "model_unauthorized");
      assert.equal(model.calls.length, 1);
      model.script = (call) =>
        call.head(400, json).end(errorBody({ message: "too long: {temperature: 0.3}" }));
      assertProblem(await app.chat("Hi"), "model_refused");
      model.say("- a\n---RESPONSE---\nb");
      await app.chat("Hi");
      assert.equal(model.calls.at(-1)?.body["temperature"], 0.3);
    });
  });

  test("has finished once it sent a finish reason, whatever happens to the connection then", async () => {
    await withApp(async () => {
      model.script = (call) => {
        call.text("- a\n---RESPONSE---\nb").event(toChunk({}, "length"));
        call.closed.catch(() => {});
      };
      const answering = app.chat("Hi");
      await clock.timer(1_000);
      clock.advance(1_000);
      const answer = await answering;
      assert.ok(answer.isComplete);
      assert.equal(answer.body, "- a\n---RESPONSE---\nb");
      assert.equal((await app.logged(({ msg }) => msg === "turn"))["finishReason"], "length");
    });
  });

  test("refuses temperature: it is called once more without it, and never sent it again", async () => {
    await withApp(async () => {
      model.script = (call) => {
        if (call.body["temperature"] === undefined) call.text("- a\n---RESPONSE---\nb").finish();
        else call.head(400, json).end(errorBody({ param: "temperature", code: "unsupported_value" }));
      };
      assert.equal((await app.chat("Hi")).status, 200);
      assert.equal((await app.chat("Hi")).status, 200);
      assert.deepEqual(
        model.calls.map(({ body }) => body["temperature"]),
        [0.3, undefined, undefined],
      );
    });
  });

  test("refuses stream_options: likewise", async () => {
    await withApp(async () => {
      model.script = (call) => {
        if (call.body["stream_options"] === undefined) call.text("- a\n---RESPONSE---\nb").finish();
        else
          call
            .head(400, json)
            .end(errorBody({ message: "Unrecognized request argument supplied: stream_options" }));
      };
      assert.equal((await app.chat("Hi")).status, 200);
      assert.equal(model.calls.length, 2);
    });
  });

  test("leaves its words in the log, with a code, and none of them in the response", async () => {
    await withApp(async () => {
      model.script = (call) =>
        call
          .head(404, json)
          .end(errorBody({ message: "the model `scripted` does not exist", code: "model_not_found" }));
      assertProblem(await app.chat("Hi"), "model_not_found");
      const line = await app.logged(({ msg }) => msg === "turn");
      assert.match(
        String(line["reason"]),
        /status 404, model_not_found: the model `scripted` does not exist/,
      );
    });
  });
});
