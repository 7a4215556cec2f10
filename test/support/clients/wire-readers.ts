/** Readers of every wire, each with a third-party parser: a turn as a client understands it. */
import assert from "node:assert/strict";
import { HttpAgent } from "@ag-ui/client";
import { parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema, type UIMessageChunk } from "ai";
import { createParser } from "eventsource-parser";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { APIError, OpenAI } from "openai";
import type { Response as OpenAiResponse } from "openai/resources/responses/responses";
import { z } from "zod";
import type { AppResponse } from "../apps/start-app.ts";

/** A turn as a client of some wire understands it. */
export interface Understood {
  readonly plan: string;
  readonly answer: string;
  readonly outcome: string;
  /** The code of an error. */
  readonly code: string | undefined;
  /** The calls of tools that the client has to run; none if the wire cannot carry them. */
  readonly calls: readonly Call[];
}

/** A tool call, as a client is to run it. */
interface Call {
  readonly callId: string;
  readonly name: string;
  readonly input: unknown;
}

/** A call whose arguments are still text. */
const TextCall = z
  .object({ callId: z.string(), name: z.string(), input: z.string() })
  .transform((call): Call => ({ ...call, input: JSON.parse(call.input) }));
const CompletionCall = z
  .object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) })
  .transform(({ id, function: { name, arguments: input } }) => TextCall.parse({ callId: id, name, input }));

const boundary = "\n---RESPONSE---\n";

const Failure = z.object({
  code: z.string(),
  turn: z
    .object({
      plan: z.string(),
      answer: z.string().nullable(),
      outcome: z.string(),
      tools: z.array(TextCall),
    })
    .optional(),
});
const State = z.object({
  plan: z.string(),
  answer: z.string().nullable(),
  outcome: z.string(),
  error: z.object({ code: z.string() }).nullable(),
  tools: z.array(TextCall),
});

/** Reads an HTTP error that is a problem. */
function readProblem(body: string): Understood {
  const { code, turn } = Failure.parse(JSON.parse(body));
  const { plan = "", answer, outcome = toOutcome(code), tools: calls = [] } = turn ?? {};
  return { plan, answer: answer ?? "", outcome, code, calls };
}

function toOutcome(code: string): string {
  return code === "interrupted" ? "interrupted" : "failed";
}

/** Reads plain text; its client cannot distinguish a stopped reply from a complete one. */
export function readPlainText({ status, body, isComplete }: AppResponse): Understood {
  if (status !== 200) return readProblem(body);
  const [line = "", code] = /\n\[error\] (\w+): [^\n]*\n$/.exec(body) ?? [];
  assert.equal(isComplete, code === undefined);
  const text = body.slice(0, body.length - line.length);
  const place = text.indexOf(boundary);
  const [plan, answer] = place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + boundary.length)];
  return { plan, answer, outcome: code === undefined ? "complete" : toOutcome(code), code, calls: [] };
}

const TypedEvent = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  position: z.number().optional(),
  ordinal: z.number().optional(),
  code: z.string().optional(),
  outcome: z.string().optional(),
});

/** Reads typed events, and checks that their ids and positions count the bytes of the body. */
export function readTypedEvents({ status, body, isComplete }: AppResponse, from = 0): Understood {
  assert.deepEqual([status, isComplete], [200, true]);
  let [position, plan, answer, outcome, lastId] = [from, "", "", "", ""];
  let code: string | undefined;
  const calls: Call[] = [];
  const parser = createParser({
    onEvent: ({ data, event: name, id }) => {
      const event = TypedEvent.parse(JSON.parse(data));
      assert.equal(name, event.type);
      assert.ok(outcome === "" || event.type === "title", "nothing but a title comes after the end");
      lastId = id ?? lastId;
      if (event.type === "plan-end") position += boundary.length;
      else if (event.ordinal === undefined) position += Buffer.byteLength(event.text ?? "");
      if (event.ordinal !== undefined) {
        assert.deepEqual([event.position, id], [position, `${position}.${event.ordinal}`]);
      } else if (event.position !== undefined) {
        assert.equal(event.position, position);
        assert.equal(id, event.type === "turn-end" ? `${position}.end` : String(position));
      }
      if (event.type === "plan-delta") plan += event.text;
      if (event.type === "answer-delta") answer += event.text;
      if (event.type === "tool-call") calls.push(TextCall.parse(event));
      if (event.type === "turn-error") code = event.code;
      if (event.type === "turn-end") outcome = event.outcome ?? "";
    },
  });
  parser.feed(body);
  return { plan, answer, outcome, code, calls };
}

