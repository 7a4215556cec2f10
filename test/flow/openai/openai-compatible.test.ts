/** The AI SDK through `@ai-sdk/openai-compatible`, a client of OpenAI's wire with rules of its own. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  generateText,
  jsonSchema,
  Output,
  streamText,
  type LanguageModel,
  type ModelMessage,
} from "ai";
import { useOpenAiWire } from "../../support/clients/openai-wire.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { toChunk } from "../../support/model/scripted-model.ts";

const usage = {
  prompt_tokens: 7,
  completion_tokens: 5,
  completion_tokens_details: { reasoning_tokens: 2 },
  prompt_tokens_details: { cached_tokens: 3 },
};

describe("the AI SDK with openai-compatible", () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true", SHOW_REASONING: "true" });

  function toModel(id = "scripted"): LanguageModel {
    return createOpenAICompatible({
      name: "foreword",
      baseURL: wire.url,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })(id);
  }

  test("streams the text live, with finish reason, usage and the ids of the turn", async () => {
    wire.model.script = (call) => {
      call
        .text("\n So")
        .text(" far.")
        .event({ ...toChunk({}, "length"), usage })
        .end();
    };
    const result = streamText({ model: toModel(), prompt: "Hi" });
    assert.equal((await Array.fromAsync(result.textStream)).join(""), "\n So far.");
    assert.equal(await result.finishReason, "length");
    assert.equal(await result.reasoningText, undefined);
    const told = await result.usage;
    assert.deepEqual([told.inputTokens, told.outputTokens, told.totalTokens], [7, 5, 12]);
    assert.equal(told.inputTokenDetails.cacheReadTokens, 3);
    assert.equal(told.outputTokenDetails.reasoningTokens, 2);
    const { id, modelId, headers } = await result.response;
    assert.deepEqual([id, modelId], [`chatcmpl-${headers?.["x-turn-id"]}`, "scripted"]);
  });

  test("gets the same without streaming", async () => {
    wire.model.script = (call) => {
      call
        .text("\n So")
        .text(" far.")
        .event({ ...toChunk({}, "stop"), usage })
        .end();
    };
    const result = await generateText({ model: toModel(), prompt: "Hi" });
    assert.deepEqual(
      [result.text, result.finishReason, result.reasoningText],
      ["\n So far.", "stop", undefined],
    );
    assert.deepEqual([result.usage.inputTokens, result.usage.outputTokens], [7, 5]);
  });

  test("gets the plan as reasoning, with streaming and without", async () => {
    wire.model.say("- Look", " up\n---RESPONSE---\n", "So far.");
    const streamed = streamText({ model: toModel("scripted+plan"), prompt: "Hi" });
    await streamed.consumeStream();
    assert.deepEqual([await streamed.reasoningText, await streamed.text], ["- Look up", "So far."]);
    const whole = await generateText({ model: toModel("scripted+plan"), prompt: "Hi" });
    assert.deepEqual([whole.reasoningText, whole.text], ["- Look up", "So far."]);
  });

  test("gets the model's reasoning as such, and may send it back", async () => {
    wire.model.script = (call) =>
      call
        .event(toChunk({ reasoning_content: "Hm." }))
        .text("So.")
        .finish();
    const messages: ModelMessage[] = [{ role: "user", content: "Hi" }];
    const first = await generateText({ model: toModel(), messages });
    assert.deepEqual([first.reasoningText, first.text], ["Hm.", "So."]);
    messages.push(...first.response.messages, { role: "user", content: "Go on" });
    const second = streamText({ model: toModel(), messages });
    assert.equal(await second.text, "So.");
    assert.deepEqual(wire.model.calls.at(-1)?.body.messages, [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "So." },
      { role: "user", content: "Go on" },
    ]);
  });

  test("can send its settings, images and schema to the model", async () => {
    wire.model.say('{"kind":"cat"}');
    const schema = jsonSchema<{ kind: string }>({
      type: "object",
      properties: { kind: { type: "string" } },
      required: ["kind"],
      additionalProperties: false,
    });
    const { output } = await generateText({
      model: toModel(),
      instructions: "Be brief.",
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "file", mediaType: "image/png", data: "iVBORw0KGgo=" },
          ],
        },
      ],
      output: Output.object({ schema }),
      maxOutputTokens: 50,
      temperature: 0,
      topP: 0.5,
      presencePenalty: 1,
      frequencyPenalty: -1,
      stopSequences: ["END"],
      seed: 7,
      providerOptions: { foreword: { reasoningEffort: "low", textVerbosity: "high", user: randomUUID() } },
    });
    assert.deepEqual(output, { kind: "cat" });
    const { response_format: format, ...sent } = wire.model.calls.at(-1)?.body ?? assert.fail();
    assert.deepEqual(sent, {
      model: "scripted",
      stream: true,
      stream_options: { include_usage: true },
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
          ],
        },
      ],
      max_tokens: 50,
      temperature: 0,
      top_p: 0.5,
      presence_penalty: 1,
      frequency_penalty: -1,
      stop: ["END"],
      seed: 7,
      reasoning_effort: "low",
      verbosity: "high",
    });
    assert.match(JSON.stringify(format), /^\{"type":"json_schema",.*"kind"/);
  });

  test("throws errors before the first text, with Foreword's message and status", async () => {
    wire.model.script = (call) => call.head(401, { "content-type": "application/json" }).end("{}");
    const isRefusal = (error: unknown): boolean => {
      assert.ok(APICallError.isInstance(error), String(error));
      assert.deepEqual([error.statusCode, error.message], [502, "The model rejected this server's API key."]);
      return true;
    };
    const asked = { model: toModel(), prompt: "Hi", maxRetries: 0 };
    await assert.rejects(generateText(asked), isRefusal);
    const errors: unknown[] = [];
    const streamed = streamText({ ...asked, onError: ({ error }) => void errors.push(error) });
    await streamed.consumeStream();
    assert.equal(errors.length, 1);
    assert.ok(isRefusal(errors[0]));
    await assert.rejects(Promise.resolve(generateText({ ...asked, model: toModel("gpt-4o") })), {
      message: 'model: "gpt-4o" does not exist; use scripted or scripted+plan',
      statusCode: 404,
      isRetryable: false,
    });
  });

  test("gets an error part after the text if the reply is cut off, and no finish reason that looks like an end", async () => {
    wire.model.script = (call) => call.text("So far").end();
    const errors: unknown[] = [];
    const streamed = streamText({
      model: toModel(),
      prompt: "Hi",
      onError: ({ error }) => void errors.push(error),
    });
    let text = "";
    const types: string[] = [];
    for await (const part of streamed.stream) {
      types.push(part.type);
      if (part.type === "text-delta") text += part.text;
    }
    assert.equal(text, "So far");
    assert.ok(types.indexOf("error") > types.indexOf("text-delta"));
    assert.equal(errors.length, 1);
    assert.match(String(errors[0]), /: The model's reply was cut off\.$/);
    assert.equal(await streamed.finishReason, "error");
  });

  test("cancels the model when it aborts, and the text so far is stored as stopped", async () => {
    const user = randomUUID();
    const next = wire.model.nextCall();
    const controller = new AbortController();
    const streamed = streamText({
      model: toModel(),
      prompt: "Hi",
      abortSignal: controller.signal,
      providerOptions: { foreword: { user } },
    });
    const types: string[] = [];
    const reading = (async () => {
      for await (const part of streamed.stream) {
        types.push(part.type);
        if (part.type === "text-delta") controller.abort();
      }
    })();
    const call = await next;
    call.text("So far");
    await call.closed;
    await reading;
    assert.equal(types.at(-1), "abort");
    const line = await wire.app.logged((found) => found.msg === "turn" && found["userId"] === user);
    const rows = await readMessages(wire.app.app.store.database, String(line["conversationId"]), user);
    assert.deepEqual([rows.at(-1)?.content, rows.at(-1)?.status], ["So far", "stopped"]);
  });

  test("sees a stopped turn as a finish reason that is not an end", async () => {
    const [user, turnId] = [randomUUID(), randomUUID()];
    const next = wire.model.nextCall();
    const streamed = streamText({
      model: toModel(),
      prompt: "Hi",
      headers: { "x-turn-id": turnId },
      providerOptions: { foreword: { user } },
    });
    const reading = Array.fromAsync(streamed.textStream);
    (await next).text("So far");
    await wire.app.post(`/turns/${turnId}/stop?userId=${user}`, {});
    await reading;
    assert.deepEqual([await streamed.finishReason, await streamed.rawFinishReason], ["other", "abort"]);
  });
});
