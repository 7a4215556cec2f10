/** Turns whose model fails before their client has seen anything: another model replies. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useModels } from "../../support/apps/use-models.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { toChunk, type Script } from "../../support/model/scripted-model.ts";

const json = { "content-type": "application/json" };
const errorBody = (fields: object): string =>
  JSON.stringify({ error: { message: "sk-secret is wrong", ...fields } });
const refuse =
  (status: number, fields: object = {}, headers: Readonly<Record<string, string>> = {}): Script =>
  (call) =>
    call.head(status, { ...json, ...headers }).end(errorBody(fields));
const reply = "- Think\n---RESPONSE---\nHello.";
/** A finish reason, and no text. */
const sayNothing: Script = (call) => call.event(toChunk({ role: "assistant" })).finish();

/** The replying model, and the models that failed before, as plain text tells. */
function toWho({ status, headers }: AppResponse): readonly unknown[] {
  return [status, headers["x-model"], headers["x-model-attempts"]];
}

describe("a model that fails before its first visible byte", () => {
  const { models, start } = useModels();
  const { primary, backup, third } = models;

  const failures: readonly [string, ErrorCode, Script][] = [
    ["a status 500", "model_unavailable", refuse(500)],
    ["a status 429", "model_rate_limited", refuse(429)],
    ["a status 429 for a while", "model_rate_limited", refuse(429, {}, { "retry-after": "20" })],
    ["a status 401", "model_unauthorized", refuse(401)],
    ["a status 402", "model_no_credit", refuse(402)],
    ["no credit", "model_no_credit", refuse(429, { code: "insufficient_quota" })],
    ["an unknown model", "model_not_found", refuse(404, { code: "model_not_found" })],
    ["a status 400", "model_refused", refuse(400)],
    ["a page", "model_refused", (call) => call.head(404, { "content-type": "text/html" }).end("<h1>no</h1>")],
    ["a reset", "model_unavailable", (call) => call.destroy()],
    ["a reset after the head", "model_unavailable", (call) => call.head().destroy()],
    ["200 with an error body", "model_invalid_stream", (call) => call.head(200, json).end("{}")],
    [
      "200 with an error's code in the body",
      "model_no_credit",
      (call) => call.head(200, json).end(errorBody({ code: 402 })),
    ],
    ["an error event", "model_failed", (call) => call.event({ error: { message: "no" } }).end()],
    ["a stream without events", "model_truncated", (call) => call.head().end()],
    [
      "a cut after an empty event",
      "model_truncated",
      (call) => call.event(toChunk({ role: "assistant" })).cutOff(),
    ],
    ["a finish reason that is an error", "model_failed", (call) => call.event(toChunk({}, "error")).end()],
    [
      "a cut in text that is held",
      "model_truncated",
      (call) => call.text("Well, ").text("let me see").cutOff(),
    ],
    [
      "a cut in its reasoning",
      "model_truncated",
      (call) => call.event(toChunk({ reasoning_content: "Hm" })).cutOff(),
    ],
    ["a cut inside a block of reasoning", "model_truncated", (call) => call.text("<think>secret").cutOff()],
    ["a cut in a boundary", "model_truncated", (call) => call.text("---RESP").cutOff()],
    ["an empty reply", "empty_reply", sayNothing],
    ["reasoning alone", "empty_reply", (call) => call.text("<think>secret</think>\n\n").finish()],
    ["a boundary alone", "empty_reply", (call) => call.text("---RESPONSE---\n").finish()],
    ["a call of a tool that is not there", "empty_reply", (call) => call.toolCall("x").finish("tool_calls")],
    ["the finish reason of a call alone", "empty_reply", (call) => call.finish("tool_calls")],
  ];
  for (const [name, code, script] of failures) {
    test(`by ${name} is left at once for its fallback`, async () => {
      // No timer fires: the clock stands still.
      const app = await start({}, {}, new ManualClock());
      primary.script = script;
      const response = await app.chat("Hi");
      assert.deepEqual(toWho(response), [200, "backup", `primary=${code}`]);
      assert.equal(response.body, reply);
      assert.deepEqual([primary.calls.length, backup.calls.length, third.calls.length], [1, 1, 0]);
      const left = await app.logged(({ msg }) => msg === "model failed; asking the next");
      assert.deepEqual([left["model"], left["next"], left["code"]], ["primary", "backup", code]);
      const turn = await app.logged(({ msg }) => msg === "turn");
      assert.deepEqual(
        [turn["model"], turn["attempts"]],
        ["backup", [{ model: "primary", errorCode: code }]],
      );
      assert.ok(!JSON.stringify(app.logs).includes("Well,"));
    });
  }

  const kept: readonly [string, ErrorCode, Script][] = [
    ["its content filter", "model_filtered", refuse(400, { code: "content_filter" })],
    [
      "a filter that leaves nothing",
      "model_filtered",
      (call) => call.event(toChunk({}, "content_filter")).end(),
    ],
    ["a chat that is too long", "context_too_long", refuse(400, { code: "context_length_exceeded" })],
  ];
  for (const [name, code, script] of kept) {
    test(`by ${name} is the last that is asked`, async () => {
      const app = await start();
      primary.script = script;
      const response = await app.chat("Hi");
      assert.equal(JSON.parse(response.body).code, code);
      assert.deepEqual(toWho(response).slice(1), ["primary", undefined]);
      assert.deepEqual([backup.calls.length, third.calls.length], [0, 0]);
      // It is well: the next turn asks it again.
      primary.say(reply);
      assert.deepEqual(toWho(await app.chat("Hi")), [200, "primary", undefined]);
    });
  }

  test("by a client's own parameter is the last that is asked", async () => {
    const app = await start();
    primary.script = refuse(400, { param: "logit_bias" });
    const body = { model: "primary", messages: [{ role: "user", content: "Hi" }], logit_bias: { x: 1 } };
    const response = await app.post("/v1/chat/completions", body);
    assert.equal(JSON.parse(response.body).error.code, "request_refused");
    assert.equal(backup.calls.length, 0);
  });

  test("since the chat is too long is left for a larger one only, and asked again", async () => {
    const app = await start({
      primary: { windowTokens: 8_000 },
      backup: { windowTokens: 8_000 },
      third: { windowTokens: 100_000 },
    });
    primary.script = refuse(400, { code: "context_length_exceeded" });
    for (let turn = 0; turn < 2; turn += 1)
      assert.deepEqual(toWho(await app.chat("Hi")), [200, "third", "primary=context_too_long"]);
    assert.deepEqual([primary.calls.length, backup.calls.length, third.calls.length], [2, 0, 2]);
  });

  test("is left for each of its fallbacks in turn, and the last failure is the turn's", async () => {
    const app = await start();
    primary.script = refuse(500);
    backup.script = refuse(401);
    third.script = refuse(400);
    const response = await app.chat("Hi");
    assert.deepEqual(toWho(response), [502, "third", "primary=model_unavailable, backup=model_unauthorized"]);
    assert.equal(JSON.parse(response.body).code, "model_refused");
    assert.deepEqual([primary.calls.length, backup.calls.length, third.calls.length], [1, 1, 1]);
  });

  test("is asked itself if its client chose it, and never asks models that its list lacks", async () => {
    const app = await start({ third: { fallback: [] } }, {}, new ManualClock());
    third.script = refuse(401);
    const body = { model: "third", messages: [{ role: "user", content: "Hi" }] };
    const response = await app.post("/v1/chat/completions", body);
    assert.deepEqual(toWho(response), [502, "third", undefined]);
    assert.deepEqual([primary.calls.length, backup.calls.length], [0, 0]);
  });

  for (const text of ["- Think", "- Think\n---RESPONSE---\nHello", "x".repeat(500)]) {
    test(`is not left after "${text.slice(0, 20)}", though the next turn leaves it alone`, async () => {
      const app = await start();
      primary.script = (call) => call.text(text).cutOff();
      const cut = await app.chat("Hi");
      assert.match(cut.body, /\n\[error\] model_truncated: /);
      assert.deepEqual(toWho(cut), [200, "primary", undefined]);
      assert.equal(backup.calls.length, 0);
      assert.deepEqual(toWho(await app.chat("Hi")), [200, "backup", undefined]);
      assert.equal(primary.calls.length, 1);
    });
  }

  test("is left after reasoning was shown, which stays, apart from that of its fallback", async () => {
    const app = await start({}, { SHOW_REASONING: "true" });
    primary.script = (call) => call.event(toChunk({ reasoning_content: "Hm." })).cutOff();
    backup.script = (call) =>
      call
        .event(toChunk({ reasoning_content: "Ah." }))
        .text(reply)
        .finish();
    const headers = { accept: "text/event-stream" };
    const { body } = await app.post("/stream-chat", { messages: [{ sender: "user", text: "Hi" }] }, headers);
    const shown = Array.from(body.matchAll(/"reasoning-delta","text":"([^"]*)"/g), ([, text]) => text);
    assert.deepEqual(shown, ["Hm.", String.raw`\n\nAh.`]);
    assert.match(body, /"model":"backup","attempts":\[/);
  });

  test("with an empty reply to a client's own messages is left, though such a reply may be the answer", async () => {
    const app = await start({ primary: { fallback: ["backup"] } });
    primary.script = sayNothing;
    const body = { model: "primary", messages: [{ role: "user", content: "Hi" }] };
    const told = async () => {
      const response = await app.post("/v1/chat/completions", body);
      return [...toWho(response), JSON.parse(response.body).choices[0].message.content];
    };
    assert.deepEqual(await told(), [200, "backup", "primary=empty_reply", reply]);
    backup.script = sayNothing;
    assert.deepEqual(await told(), [200, "backup", "primary=empty_reply", ""]);
  });
});

describe("a silent model", () => {
  const { models, start } = useModels();
  const { primary, backup, third } = models;

  test("is left after `failoverAfterMs`, comments or not, and its connection is closed", async () => {
    const clock = new ManualClock();
    const app = await start({ primary: { failoverAfterMs: 3_000 } }, {}, clock);
    const next = primary.nextCall();
    const response = app.chat("Hi");
    const call = await next;
    call.raw(": keep-alive\n\n");
    await clock.timer(3_000);
    clock.advance(2_999);
    call.raw(": keep-alive\n\n");
    assert.equal(backup.calls.length, 0);
    clock.advance(1);
    await call.closed;
    assert.deepEqual(toWho(await response), [200, "backup", "primary=model_silent"]);
  });

  test("is given time once it has sent any event", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    const next = primary.nextCall();
    const response = app.chat("Hi");
    const call = await next;
    await clock.timer(10_000);
    call.event(toChunk({ role: "assistant" }));
    await clock.noTimer(10_000);
    clock.advance(30_000);
    call.text(reply).finish();
    assert.deepEqual(toWho(await response), [200, "primary", undefined]);
  });

  test("that stalls in its reasoning is left after its idle timeout", async () => {
    const clock = new ManualClock();
    const app = await start({ primary: { idleTimeoutMs: 20_000 } }, {}, clock);
    const next = primary.nextCall();
    const response = app.chat("Hi");
    (await next).event(toChunk({ reasoning_content: "Hm" }));
    await clock.timer(20_000);
    clock.advance(20_000);
    assert.deepEqual(toWho(await response), [200, "backup", "primary=model_stalled"]);
  });

  test("that is the last has all the time of a model without fallbacks", async () => {
    const clock = new ManualClock();
    const app = await start({ third: { firstByteTimeoutMs: 45_000 } }, {}, clock);
    primary.script = refuse(500);
    backup.script = refuse(500);
    const next = third.nextCall();
    const response = app.chat("Hi");
    const call = await next;
    await clock.timer(45_000);
    clock.advance(44_999);
    call.text(reply).finish();
    assert.deepEqual(toWho(await response), [
      200,
      "third",
      "primary=model_unavailable, backup=model_unavailable",
    ]);
  });

  for (const way of ["leaves", "stops the turn"] as const) {
    test(`leaves nothing running if the client ${way} while its fallback is asked`, async () => {
      const app = await start({}, { ON_DISCONNECT: "abort" });
      primary.script = refuse(500);
      const next = backup.nextCall();
      const turnId = "01a22424-6a3b-75f8-a55c-97b35fce9785";
      const opening = app.open(
        "POST",
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }] },
        { "x-turn-id": turnId, accept: "text/event-stream" },
      );
      const call = await next;
      const response = await opening;
      if (way === "leaves") response.destroy();
      else {
        await app.post(`/turns/${turnId}/stop`, {});
        await readResponse(response);
      }
      await call.closed;
      const turn = await app.logged(({ msg }) => msg === "turn");
      assert.deepEqual([turn["outcome"], turn["model"]], ["stopped", "backup"]);
      assert.deepEqual(turn["attempts"], [{ model: "primary", errorCode: "model_unavailable" }]);
      assert.equal(third.calls.length, 0);
    });
  }

  /** Starts an app whose first two models, the only ones that are asked, have just failed. */
  async function startAvoided(clock: ManualClock): Promise<RunningApp> {
    const app = await start({ primary: { fallback: ["backup"] } }, {}, clock);
    primary.script = refuse(401);
    backup.script = refuse(401);
    assert.equal((await app.chat("Hi")).status, 502);
    return app;
  }

  test("is asked again itself only if no fallback can be", async () => {
    const clock = new ManualClock();
    const app = await startAvoided(clock);
    clock.advance(29_999);
    // The one whose time is up first is asked, and once more after half a second.
    primary.inOrder(refuse(500), (call) => call.text(reply).finish());
    const response = app.chat("Hi");
    await clock.timer(500, 1_000);
    clock.advance(1_000);
    assert.deepEqual(toWho(await response), [200, "primary", undefined]);
    assert.deepEqual([primary.calls.length, backup.calls.length], [3, 1]);
  });

  test("is left even for one that is left alone itself, rather than failing the turn", async () => {
    const app = await startAvoided(new ManualClock());
    backup.say(reply);
    assert.deepEqual(toWho(await app.chat("Hi")), [200, "backup", "primary=model_unauthorized"]);
  });

  test("is left without a byte of its text in the reply, wherever the client reads", async () => {
    const app = await start();
    const next = primary.nextCall();
    const opening = app.open(
      "POST",
      "/stream-chat",
      { messages: [{ sender: "user", text: "Hi" }] },
      { accept: "text/event-stream" },
    );
    const call = await next;
    call.text("I would say");
    const response = await opening;
    await readUntil(response, "turn-start");
    call.cutOff();
    const { body } = await readResponse(response);
    assert.ok(!body.includes("I would"));
    assert.match(body, /"text":"Hello\."/);
  });
});
