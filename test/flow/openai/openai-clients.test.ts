/** Turns through the official `openai` client: text, end, usage, and the names of the models. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import type OpenAI from "openai";
import { z } from "zod";
import { useOpenAiWire, toChat, toEventData, toReasoning } from "../../support/clients/openai-wire.ts";
import { toChunk } from "../../support/model/scripted-model.ts";
import { readResponse } from "../../support/apps/start-app.ts";

const Chunk = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().optional(), reasoning_content: z.string().optional() }),
    }),
  ),
});

const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
const details = {
  completion_tokens_details: { reasoning_tokens: 2 },
  prompt_tokens_details: { cached_tokens: 3 },
};

describe("the openai client", () => {
  const wire = useOpenAiWire();

  test("receives each piece of a streamed reply while the model is still generating", async () => {
    const next = wire.model.nextCall();
    const opening = wire.client.chat.completions
      .create({ model: "scripted", messages: toChat("Hi"), stream: true })
      .withResponse();
    const call = await next;
    call.text("So");
    const { data, response } = await opening;
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const chunks = data[Symbol.asyncIterator]();
    const read = async (): Promise<OpenAI.ChatCompletionChunk> =>
      (await chunks.next()).value ?? assert.fail();
    const first = await read();
    const { id, created, ...head } = first;
    assert.deepEqual(head, {
      object: "chat.completion.chunk",
      model: "scripted",
      choices: [{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }],
    });
    assert.equal(id, `chatcmpl-${response.headers.get("x-turn-id")}`);
    assert.ok(Math.abs(created - Date.now() / 1000) < 60);
    for (const piece of ["So", " far", ", so good."]) {
      if (piece !== "So") call.text(piece);
      const chunk = await read();
      assert.deepEqual([chunk.id, chunk.created], [id, created]);
      assert.deepEqual(chunk.choices[0]?.delta, { content: piece });
    }
    call.finish();
    const last = await read();
    assert.deepEqual([last.choices[0]?.delta, last.choices[0]?.finish_reason], [{}, "stop"]);
    assert.ok((await chunks.next()).done);
  });

  test("assembles a streamed reply into the same completion as one that is not streamed", async () => {
    wire.model.script = (call) => {
      call
        .text("So")
        .text(" far.")
        .event({ ...toChunk({}, "stop"), usage: { ...usage, ...details } })
        .end();
    };
    const stream = wire.client.chat.completions.stream({
      model: "scripted",
      messages: toChat("Hi"),
      stream_options: { include_usage: true },
    });
    const streamed = await stream.finalChatCompletion();
    const whole = await wire.complete("Hi");
    for (const completion of [streamed, whole]) {
      assert.equal(completion.object, "chat.completion");
      assert.equal(completion.model, "scripted");
      assert.deepEqual(completion.usage, { ...usage, ...details });
      const [choice] = completion.choices;
      assert.equal(completion.choices.length, 1);
      assert.deepEqual(
        [choice?.message.role, choice?.message.content, choice?.message.refusal, choice?.finish_reason],
        ["assistant", "So far.", null, "stop"],
      );
    }
  });

  test("gets usage at the end of a stream only on request, and then in no earlier chunk", async () => {
    wire.model.script = (call) => {
      call
        .text("So")
        .event({ ...toChunk({}, "stop"), usage })
        .end();
    };
    const { chunks } = await wire.stream("Hi", { stream_options: { include_usage: true } });
    assert.deepEqual([chunks.at(-1)?.choices, chunks.at(-1)?.usage], [[], usage]);
    assert.deepEqual(new Set(chunks.slice(0, -1).map((chunk) => chunk.usage)), new Set([null]));
    for (const more of [{}, { stream_options: { include_usage: false } }, { stream_options: null }]) {
      const plain = await wire.stream("Hi", more);
      assert.ok(plain.chunks.every((chunk) => chunk.choices.length === 1 && !Object.hasOwn(chunk, "usage")));
    }
  });

  test("gets no usage if the model reports none, and a proper end all the same", async () => {
    wire.model.say("So");
    const streamed = await wire.stream("Hi", { stream_options: { include_usage: true } });
    assert.deepEqual([streamed.text, streamed.finishReasons], ["So", ["stop"]]);
    assert.ok(streamed.chunks.every((chunk) => chunk.choices.length === 1));
    assert.equal((await wire.complete("Hi")).usage, undefined);
  });

  test("reads a body that ends in [DONE], and nothing after it", async () => {
    wire.model.say("So");
    const { body } = await wire.app.post("/v1/chat/completions", {
      model: "scripted",
      messages: toChat("Hi"),
      stream: true,
    });
    assert.ok(body.endsWith("\n\ndata: [DONE]\n\n"));
    assert.equal(toEventData(body).filter((data) => data === "[DONE]").length, 1);
  });

  const reasons = [
    ["stop", "stop"],
    ["length", "length"],
    ["content_filter", "content_filter"],
    ["eos", "stop"],
  ] as const;
  for (const [told, expected] of reasons) {
    test(`gets the finish reason ${expected} if the model sends ${told}`, async () => {
      wire.model.script = (call) => call.text("So").finish(told);
      assert.deepEqual((await wire.stream("Hi")).finishReasons, [expected]);
      assert.equal((await wire.complete("Hi")).choices[0]?.finish_reason, expected);
    });
  }

  const replies: readonly [string, readonly string[]][] = [
    ["white space before and after", ["\n\n", "  So\t", " far.\n", "\r\n "]],
    ["white space alone", [" ", "\n\n"]],
    ["a boundary in the middle", ["- a\n---RESP", "ONSE---\n", "b\n---RESPONSE---\nc"]],
    ["a boundary at the start", ["---RESPONSE---\n", "b"]],
    ["an [error] line at the end", ["So\n", "[error] model_failed: no\n"]],
    ["a tag that only looks like thinking", [" <thin", "k", "er> aloud"]],
    ["a thought that comes late", ["So. <think>", "no</think>", " far"]],
    ["characters of every length", ["ö三🙂", "e\u0301", "\u2028", '"\\']],
    ["a start that is longer than a tag could be", [" ".repeat(300), "<think>x"]],
  ];
  for (const [name, pieces] of replies) {
    test(`gets a reply with ${name} to the byte`, async () => {
      wire.model.say(...pieces);
      const streamed = await wire.stream("Hi");
      assert.deepEqual([streamed.text, streamed.reasoning], [pieces.join(""), ""]);
      assert.equal((await wire.complete("Hi")).choices[0]?.message.content, pieces.join(""));
    });
  }

  test("gets an empty reply as a complete one", async () => {
    wire.model.script = (call) => call.head().finish("length");
    const { text, finishReasons } = await wire.stream("Hi", { max_tokens: 1 });
    assert.deepEqual([text, finishReasons], ["", ["length"]]);
    const [choice] = (await wire.complete("Hi", { max_tokens: 1 })).choices;
    assert.deepEqual([choice?.message.content, choice?.finish_reason], ["", "length"]);
  });

  test("gets plan and reply once, to the byte, however far it lags when pieces are merged", async () => {
    const connection = once(wire.app.app.http.server, "connection");
    const next = wire.model.nextCall();
    const asked = { model: "scripted+plan", messages: toChat("Hi"), stream: true };
    const opening = wire.app.open("POST", "/v1/chat/completions", asked);
    const call = await next;
    call.text("- ö");
    const response = await opening;
    // The server's writes stay in the socket, so the client lags.
    const [socket]: Socket[] = await connection;
    assert.ok(socket !== undefined);
    socket.cork();
    const plan = Array.from({ length: 200 }, (_, index) => `${index} `);
    const answer = Array.from({ length: 1_500 }, (_, index) => `ö${index} `);
    for (const piece of [...plan, ".\n---RESPONSE---\n", ...answer]) call.text(piece);
    call.finish();
    await wire.app.logged(({ turnId }) => turnId === response.headers["x-turn-id"]);
    socket.uncork();
    const chunks = toEventData((await readResponse(response)).body).slice(0, -1);
    const deltas = chunks.map((data) => Chunk.parse(JSON.parse(data)).choices[0]?.delta);
    assert.equal(deltas.map((delta) => delta?.reasoning_content ?? "").join(""), `- ö${plan.join("")}.`);
    assert.equal(deltas.map((delta) => delta?.content ?? "").join(""), answer.join(""));
  });

  test("finds the model under its name, and with a plan, in the list of models", async () => {
    const { data } = await wire.client.models.list();
    assert.deepEqual(
      data.map(({ id, object, owned_by: owner }) => [id, object, owner]),
      [
        ["scripted", "model", "foreword"],
        ["scripted+plan", "model", "foreword"],
      ],
    );
    for (const model of data) assert.deepEqual(await wire.client.models.retrieve(model.id), model);
  });
});

describe("the openai client, with a model that reasons,", () => {
  const thoughts = [
    ["as reasoning_content", [toChunk({ reasoning_content: "H" }), toChunk({ reasoning_content: "m." })]],
    ["as reasoning", [toChunk({ reasoning: "H" }), toChunk({ reasoning: "m." })]],
    [
      "in <think>",
      [toChunk({ content: "\n<thi" }), toChunk({ content: "nk>Hm." }), toChunk({ content: "</think>\n\n" })],
    ],
    ["in [THINK]", [toChunk({ content: "[TH" }), toChunk({ content: "INK]Hm.[/THINK] \n" })]],
    [
      "in harmony's channel",
      [toChunk({ content: "<|channel|>analysis<|message|>Hm.<|e" }), toChunk({ content: "nd|>" })],
    ],
  ] as const;
  for (const [variables, isShown] of [
    [{ SHOW_REASONING: "true" }, true],
    [{}, false],
  ] as const) {
    describe(isShown ? "with SHOW_REASONING=true," : "without SHOW_REASONING,", () => {
      const wire = useOpenAiWire(variables);

      for (const [how, chunks] of thoughts) {
        test(`gets ${isShown ? "" : "none of "}the reasoning ${how}, and the answer without it`, async () => {
          wire.model.script = (call) => {
            for (const chunk of chunks) call.event(chunk);
            call.text("So.").finish();
          };
          const streamed = await wire.stream("Hi");
          assert.deepEqual([streamed.reasoning, streamed.text], [isShown ? "Hm." : "", "So."]);
          const message = (await wire.complete("Hi")).choices[0]?.message;
          assert.deepEqual([toReasoning(message), message?.content], [isShown ? "Hm." : undefined, "So."]);
        });
      }
    });
  }
});

describe("the model's name with +plan", () => {
  const wire = useOpenAiWire({ OPENAI_MODEL: "org/scripted" });

  test("requests a plan, which is sent as reasoning; the content is the answer alone", async () => {
    wire.model.say("- Look", " up\n- Tell\n---RESP", "ONSE---\nSo", " far.");
    const streamed = await wire.stream("Hi", { model: "org/scripted+plan" });
    assert.deepEqual(
      [streamed.reasoning, streamed.text, streamed.finishReasons],
      ["- Look up\n- Tell", "So far.", ["stop"]],
    );
    const message = (await wire.complete("Hi", { model: "org/scripted+plan" })).choices[0]?.message;
    assert.deepEqual([toReasoning(message), message?.content], ["- Look up\n- Tell", "So far."]);
    const sent = wire.model.calls.at(-1)?.body;
    assert.equal(sent?.model, "org/scripted");
    assert.deepEqual(
      sent?.messages.map(({ role }) => role),
      ["system", "user"],
    );
  });

  test("requests a plan again in every turn: the reply that the client resends is the answer", async () => {
    wire.model.say("- a\n---RESPONSE---\nb");
    const messages = [...toChat("Hi"), { role: "assistant", content: "So far." }, ...toChat("Go on")];
    await wire.complete("", { model: "org/scripted+plan", messages });
    assert.deepEqual(wire.model.calls.at(-1)?.body.messages.slice(1), messages);
  });

  test("is found by its URL, even with a slash in the name", async () => {
    for (const id of ["org/scripted", "org/scripted+plan"])
      assert.equal((await wire.client.models.retrieve(id)).id, id);
    const List = z.object({ data: z.array(z.object({ id: z.string() })) });
    const { body } = await wire.app.get("/v1/models");
    assert.deepEqual(
      List.parse(JSON.parse(body)).data.map(({ id }) => id),
      ["org/scripted", "org/scripted+plan"],
    );
  });
});
