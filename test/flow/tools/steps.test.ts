/** Turns whose model calls this server's tools: several steps, with one plan and one end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useApp, useModel } from "../../support/apps/use-app.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";
import { sendText } from "../../tools/servers/scripted-http-server.ts";
import { eventsOf, typed, useTools } from "./use-tools.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";

const hello = { messages: [{ sender: "user", text: "How warm is it?" }] };

describe("a turn with this server's tools", { timeout: 120_000 }, () => {
  const model = useModel("test");
  const tools = useTools();
  const app = useApp(model, () => tools.variables, { lifetime: "test" });

  /** Has the model call `look` with `inputs`, one per step, then say `text`. */
  function scriptLooks(inputs: readonly (object | string)[], text = "It is 42."): void {
    let step = 0;
    model.script = (call: ScriptedCall) => {
      const input = inputs[step];
      step += 1;
      if (input === undefined) return call.text(text).finish();
      return call.toolCall("w__look", input, `call-${step}`).finish("tool_calls");
    };
  }

  test("asks the model again with the results, and has one plan, one answer and one end", async () => {
    const scripts = [
      (call: ScriptedCall) =>
        call.text("- Look").text(" it up").toolCall("w__look", { city: "Paris" }, "c1").finish("tool_calls"),
      (call: ScriptedCall) => call.text("---RESPONSE---\nIt is 42.").finish(),
    ];
    model.script = (call) => scripts[model.calls.length - 1]?.(call);
    const response = await app.post("/stream-chat", hello, typed);
    const events = eventsOf(response);
    assert.deepEqual(
      events.filter(({ type }) => type !== "tool-call-delta").map(({ type, id }) => `${type} ${id}`),
      [
        "plan-delta 6",
        "plan-delta 12",
        "tool-call-start 12.1",
        "tool-call 12.18",
        "tool-result 12.19",
        "plan-end 28",
        "answer-delta 37",
        "turn-end 37.end",
      ],
    );
    const result = events.find(({ type }) => type === "tool-result");
    assert.deepEqual(result?.["output"], { content: [{ type: "text", text: "42" }] });
    const [first, second] = model.calls.map(({ body }) => body);
    assert.equal(JSON.stringify(first?.["tools"]), JSON.stringify(second?.["tools"]));
    assert.deepEqual(second?.messages.slice(-2), [
      {
        role: "assistant",
        content: "- Look it up",
        tool_calls: [
          { id: "c1", type: "function", function: { name: "w__look", arguments: '{"city":"Paris"}' } },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: "42" },
    ]);
    const end = events.at(-1);
    assert.deepEqual([end?.["outcome"], end?.["finishReason"]], ["complete", "stop"]);
  });

  test("shows nothing of it in plain text, in which a break stands between the texts of two steps", async () => {
    const scripts = [
      (call: ScriptedCall) =>
        call.text("- p\n---RESPONSE---\nLet me look.").toolCall("w__look").finish("tool_calls"),
      (call: ScriptedCall) => call.text("It is 42.").finish(),
    ];
    model.script = (call) => scripts[model.calls.length - 1]?.(call);
    const { body, isComplete } = await app.post("/stream-chat", hello);
    assert.equal(body, "- p\n---RESPONSE---\nLet me look.\n\nIt is 42.");
    assert.equal(isComplete, true);
  });

  test("sums the usage of its steps, and counts the calls and their price", async () => {
    let step = 0;
    model.script = (call) => {
      step += 1;
      const usage = { prompt_tokens: 10, completion_tokens: step, total_tokens: 10 + step };
      if (step < 3) call.toolCall("w__look", { step }, `c${step}`);
      else call.text("Done.");
      call.event({
        choices: [{ index: 0, delta: {}, finish_reason: step < 3 ? "tool_calls" : "stop" }],
        usage,
      });
      return call.raw("data: [DONE]\n\n").end();
    };
    const end = eventsOf(await app.post("/stream-chat", hello, typed)).at(-1);
    assert.deepEqual(end?.["usage"], { inputTokens: 30, outputTokens: 6, toolCalls: 2, toolCost: 0.5 });
  });

  test("asks the model without tools in its eighth step, so that it ends in text", async () => {
    scriptLooks(Array.from({ length: 20 }, (_, step) => ({ step })));
    const events = eventsOf(await app.post("/stream-chat", hello, typed));
    assert.equal(model.calls.length, 8);
    assert.equal(model.calls.at(-2)?.body["tools"] !== undefined, true);
    assert.equal(model.calls.at(-1)?.body["tools"], undefined);
    assert.equal(tools.server.callCount, 7);
    // This model still calls a tool instead of saying anything.
    assert.equal(events.at(-1)?.["outcome"], "failed");
  });

  test("takes an equal call with an equal result as the sign to end it", async () => {
    scriptLooks([{ a: 1, b: 2 }, '{"a": 1, "b": 2}']);
    const events = eventsOf(await app.post("/stream-chat", hello, typed));
    assert.equal(model.calls.at(-1)?.body["tools"], undefined);
    assert.equal(model.calls.length, 3);
    assert.equal(events.at(-1)?.["outcome"], "complete");
  });

  test("gives broken arguments back to the model once, and calls no tool with them", async () => {
    scriptLooks(["{", "[1]"]);
    const events = eventsOf(await app.post("/stream-chat", hello, typed));
    assert.equal(tools.server.callCount, 0);
    const statuses = events.filter(({ type }) => type === "tool-result").map(({ status }) => status);
    assert.deepEqual(statuses, ["failed", "failed"]);
    assert.notEqual(model.calls[1]?.body["tools"], undefined);
    assert.equal(model.calls[2]?.body["tools"], undefined);
    assert.equal(events.at(-1)?.["outcome"], "complete");
  });

  test("tells the model of a tool that does not exist, and of one that fails, and goes on", async () => {
    tools.server.onCall = ({ id, response }) =>
      response.writeHead(200, { "content-type": "application/json" }).end(
        JSON.stringify({
          jsonrpc: "2.0",
          id,
          result: { isError: true, content: [{ type: "text", text: "No." }] },
        }),
      );
    const scripts = [
      (call: ScriptedCall) => call.toolCall("w__nothing").toolCall("w__look").finish("tool_calls"),
      (call: ScriptedCall) => call.text("It failed.").finish(),
    ];
    model.script = (call) => scripts[model.calls.length - 1]?.(call);
    const events = eventsOf(await app.post("/stream-chat", hello, typed));
    const results = events.filter(({ type }) => type === "tool-result");
    assert.deepEqual(
      results.map(({ status }) => status),
      ["failed", "failed"],
    );
    assert.equal(events.at(-1)?.["outcome"], "complete");
  });

  test("runs at most four calls at the same time", async () => {
    const calls: Parameters<typeof tools.server.onCall>[0][] = [];
    const four = Promise.withResolvers<void>();
    tools.server.onCall = (call) => {
      calls.push(call);
      if (calls.length === 4) four.resolve();
    };
    const scripts = [
      (call: ScriptedCall) => {
        for (let index = 0; index < 6; index += 1) call.toolCall("w__look", { index }, `c${index}`);
        call.finish("tool_calls");
      },
      (call: ScriptedCall) => call.text("Done.").finish(),
    ];
    model.script = (call) => scripts[model.calls.length - 1]?.(call);
    const reading = app.post("/stream-chat", hello, typed);
    await four.promise;
    assert.equal(tools.server.callCount, 4);
    tools.say("later");
    for (const call of calls) sendText(call, "first");
    const results = eventsOf(await reading).filter(({ type }) => type === "tool-result");
    assert.equal(results.length, 6);
    assert.equal(tools.server.callCount, 6);
  });

  test("stops a call that is under way, whose outcome is then unknown, and runs no other", async () => {
    model.script = (call) => call.toolCall("w__look").finish("tool_calls");
    const called = tools.nextCall();
    const response = await app.open("POST", "/stream-chat", hello, typed);
    const call = await called;
    const turnId = String(response.headers["x-turn-id"]);
    await readUntil(response, "event: tool-call\n");
    const reading = readResponse(response);
    const stopped = await app.post(`/turns/${turnId}/stop`, {});
    assert.equal(JSON.parse(stopped.body).status, "stopped");
    await call.closed;
    const events = toStreamEvents((await reading).body);
    const result = events.find(({ type }) => type === "tool-result");
    assert.equal(result?.["status"], "unknown");
    assert.deepEqual([events.at(-1)?.type, events.at(-1)?.["outcome"]], ["turn-end", "stopped"]);
    assert.equal(model.calls.length, 1);
  });

  test("gives the model at most 64 KiB of a result of 20 MiB", async () => {
    tools.say("x".repeat(20 * 1024 * 1024));
    scriptLooks([{}]);
    const events = eventsOf(await app.post("/stream-chat", hello, typed));
    const result = events.find(({ type }) => type === "tool-result");
    assert.ok(Buffer.byteLength(JSON.stringify(result)) < 70 * 1024);
    assert.ok(JSON.stringify(model.calls[1]?.body.messages).length < 70 * 1024);
    assert.equal(events.at(-1)?.["outcome"], "complete");
  });

  test("offers no tool that needs an approval if nothing is stored, and takes no approvals then", async () => {
    const response = await app.post("/stream-chat", hello, typed);
    assert.ok(!JSON.stringify(model.calls[0]?.body["tools"]).includes("w__act"));
    const approvals = [{ approvalId: "a", approved: true }];
    const answered = await app.post(`/turns/${String(response.headers["x-turn-id"])}/approvals`, {
      approvals,
    });
    assert.deepEqual([answered.status, JSON.parse(answered.body).code], [409, "turn_not_waiting"]);
  });

  test("ignores calls of a model that was offered no tools", async () => {
    model.script = (call) => call.text("Hello.").toolCall("w__look").finish("tool_calls");
    const body = { model: "scripted", messages: [{ role: "user", content: "Hi" }] };
    const { choices } = JSON.parse((await app.post("/v1/chat/completions", body)).body);
    assert.deepEqual([choices[0].message.content, choices[0].finish_reason], ["Hello.", "stop"]);
    assert.deepEqual([model.calls.length, tools.server.callCount], [1, 0]);
  });
});
