/** Streams that real model servers send: each row is a whole turn, on every wire that reports its end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import type { Upstream } from "../../fixtures/model/response-builder.ts";
import { upstreams } from "../../fixtures/model/upstreams.ts";
import {
  readChunks,
  readCompletion,
  readPlainText,
  readTypedEvents,
  readUiMessages,
} from "../../support/clients/wire-readers.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const chat = { messages: [{ sender: "user", text: "Hi" }] };
const completion = { model: "scripted+plan", messages: [{ role: "user", content: "Hi" }] };
const uiChat = { id: "chat", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };

const openAiReasons: Readonly<Record<string, string>> = { "content-filter": "content_filter", other: "stop" };

const State = z.object({
  answer: z.string().nullable(),
  outcome: z.string(),
  finishReason: z.string().nullable(),
  model: z.string(),
  usage: z.object({ inputTokens: z.number(), outputTokens: z.number() }).nullable(),
});

/** Returns the reasoning that typed events show. */
function toReasoning(body: string): string {
  return Array.from(body.matchAll(/^data: (?<data>\{"type":"reasoning-delta".*)$/gm), ({ groups }) =>
    String(JSON.parse(groups?.["data"] ?? "{}").text),
  ).join("");
}

describe("a stream of a model server", { timeout: 240_000 }, () => {
  const model = useModel();
  const app = useApp(model, { SHOW_REASONING: "true" });

  function play({ body, headers, isCut }: Upstream): void {
    model.script = (call) => {
      call.head(200, headers).raw(body);
      if (isCut) call.cutOff();
      else call.end();
    };
  }

  for (const upstream of upstreams) {
    const { name, answer, code, finishReason, reasoning, usage } = upstream;
    const expected = code === undefined ? ["complete", answer, undefined] : ["failed", answer, code];

    test(`${name}: ${code ?? `whole, ${finishReason}`}`, async () => {
      play(upstream);
      const plain = readPlainText(await app.post("/stream-chat", chat));
      assert.deepEqual([plain.outcome, plain.answer, plain.code], expected);
      const typedAnswer = await app.post("/stream-chat", chat, { accept: "text/event-stream" });
      const typed = readTypedEvents(typedAnswer);
      assert.deepEqual([typed.outcome, typed.answer, typed.code], expected);
      if (reasoning !== undefined) assert.equal(toReasoning(typedAnswer.body), reasoning);
      const ui = await readUiMessages(await app.post("/api/chat", uiChat));
      assert.deepEqual([ui.outcome, ui.answer, ui.code], expected);
      const chunks = await app.post("/v1/chat/completions", { ...completion, stream: true });
      const streamed = await readChunks(chunks);
      assert.deepEqual([streamed.outcome, streamed.answer, streamed.code], expected);
      assert.equal(chunks.body.includes("data: [DONE]"), code === undefined);
      const whole = readCompletion(await app.post("/v1/chat/completions", completion));
      assert.deepEqual([whole.outcome, whole.code], [expected[0], code]);
      if (code !== undefined) return;
      assert.ok(chunks.body.includes(`"finish_reason":"${openAiReasons[finishReason] ?? finishReason}"`));
      const json = await app.post("/stream-chat", chat, { accept: "application/json" });
      const state = State.parse(JSON.parse(json.body));
      assert.deepEqual([state.answer, state.finishReason], [answer, finishReason]);
      if (usage !== undefined) assert.deepEqual(state.usage, usage);
      if (upstream.model !== undefined) assert.equal(state.model, upstream.model);
    });
  }
});
