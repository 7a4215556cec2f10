/**
 * The chunks of the AI SDK's wire, for every way a turn can end: the client's own schema knows each of them.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema, type UIMessageChunk } from "ai";
import { z } from "zod";
import { readUntil } from "../../support/clients/read-until.ts";
import { toChunk, type Script, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useModel, useApp, useStartApp } from "../../support/apps/use-app.ts";

const toBody = (id: string): object => ({
  id,
  messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: "Hi" }] }],
  trigger: "submit-message",
});

/** Returns the chunks of a body. @throws if the client's schema does not know one. */
async function parseChunks(body: string): Promise<UIMessageChunk[]> {
  const bytes = ReadableStream.from([Buffer.from(body)]);
  const results = await Array.fromAsync(
    parseJsonEventStream({ stream: bytes, schema: uiMessageChunkSchema }),
  );
  return results.map((result) => {
    if (result.success) return result.value;
    throw result.error;
  });
}

/** Returns the type of each part of the message in `chunks`, and the reader's errors. */
async function readMessage(
  chunks: readonly UIMessageChunk[],
): Promise<{ readonly parts: string[]; readonly errors: unknown[] }> {
  const errors: unknown[] = [];
  const stream = ReadableStream.from(chunks);
  const onError = (error: unknown): void => void errors.push(error instanceof Error ? error.message : error);
  const messages = await Array.fromAsync(readUIMessageStream({ stream, onError }));
  return { parts: messages.at(-1)?.parts.map(({ type }) => type) ?? [], errors };
}

/** A chunk's type, and a distinction from others of its type. */
function toName(chunk: UIMessageChunk): string {
  if (chunk.type === "finish") return `finish ${chunk.finishReason}`;
  if (chunk.type === "error") return `error ${chunk.errorText}`;
  if (chunk.type === "data-plan") return `plan ${Plan.parse(chunk.data).state}`;
  return "id" in chunk ? `${chunk.type} ${chunk.id}` : chunk.type;
}

const Plan = z.strictObject({ text: z.string().min(1), state: z.enum(["streaming", "done"]) });

const begin = ["start", "start-step"];
const plan = ["plan streaming", "plan done"];
const text = ["text-start answer", "text-delta answer", "text-end answer"];
const end = (reason: string): string[] => ["finish-step", `finish ${reason}`];
const failure = (sentence: string): string[] => ["message-metadata", `error ${sentence}`];
const reasoning = (number: number): string[] =>
  ["start", "delta", "end"].map((part) => `reasoning-${part} reasoning-${number}`);
const whole = "- a\n---RESPONSE---\nSo.";
const truncated = "The model's reply was cut off.";

const endings: readonly [string, Script, readonly string[]][] = [
  [
    "is complete, with a plan",
    (call) => call.text(whole).finish(),
    [...begin, ...plan, ...text, ...end("stop")],
  ],
  ["is complete, without one", (call) => call.text("So.").finish(), [...begin, ...text, ...end("stop")]],
  ["is all plan", (call) => call.text("- a\n- b").finish(), [...begin, ...plan, ...text, ...end("stop")]],
  [
    "is cut at the model's limit",
    (call) => call.text(whole).finish("length"),
    [...begin, ...plan, ...text, ...end("length")],
  ],
  [
    "is cut by the model's filter",
    (call) => call.text(whole).finish("content_filter"),
    [...begin, ...plan, ...text, ...end("content-filter")],
  ],
  [
    "ends for an unknown reason",
    (call) => call.text(whole).finish("moon_phase"),
    [...begin, ...plan, ...text, ...end("other")],
  ],
  ["says nothing", (call) => call.finish(), [...begin, ...failure("The model's reply was empty.")]],
  [
    "is refused",
    (call) => call.head(400, {}).end("{}"),
    [...begin, ...failure("The model refused the request.")],
  ],
  ["breaks off in its plan", (call) => call.text("- a\n").end(), [...begin, ...plan, ...failure(truncated)]],
  [
    "breaks off in its answer",
    (call) => call.text(whole).end(),
    [...begin, ...plan, ...text, ...failure(truncated)],
  ],
  [
    "breaks off in its thoughts",
    (call) => call.event(toChunk({ reasoning: "Hm" })).end(),
    [...begin, ...reasoning(1), ...failure(truncated)],
  ],
  [
    "is thought over before its plan",
    (call) =>
      call
        .event(toChunk({ reasoning: "Hm" }))
        .text(whole)
        .finish(),
    [...begin, ...reasoning(1), ...plan, ...text, ...end("stop")],
  ],
];