/** Reads one JSON object: a turn's state, or the problem it ended in. */
export function readJson({ status, body }: AppResponse): Understood {
  if (status !== 200) return readProblem(body);
  const { plan, answer, outcome, error, tools: calls } = State.parse(JSON.parse(body));
  return { plan, answer: answer ?? "", outcome, code: error?.code, calls };
}

const UiPlan = z.object({ type: z.literal("data-plan"), data: z.object({ text: z.string() }) });
const UiTool = z
  .object({ type: z.string().startsWith("tool-"), toolCallId: z.string(), input: z.unknown() })
  .transform(({ type, toolCallId: callId, input }): Call => ({
    callId,
    name: type.slice("tool-".length),
    input,
  }));
const UiText = z.object({ type: z.literal("text"), text: z.string() });
const UiMetadata = z.object({ outcome: z.string(), errorCode: z.string().optional() });

/** Reads the UI message stream as the AI SDK does, with its strict schema. */
export async function readUiMessages({ status, body, isComplete }: AppResponse): Promise<Understood> {
  assert.deepEqual([status, isComplete], [200, true]);
  const chunks = parseJsonEventStream({ stream: toStream(body), schema: uiMessageChunkSchema }).pipeThrough(
    new TransformStream<{ success: boolean; value?: UIMessageChunk; error?: unknown }, UIMessageChunk>({
      transform: (chunk, controller) => {
        if (chunk.value === undefined) throw chunk.error;
        controller.enqueue(chunk.value);
      },
    }),
  );
  let errors = 0;
  const messages = readUIMessageStream({ stream: chunks, onError: () => void (errors += 1) });
  const message = (await Array.fromAsync(messages)).at(-1);
  assert.ok(message !== undefined);
  const parts: readonly unknown[] = message.parts;
  const { outcome, errorCode: code } = UiMetadata.parse(message.metadata);
  assert.equal(errors > 0, code !== undefined);
  return {
    plan: parts.map((part) => UiPlan.safeParse(part).data?.data.text ?? "").join(""),
    answer: parts.map((part) => UiText.safeParse(part).data?.text ?? "").join(""),
    outcome,
    code,
    calls: parts.flatMap((part) => UiTool.safeParse(part).data ?? []),
  };
}

const Completion = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({
        content: z.string().nullable(),
        reasoning_content: z.string().default(""),
        tool_calls: z.array(CompletionCall).default([]),
      }),
      finish_reason: z.string(),
    }),
  ]),
});
const OpenAiError = z.object({ error: z.object({ code: z.string() }) });

/** Reads a whole completion. For a failed one the client gets only the error. */
export function readCompletion({ status, body }: AppResponse): Understood {
  const json: unknown = JSON.parse(body);
  if (status !== 200) {
    const { code } = OpenAiError.parse(json).error;
    return { plan: "", answer: "", outcome: toOutcome(code), code, calls: [] };
  }
  const { message, finish_reason: reason } = Completion.parse(json).choices[0];
  const { content, reasoning_content: plan, tool_calls: calls } = message;
  const outcome = reason === "abort" ? "stopped" : "complete";
  return { plan, answer: content ?? "", outcome, code: undefined, calls };
}

const Delta = z.object({ content: z.string().optional(), reasoning_content: z.string().optional() });

