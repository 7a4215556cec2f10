/** Who replied to a turn, and who failed before, on every wire; and turns with tools. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { eventsOf, typed, useTools } from "../tools/use-tools.ts";
import { readResponse, type AppResponse } from "../../support/apps/start-app.ts";
import { useModels } from "../../support/apps/use-models.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { toChunk, type Script } from "../../support/model/scripted-model.ts";

const reply = "- Think\n---RESPONSE---\nHello.";
const say: Script = (call) => call.text(reply).finish();
const fail: Script = (call) => call.head(500).end("{}");
/** Says nothing about the model itself, which is asked again by the next turn. */
const refuse: Script = (call) => call.head(400).end("{}");
const attempts = [{ model: "primary", errorCode: "model_unavailable" }];
const chat = { messages: [{ sender: "user", text: "Hi" }] };
const completion = { model: "primary", messages: [{ role: "user", content: "Hi" }] };

const Told = z.looseObject({ model: z.string(), attempts: z.unknown() });

/** The data of unnamed events. */
function toData({ body }: AppResponse): readonly Record<string, unknown>[] {
  const lines = body.split("\n").filter((line) => line.startsWith("data: {"));
  return lines.map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line.slice(6))));
}

describe("a reply of a fallback", () => {
  const { models, start } = useModels();
  const { primary, backup } = models;

  test("is told as such by a typed stream, by JSON, and by the turn's state", async () => {
    for (const accept of ["text/event-stream", "application/json"]) {
      primary.script = fail;
      const app = await start();
      const response = await app.post("/stream-chat", chat, { accept });
      const told = accept === "application/json" ? JSON.parse(response.body) : eventsOf(response).at(-1);
      const { model, attempts: left } = Told.parse(told);
      assert.deepEqual([model, left], ["backup", attempts]);
      const state = JSON.parse((await app.get(`/turns/${String(response.headers["x-turn-id"])}`)).body);
      assert.deepEqual([state.model, state.attempts], ["backup", attempts]);
      assert.equal(state.answer, "Hello.");
      const inHead =
        accept === "application/json" ? ["backup", "primary=model_unavailable"] : [undefined, undefined];
      assert.deepEqual([response.headers["x-model"], response.headers["x-model-attempts"]], inHead);
    }
    primary.script = say;
    const app = await start();
    const { body } = await app.post("/stream-chat", chat, { accept: "application/json" });
    assert.ok(!("attempts" in JSON.parse(body)), "nothing is told if nothing happened");
  });

  test("is told by the state of a turn that still runs", async () => {
    const app = await start();
    primary.script = fail;
    const next = backup.nextCall();
    const turnId = randomUUID();
    const opening = app.open("POST", "/stream-chat", chat, { "x-turn-id": turnId });
    const call = await next;
    const { status, model, attempts: left } = JSON.parse((await app.get(`/turns/${turnId}`)).body);
    assert.deepEqual([status, model, left], ["running", "backup", attempts]);
    call.text(reply).finish();
    await readResponse(await opening);
  });

  test("is told in the metadata of the AI SDK's message", async () => {
    const app = await start();
    primary.script = fail;
    const body = { id: "c", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };
    const chunks = toData(await app.post("/api/chat", body));
    const { messageMetadata } = z.looseObject({ messageMetadata: Told }).parse(chunks.at(-1));
    assert.deepEqual([messageMetadata.model, messageMetadata.attempts], ["backup", attempts]);
  });

  test("has its model's name in completions and chunks of OpenAI's wire", async () => {
    for (const stream of [false, true]) {
      primary.script = fail;
      const app = await start();
      const response = await app.post("/v1/chat/completions", { ...completion, stream });
      assert.deepEqual(
        [response.headers["x-model"], response.headers["x-model-attempts"]],
        ["backup", "primary=model_unavailable"],
      );
      const objects = stream ? toData(response) : [JSON.parse(response.body)];
      assert.deepEqual([...new Set(objects.map(({ model }) => model))], ["backup"]);
    }
  });

  test("has its model's name in the chunks from its first text on, if reasoning was shown before", async () => {
    const app = await start({}, { SHOW_REASONING: "true" });
    const next = primary.nextCall();
    const opening = app.open("POST", "/v1/chat/completions", { ...completion, stream: true });
    const call = await next;
    call.event(toChunk({ reasoning_content: "Hm. " }));
    const response = await opening;
    assert.equal(response.headers["x-model"], undefined, "another model may still reply");
    const before = await readUntil(response, "Hm. ");
    call.cutOff();
    const after = await readResponse(response);
    assert.match(before, /"model":"primary"/);
    const texts = toData(after).filter((chunk) => JSON.stringify(chunk).includes('"content"'));
    assert.ok(texts.length > 0 && texts.every(({ model }) => model === "backup"));
  });

  test("names models with any characters in headers, which pages of allowed origins may read", async () => {
    const name = "мой, модель=1%";
    const app = await start(
      { primary: { name, fallback: ["backup"] } },
      { CORS_ALLOW_ORIGINS: "https://chat.example.com" },
    );
    primary.script = fail;
    const headers = { origin: "https://chat.example.com" };
    const response = await app.post("/stream-chat", chat, headers);
    assert.equal(response.headers["x-model-attempts"], `${encodeURIComponent(name)}=model_unavailable`);
    assert.match(String(response.headers["access-control-expose-headers"]), /X-Model, X-Model-Attempts/);
  });

  test("is missing if all fail: the response names the last, and those before", async () => {
    for (const accept of ["text/plain", "application/json", undefined]) {
      primary.script = fail;
      backup.script = (call) => call.head(401).end("{}");
      const app = await start({ primary: { fallback: ["backup"] } });
      const response =
        accept === undefined
          ? await app.post("/v1/chat/completions", completion)
          : await app.post("/stream-chat", chat, { accept });
      assert.deepEqual(
        [response.status, response.headers["x-model"], response.headers["x-model-attempts"]],
        [502, "backup", "primary=model_unavailable"],
      );
    }
  });
});