describe("the UI message stream", () => {
  const variables = { SHOW_REASONING: "true" };
  const model = useModel();
  const app = useApp(model, variables);
  const startApp = useStartApp(model, variables);

  /**
   * Asserts that a body consists of chunks called `names`, however its text was cut, and that they are
   * readable.
   */
  async function assertChunks(body: string, names: readonly string[]): Promise<void> {
    const chunks = await parseChunks(body);
    assert.deepEqual(
      chunks.map(toName).filter((name, index, all) => name !== all[index - 1]),
      names,
    );
    const { parts, errors } = await readMessage(chunks);
    const failures = chunks.flatMap((chunk) => (chunk.type === "error" ? [chunk.errorText] : []));
    assert.deepEqual(errors, failures);
    const kinds = new Set(parts);
    assert.equal(kinds.has("text"), names.includes("text-start answer"));
    assert.equal(kinds.has("data-plan"), names.includes("plan done"));
    assert.equal(kinds.has("reasoning"), names.includes("reasoning-start reasoning-1"));
    assert.ok(body.endsWith("\n\ndata: [DONE]\n\n"));
  }

  for (const [how, script, names] of endings) {
    test(`of a reply that ${how} has only chunks that the client's schema knows, in a readable order`, async () => {
      model.script = script;
      const { status, body } = await app.post("/api/chat", toBody(randomUUID()));
      assert.equal(status, 200);
      await assertChunks(body, names);
    });
  }

  test("of a reply with reasoning in its middle keeps its text in one part", async () => {
    const response = await open(app, "- a\n---RESPONSE---\nSo", "text-delta");
    response.call.event(toChunk({ reasoning: "Hm" }));
    await readUntil(response.opening, "reasoning-delta");
    response.call.text(" it is.").finish();
    const { body } = await readResponse(response.opening);
    assert.deepEqual((await parseChunks(body)).map(toName), [
      "reasoning-end reasoning-1",
      "text-delta answer",
      "text-end answer",
      ...end("stop"),
    ]);
  });

  const stops: readonly [string, string, string, readonly string[]][] = [
    ["before its first text", "", "start-step", []],
    ["in its plan", "- a\n", "data-plan", plan],
    ["in its answer", whole, "text-delta", [...plan, ...text]],
  ];
  for (const [when, said, shown, names] of stops) {
    test(`of a reply that is stopped ${when} ends as interrupted, without an error`, async () => {
      const id = randomUUID();
      const response = await open(app, said, shown, id);
      await app.post(`/api/chat/${id}/stop`, {});
      const { body } = await readResponse(response.opening);
      await assertChunks(response.seen + body, [...begin, ...names, ...end("interrupted")]);
    });

    test(`of a reply that the server cuts off ${when} ends with that error`, async () => {
      const own = await startApp();
      const response = await open(own, said, shown);
      const closing = own.close(0);
      const { body } = await readResponse(response.opening);
      const error = failure("The server stopped before the reply was complete.");
      await assertChunks(response.seen + body, [...begin, ...names, ...error]);
      await closing;
    });
  }

  /** Starts a reply with the text `said`; resolves once a chunk of the type `until` has arrived. */
  async function open(
    to: RunningApp,
    said: string,
    until: string,
    id: string = randomUUID(),
  ): Promise<{ readonly call: ScriptedCall; readonly opening: IncomingMessage; readonly seen: string }> {
    const next = model.nextCall();
    const asking = to.open("POST", "/api/chat", toBody(id));
    const call = await next;
    const opening = await asking;
    if (said !== "") call.text(said);
    return { call, opening, seen: await readUntil(opening, until) };
  }
});