/** Reads chunks as OpenAI's own client does. */
export async function readChunks(answer: AppResponse): Promise<Understood> {
  if (answer.status !== 200) return readCompletion(answer);
  const lines = answer.body
    .split("\n")
    .flatMap((line) => (line.startsWith("data: {") ? [line.slice(6)] : []));
  const failure = OpenAiError.safeParse(JSON.parse(lines.at(-1) ?? "{}")).data;
  const deltas = lines
    .map((line) => JSON.parse(line).choices?.[0]?.delta ?? {})
    .map((delta) => Delta.parse(delta));
  const content = deltas.map((delta) => delta.content ?? "").join("");
  const plan = deltas.map((delta) => delta.reasoning_content ?? "").join("");
  // The client's own reader expects one JSON value a line.
  const stream = ChatCompletionStream.fromReadableStream(toStream(`${lines.join("\n")}\n`));
  if (failure !== undefined) {
    await assert.rejects(stream.done(), APIError);
    const { code } = failure.error;
    return { plan, answer: content, outcome: toOutcome(code), code, calls: [] };
  }
  const whole = await stream.finalChatCompletion();
  assert.equal(whole.choices[0]?.message.content ?? "", content);
  const isStopped = String(whole.choices[0]?.finish_reason) === "abort";
  const calls = z.array(CompletionCall).parse(whole.choices[0]?.message.tool_calls ?? []);
  return { plan, answer: content, outcome: isStopped ? "stopped" : "complete", code: undefined, calls };
}

/** Reads a streamed response as OpenAI's own client does, which refuses every event that it does not know. */
export async function readResponse({ status, body, isComplete }: AppResponse): Promise<Understood> {
  if (status !== 200) return readCompletion({ status, body, isComplete, headers: {} });
  assert.ok(isComplete);
  const headers = { "content-type": "text/event-stream" };
  const client = new OpenAI({
    apiKey: "k",
    maxRetries: 0,
    fetch: async () => new Response(body, { headers }),
  });
  let [plan, answer] = ["", ""];
  const stream = client.responses
    .stream({ model: "m", input: "Hi" })
    .on("response.reasoning_summary_text.delta", ({ delta }) => (plan += delta))
    .on("response.output_text.delta", ({ delta }) => (answer += delta));
  try {
    const whole = await stream.finalResponse();
    assert.equal(whole.output_text, answer);
    return { plan, answer, outcome: toResponseOutcome(whole), code: undefined, calls: toCalls(whole) };
  } catch (error) {
    assert.ok(error instanceof APIError && typeof error.code === "string", String(error));
    return { plan, answer, outcome: toOutcome(error.code), code: error.code, calls: [] };
  }
}

const RunResult = z.object({ outcome: z.string() });

/** Reads a run as AG-UI's own client does, which refuses events in a wrong order. */
export async function readRun({ status, body, isComplete }: AppResponse): Promise<Understood> {
  if (status !== 200) return readProblem(body);
  assert.ok(isComplete);
  const headers = { "content-type": "text/event-stream" };
  const agent = new HttpAgent({ url: "http://foreword", fetch: async () => new Response(body, { headers }) });
  let [plan, answer] = ["", ""];
  let code: string | undefined;
  const calls: Call[] = [];
  const { result } = await agent.runAgent(
    {},
    {
      onReasoningMessageContentEvent: ({ event }) => void (plan += event.delta),
      onTextMessageContentEvent: ({ event }) => void (answer += event.delta),
      onToolCallEndEvent: ({ event, toolCallName: name, toolCallArgs: input }) =>
        void calls.push({ callId: event.toolCallId, name, input }),
      onRunErrorEvent: ({ event }) => void (code = event.code),
    },
  );
  const outcome = code === undefined ? RunResult.parse(result).outcome : toOutcome(code);
  return { plan, answer, outcome, code, calls };
}

function toResponseOutcome({ status }: OpenAiResponse): string {
  assert.ok(status === "completed" || status === "incomplete" || status === "cancelled");
  return status === "cancelled" ? "stopped" : "complete";
}

function toCalls({ output }: OpenAiResponse): readonly Call[] {
  return output.flatMap((item) =>
    item.type === "function_call"
      ? [TextCall.parse({ callId: item.call_id, name: item.name, input: item.arguments })]
      : [],
  );
}

function toStream(body: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([body]).stream();
}