describe("a turn with tools whose model fails", { timeout: 120_000 }, () => {
  const { models, start } = useModels();
  const tools = useTools();
  const { primary, backup } = models;
  const callTool: Script = (call) => call.text("- Look").toolCall("w__look", {}, "c1").finish("tool_calls");

  test("stays with the fallback in its later steps", async () => {
    const app = await start({}, tools.variables);
    primary.script = refuse;
    backup.inOrder(callTool, (call) => call.text("---RESPONSE---\nIt is 42.").finish());
    const response = await app.post("/stream-chat", chat, typed);
    const { model, attempts: left } = Told.parse(eventsOf(response).at(-1));
    assert.deepEqual([model, left], ["backup", [{ model: "primary", errorCode: "model_refused" }]]);
    assert.deepEqual([primary.calls.length, backup.calls.length], [1, 2]);
  });

  test("goes on with a fallback if a later step has shown nothing", async () => {
    const app = await start({}, tools.variables);
    primary.inOrder(callTool, (call) => call.text("  ").cutOff());
    backup.script = (call) => call.text("---RESPONSE---\nIt is 42.").finish();
    const response = await app.post("/stream-chat", chat, typed);
    const { model, attempts: left } = Told.parse(eventsOf(response).at(-1));
    assert.deepEqual([model, left], ["backup", [{ model: "primary", errorCode: "model_truncated" }]]);
    const state = JSON.parse((await app.get(`/turns/${String(response.headers["x-turn-id"])}`)).body);
    assert.deepEqual([state.plan, state.answer], ["- Look", "It is 42."]);
    const sent = backup.calls[0]?.body.messages.map(({ role }) => role);
    assert.deepEqual(sent?.slice(-2), ["assistant", "tool"], "the fallback is sent the step before");
  });

  test("goes on with a fallback if a later step is empty, and the turn would be", async () => {
    const app = await start({}, tools.variables);
    primary.inOrder(callTool, (call) => call.event(toChunk({ role: "assistant" })).finish());
    backup.script = (call) => call.text("It is 42.").finish();
    const { body } = await app.post("/stream-chat", chat, { accept: "application/json" });
    const { plan, answer, attempts: left } = JSON.parse(body);
    assert.deepEqual([plan, answer], ["- Look", "It is 42."]);
    assert.deepEqual(left, [{ model: "primary", errorCode: "empty_answer" }]);
  });

  for (const [what, script] of [
    ["a piece of a call", (call) => call.toolCall("w__look", '{"a":1', "c2").cutOff()],
    ["a word of a later step", (call) => call.text("It is").cutOff()],
  ] satisfies readonly [string, Script][]) {
    test(`fails once it has shown ${what}`, async () => {
      const app = await start({}, tools.variables);
      primary.inOrder(
        (call) => call.text("- a\n---RESPONSE---\nb").toolCall("w__look").finish("tool_calls"),
        script,
      );
      const response = await app.post("/stream-chat", chat, typed);
      const error = eventsOf(response).find(({ type }) => type === "turn-error");
      assert.equal(error?.["code"], "model_truncated");
      assert.equal(backup.calls.length, 0);
    });
  }
});
