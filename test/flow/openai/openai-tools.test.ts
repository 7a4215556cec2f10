/** Tools of the client in whole completions: the prompt that the model gets, and its calls. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { APIError } from "openai";
import type OpenAI from "openai";
import { useOpenAiWire, toChat, toEventData } from "../../support/clients/openai-wire.ts";
import { toChunk } from "../../support/model/scripted-model.ts";

const url = "/v1/chat/completions";
const parameters = { type: "object", properties: { z: { type: "string" }, a: { const: null } } };
const tools: OpenAI.ChatCompletionTool[] = [
  { type: "function", function: { name: "get_time", description: "The time.", parameters, strict: false } },
  { type: "function", function: { name: "look-up" } },
];

/** A call as clients get it. */
function toCall(id: string, name: string, text: string): OpenAI.ChatCompletionMessageFunctionToolCall {
  return { id, type: "function", function: { name, arguments: text } };
}

const asked = toCall("call_0", "get_time", '{"z":"Lima"}');

/** A chat in which the model has asked for the time, and got it. */
function toAnswered(content: string | null = null): OpenAI.ChatCompletionMessageParam[] {
  return [
    ...toChat("Hi"),
    { role: "assistant", content, tool_calls: [asked] },
    { role: "tool", tool_call_id: "call_0", content: "07:15" },
  ];
}

