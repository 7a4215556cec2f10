/** Owns what the events of a chat completion mean: text, reasoning, the finish reason, usage, or an error under status 200. */
import { z } from "zod";
import { AppError } from "../errors.ts";
import { toStorable } from "../turn/message.ts";
import type { ModelEnd } from "../turn/ports.ts";
import type { FinishReason, Usage } from "../turn/turn-event.ts";
import { toModelFailure } from "./model-failure.ts";
import { EventTemplate } from "./event-template.ts";
import { SseReader } from "./sse-reader.ts";

/** The longest name of a model that is believed, in characters. */
const maxNameLength = 255;
/** Tokens as they can be summed up: what is no such number was not counted. */
const Count = z
  .int()
  .min(0)
  .max(2 ** 31);

const Text = z.union([z.string(), z.array(z.object({ text: z.string().nullish() }))]).nullish();

/** What we read of a `chat.completion.chunk`; servers differ in all the rest. */
const CompletionChunk = z.object({
  error: z.unknown().optional(),
  model: z.string().max(maxNameLength).nullish().catch(undefined),
  choices: z
    .array(
      z.object({
        index: z.number().nullish(),
        delta: z
          .object({
            content: Text,
            refusal: z.string().nullish(),
            // Vendors name it either way.
            reasoning_content: z.string().nullish().catch(undefined),
            reasoning: z.string().nullish().catch(undefined),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z
    .object({
      prompt_tokens: Count,
      completion_tokens: Count,
      completion_tokens_details: z.object({ reasoning_tokens: Count.nullish() }).nullish().catch(undefined),
      prompt_tokens_details: z.object({ cached_tokens: Count.nullish() }).nullish().catch(undefined),
    })
    .nullish()
    .catch(undefined),
});

const ContentChunk = z.object({
  choices: z.tuple([z.object({ delta: z.object({ content: z.string() }) })]),
});

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
};

/** Reads the body of one streamed chat completion. */
export class CompletionStream {
  readonly #reader = new SseReader(
    (data, name) => this.#takeEvent(data, name),
    (text, start) => this.#skim(text, start),
  );
  readonly #template = new EventTemplate();
  /** Text of the events read so far that {@link push} has not returned. */
  #text = "";
  /** Reasoning that {@link takeReasoning} has not returned. */
  #reasoning = "";
  #events = 0;
  #isDone = false;
  #finishReason: FinishReason | undefined;
  #model: string | undefined;
  #usage: Usage | undefined;

  /** How many events came. Comments are none. */
  get events(): number {
    return this.#events;
  }

  /** Whether the reply is whole: the model said why it finished. */
  get isWhole(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Whether `[DONE]` came: nothing more will. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Takes the next bytes; returns the text that they completed, storable, in one piece.
   * @throws AppError `model_invalid_stream`, or what an error event says.
   */
  push(chunk: Buffer): string {
    this.#reader.push(chunk);
    const text = this.#text.slice(0, findWholeEnd(this.#text));
    this.#text = this.#text.slice(text.length);
    return toStorable(text);
  }

  /** Returns the reasoning that came since the last time, storable. */
  takeReasoning(): string {
    if (this.#reasoning === "") return "";
    const reasoning = this.#reasoning.slice(0, findWholeEnd(this.#reasoning));
    this.#reasoning = this.#reasoning.slice(reasoning.length);
    return toStorable(reasoning);
  }

  /** The body is over: reads what no line end has ended. Returns as {@link push}. @throws AppError likewise. */
  finish(): string {
    this.#reader.end();
    return this.flush();
  }

  /** Returns the text that waits for the other half of its last character, which will not come. */
  flush(): string {
    const text = this.#text;
    this.#text = "";
    return toStorable(text);
  }

  /** What the model said of the reply. Of use once {@link isWhole}. */
  toEnd(): ModelEnd {
    return { finishReason: this.#finishReason ?? "other", model: this.#model, usage: this.#usage };
  }

  /** Takes events of the kind that came last, which say nothing but text. */
  #skim(text: string, start: number): number {
    let end = start;
    while (!this.#isDone && !this.isWhole) {
      const content = this.#template.read(text, end);
      if (content === undefined) break;
      this.#events += 1;
      this.#text += content;
      ({ end } = this.#template);
    }
    return end;
  }

  #takeEvent(data: string, name: string): void {
    this.#events += 1;
    if (this.#isDone || data === "") return;
    if (name === "error") throw toModelFailure(200, data);
    if (data === "[DONE]") {
      this.#isDone = true;
      return;
    }
    const chunk = CompletionChunk.safeParse(parseJson(data));
    if (!chunk.success)
      throw new AppError("model_invalid_stream", "an event is not a completion chunk", {
        cause: chunk.error,
      });
    const { error, model, choices, usage } = chunk.data;
    if (error !== undefined && error !== null) throw toModelFailure(200, data);
    this.#model ??= model === null || model === undefined ? undefined : toStorable(model);
    if (usage !== null && usage !== undefined) this.#usage = toUsage(usage);
    const choice = choices?.find(({ index }) => (index ?? 0) === 0);
    if (choice === undefined || this.isWhole) return;
    const { content, refusal, reasoning_content, reasoning } = choice.delta ?? {};
    this.#text += toText(content) + (refusal ?? "");
    this.#reasoning += reasoning_content ?? reasoning ?? "";
    if (choice.finish_reason) this.#finishReason = finishReasons[choice.finish_reason] ?? "other";
    else if (content && choices?.length === 1 && !refusal && !reasoning_content && !reasoning && !usage)
      this.#template.learn(data, readContent);
  }
}

/** Returns the content of an event of one choice, if that is a string. */
function readContent(data: string): string | undefined {
  return ContentChunk.safeParse(parseJson(data)).data?.choices[0].delta.content;
}

/** Returns up to where `text` holds whole characters. */
function findWholeEnd(text: string): number {
  return (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800 ? text.length - 1 : text.length;
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new AppError("model_invalid_stream", "an event is not JSON", { cause: error });
  }
}

/** Some servers send content as a list of parts; only those with text are text. */
function toText(content: z.infer<typeof Text>): string {
  if (content === null || content === undefined) return "";
  return typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
}

function toUsage(usage: NonNullable<z.infer<typeof CompletionChunk>["usage"]>): Usage {
  const reasoningTokens = usage.completion_tokens_details?.reasoning_tokens;
  const cachedInputTokens = usage.prompt_tokens_details?.cached_tokens;
  return {
    inputTokens: usage.prompt_tokens,
    outputTokens: usage.completion_tokens,
    ...(typeof reasoningTokens === "number" && { reasoningTokens }),
    ...(typeof cachedInputTokens === "number" && { cachedInputTokens }),
  };
}
