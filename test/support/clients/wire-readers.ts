/** Readers of every wire, each with a third-party parser: a turn as a client understands it. */
import assert from "node:assert/strict";
import { parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema, type UIMessageChunk } from "ai";
import { createParser } from "eventsource-parser";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { APIError } from "openai";
import { z } from "zod";
import type { AppResponse } from "../apps/start-app.ts";

/** A turn as a client of some wire understands it. */
export interface Understood {
  readonly plan: string;
  readonly answer: string;
  readonly outcome: string;
  /** The code of an error. */
  readonly code: string | undefined;
}

const boundary = "\n---RESPONSE---\n";

const Failure = z.object({
  code: z.string(),
  turn: z.object({ plan: z.string(), answer: z.string(), outcome: z.string() }).optional(),
});
const State = z.object({
  plan: z.string(),
  answer: z.string().nullable(),
  outcome: z.string(),
  error: z.object({ code: z.string() }).nullable(),
});

/** Reads an HTTP error that is a problem. */
function readProblem(body: string): Understood {
  const { code, turn } = Failure.parse(JSON.parse(body));
  const { plan = "", answer = "", outcome = toOutcome(code) } = turn ?? {};
  return { plan, answer, outcome, code };
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
  return { plan, answer, outcome: code === undefined ? "complete" : toOutcome(code), code };
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
      if (event.type === "turn-error") code = event.code;
      if (event.type === "turn-end") outcome = event.outcome ?? "";
    },
  });
  parser.feed(body);
  return { plan, answer, outcome, code };
}

/** Reads one JSON object: a turn's state, or the problem it ended in. */
export function readJson({ status, body }: AppResponse): Understood {
  if (status !== 200) return readProblem(body);
  const { plan, answer, outcome, error } = State.parse(JSON.parse(body));
  return { plan, answer: answer ?? "", outcome, code: error?.code };
}

const UiPlan = z.object({ type: z.literal("data-plan"), data: z.object({ text: z.string() }) });
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
  };
}

const Completion = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({ content: z.string(), reasoning_content: z.string().default("") }),
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
    return { plan: "", answer: "", outcome: toOutcome(code), code };
  }
  const { message, finish_reason: reason } = Completion.parse(json).choices[0];
  const { content: answer, reasoning_content: plan } = message;
  return { plan, answer, outcome: reason === "abort" ? "stopped" : "complete", code: undefined };
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
    return { plan, answer: content, outcome: toOutcome(code), code };
  }
  const whole = await stream.finalChatCompletion();
  assert.equal(whole.choices[0]?.message.content ?? "", content);
  const isStopped = String(whole.choices[0]?.finish_reason) === "abort";
  return { plan, answer: content, outcome: isStopped ? "stopped" : "complete", code: undefined };
}

function toStream(body: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([body]).stream();
}