describe("a completion with tools", () => {
  const wire = useOpenAiWire();

  test("sends the model tools, choice and messages as the client wrote them", async () => {
    wire.model.say("So.");
    const sent = {
      tools,
      tool_choice: "required",
      parallel_tool_calls: false,
      messages: toAnswered(),
    } as const;
    for (const reply of [await wire.complete("", sent), await wire.stream("", sent)]) assert.ok(reply);
    for (const { body } of wire.model.calls.slice(-2)) {
      const { tools: got, tool_choice: choice, parallel_tool_calls: parallel, messages } = body;
      assert.equal(JSON.stringify(got), JSON.stringify(tools));
      assert.deepEqual([choice, parallel, messages], ["required", false, sent.messages]);
    }
  });

  test("streams each piece of a call as the model writes it", async () => {
    const next = wire.model.nextCall();
    const opening = wire.client.chat.completions.create({
      model: "scripted",
      messages: toChat("Hi"),
      tools,
      stream: true,
    });
    const call = await next;
    const send = (piece: object): unknown => call.event(toChunk({ tool_calls: [piece] }));
    send({ index: 0, id: "a", type: "function", function: { name: "get_time", arguments: "" } });
    const chunks = (await opening)[Symbol.asyncIterator]();
    const read = async (): Promise<unknown> => {
      const { value } = await chunks.next();
      return value?.choices[0]?.delta.tool_calls ?? value?.choices[0]?.delta;
    };
    assert.deepEqual(await read(), { role: "assistant", content: "" });
    assert.deepEqual(await read(), [
      { index: 0, id: "a", type: "function", function: { name: "get_time", arguments: "" } },
    ]);
    for (const text of ['{"z"', ':"Lima"', "}"]) {
      send({ index: 0, function: { arguments: text } });
      assert.deepEqual(await read(), [{ index: 0, function: { arguments: text } }]);
    }
    call.finish("tool_calls");
    assert.deepEqual(await read(), {});
    assert.ok((await chunks.next()).done);
  });

  for (const [text, reason] of [
    ["Let me see.", "tool_calls"],
    ["", "tool_calls"],
    ["", "stop"],
  ] as const) {
    test(`shows ${text === "" ? "no text and " : ""}two calls alike, streamed and whole, if the model ends with ${reason}`, async () => {
      const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
      wire.model.script = (call) => {
        if (text !== "") call.text(text);
        call
          .toolCall("get_time", { z: "Lima" })
          .toolCall("look-up", "{not JSON")
          .event({ ...toChunk({}, reason), usage })
          .end("data: [DONE]\n\n");
      };
      const calls = [asked, toCall("call_1", "look-up", "{not JSON")];
      const whole = await wire.complete("Hi", { tools });
      const [choice] = whole.choices;
      assert.deepEqual(
        [choice?.message.content, choice?.message.tool_calls, choice?.finish_reason, whole.usage],
        [text === "" ? null : text, calls, "tool_calls", usage],
      );
      const stream = wire.client.chat.completions.stream({
        model: "scripted",
        messages: toChat("Hi"),
        tools,
        stream_options: { include_usage: true },
      });
      const streamed = await stream.finalChatCompletion();
      const [last] = streamed.choices;
      assert.deepEqual(
        last?.message.tool_calls?.map(({ id, type, ...called }) => [
          id,
          type,
          "function" in called ? [called.function.name, called.function.arguments] : undefined,
        ]),
        calls.map(({ id, type, function: called }) => [id, type, [called.name, called.arguments]]),
      );
      assert.deepEqual(
        [last?.message.content, last?.finish_reason, streamed.usage],
        [text, "tool_calls", usage],
      );
    });
  }

  test("shows the text of the reply that follows the results, and only that", async () => {
    wire.model.say("It is ", "07:15.");
    const messages = toAnswered("Let me see.");
    const { text, finishReasons } = await wire.stream("", { tools, messages });
    assert.deepEqual([text, finishReasons], ["It is 07:15.", ["stop"]]);
    const whole = await wire.complete("", { messages });
    assert.equal(whole.choices[0]?.message.content, "It is 07:15.");
    assert.equal(Object.hasOwn(whole.choices[0]?.message ?? {}, "tool_calls"), false);
  });

  test("takes no call that the model makes up if the client has offered no tools", async () => {
    wire.model.script = (call) => call.text("So.").toolCall("get_time", { z: "Lima" }).finish("tool_calls");
    for (const messages of [toChat("Hi"), toAnswered()]) {
      wire.model.calls.length = 0;
      const { text, finishReasons } = await wire.stream("", { messages });
      assert.deepEqual([text, finishReasons, wire.model.calls.length], ["So.", ["stop"], 1]);
    }
  });

  test("accepts every call back that it has shown, whatever its size and name", async () => {
    for (const [name, input] of [
      ["get_time", JSON.stringify({ z: "ö".repeat(400_000) })],
      ["made up! ".repeat(25), "{"],
    ] as const) {
      wire.model.script = (call) => call.toolCall(name, input).finish("tool_calls");
      const { message } = (await wire.complete("Hi", { tools })).choices[0] ?? assert.fail();
      assert.deepEqual(message.tool_calls, [toCall("call_0", name, input)]);
      wire.model.say("So.");
      const messages = [...toChat("Hi"), message, { role: "tool", tool_call_id: "call_0", content: "" }];
      assert.equal((await wire.complete("", { tools, messages })).choices[0]?.message.content, "So.");
    }
  });

  test("shows a call of a tool that was not offered: the client tells the model so", async () => {
    wire.model.script = (call) => call.toolCall("made up!", {}).finish("tool_calls");
    const [choice] = (await wire.complete("Hi", { tools })).choices;
    assert.deepEqual(choice?.message.tool_calls, [toCall("call_0", "made up!", "{}")]);
  });

  const cuts: readonly [string, RegExp, (call: Parameters<typeof wire.model.script>[0]) => unknown][] = [
    ["ends", /model_truncated/, (call) => call.end()],
    ["closes the connection", /model_truncated/, (call) => call.cutOff()],
    ["reports an error", /model_/, (call) => call.event({ error: { message: "no", code: 500 } }).end()],
    ["reaches its limit", /model_truncated/, (call) => call.finish("length")],
  ];
  for (const [how, code, cut] of cuts) {
    test(`ends in an error, never in a call, if the model ${how} in the middle of a call`, async () => {
      wire.model.script = (call) => {
        call.event(
          toChunk({
            tool_calls: [
              { index: 0, id: "a", type: "function", function: { name: "get_time", arguments: '{"z":"Li' } },
            ],
          }),
        );
        cut(call);
      };
      const { body } = await wire.app.post(url, {
        model: "scripted",
        messages: toChat("Hi"),
        tools,
        stream: true,
      });
      const data = toEventData(body);
      assert.match(data.at(-1) ?? "", code);
      assert.doesNotMatch(body, /"finish_reason":"|\[DONE\]/);
      await assert.rejects(wire.complete("Hi", { tools }, { maxRetries: 0 }), (error) => {
        assert.ok(error instanceof APIError);
        assert.match(String(error.code), code);
        return true;
      });
    });
  }

  test("that is stopped in the middle of a call ends in an error, which no client takes for a call", async () => {
    const [user, turnId] = [randomUUID(), randomUUID()];
    for (const stream of [true, false]) {
      const next = wire.model.nextCall();
      const id = stream ? turnId : randomUUID();
      const asking = wire.app.post(
        url,
        { model: "scripted", messages: toChat("Hi"), tools, stream, user },
        { "x-turn-id": id },
      );
      const call = await next;
      call.text("So far").toolCall("look-up", { a: 1 });
      await wire.app.post(`/turns/${id}/stop?userId=${user}`, {});
      const { body } = await asking;
      if (stream) {
        assert.match(toEventData(body).at(-1) ?? "", /"code":"turn_stopped"/);
        assert.doesNotMatch(body, /"finish_reason":"|\[DONE\]/);
      } else {
        assert.match(body, /"finish_reason":"abort"/);
        assert.doesNotMatch(body, /tool_calls/);
      }
    }
  });

  test("with a key is replayed with the same calls", async () => {
    wire.model.script = (call) => call.text("So.").toolCall("get_time", { z: "Lima" }).finish("tool_calls");
    for (const stream of [true, false]) {
      const body = { model: "scripted", messages: toChat("Hi"), tools, stream, user: randomUUID() };
      const headers = { "idempotency-key": randomUUID() };
      const first = await wire.app.post(url, body, headers);
      const again = await wire.app.post(url, body, headers);
      assert.equal(again.headers["idempotency-replayed"], "true");
      assert.equal(again.body, first.body);
      const other = await wire.app.post(url, { ...body, tools: tools.slice(1) }, headers);
      assert.equal(other.status, 409);
    }
  });
});

describe("a completion with tools and a plan", () => {
  const wire = useOpenAiWire();
  const planned = { model: "scripted+plan", tools };

  test("may end in calls after its plan, and is not empty then", async () => {
    wire.model.script = (call) =>
      call.text("- Look up\n").toolCall("get_time", { z: "Lima" }).finish("tool_calls");
    const { text, reasoning, finishReasons } = await wire.stream("Hi", planned);
    assert.deepEqual([reasoning.trim(), text, finishReasons], ["- Look up", "", ["tool_calls"]]);
    const message = (await wire.complete("Hi", planned)).choices[0]?.message;
    assert.deepEqual([message?.content, message?.tool_calls], [null, [asked]]);
  });

  test("goes on after the results without another plan, and the model gets calls and results", async () => {
    wire.model.say("It is 07:15.");
    const { text, reasoning } = await wire.stream("", { ...planned, messages: toAnswered("Let me see.") });
    assert.deepEqual([text, reasoning], ["It is 07:15.", ""]);
    assert.deepEqual(wire.model.calls.at(-1)?.body.messages, toAnswered("Let me see."));
  });
});
