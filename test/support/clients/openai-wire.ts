/** The app for clients of OpenAI's wire: a scripted model, the app, and the official client. */
import OpenAI from "openai";
import { z } from "zod";
import type { ScriptedModel } from "../model/scripted-model.ts";
import type { RunningApp } from "../apps/start-app.ts";
import { useApp, useModel, type UseAppArguments } from "../apps/use-app.ts";

/** An extension of OpenAI's messages and deltas. */
const WithReasoning = z.object({ reasoning_content: z.string().optional() });

/** An error in OpenAI's format. */
export const OpenAiError = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string(),
  }),
});

/** Returns a chat of one message. */
export function toChat(text: string): OpenAI.ChatCompletionMessageParam[] {
  return [{ role: "user", content: text }];
}

/** Returns the reasoning in a message, or in a piece of one. */
export function toReasoning(message: unknown): string | undefined {
  return WithReasoning.parse(message).reasoning_content;
}

/** A reply, chunk by chunk. */
export class StreamedReply {
  readonly chunks: OpenAI.ChatCompletionChunk[] = [];
  text = "";
  reasoning = "";
  /** All finish reasons: there must be one. */
  readonly finishReasons: string[] = [];

  /** Reads `stream` to its end, or to its error. */
  async read(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<this> {
    for await (const chunk of stream) this.#take(chunk);
    return this;
  }

  #take(chunk: OpenAI.ChatCompletionChunk): void {
    this.chunks.push(chunk);
    for (const { delta, finish_reason: finishReason } of chunk.choices) {
      this.text += delta.content ?? "";
      this.reasoning += toReasoning(delta) ?? "";
      if (finishReason !== null) this.finishReasons.push(finishReason);
    }
  }
}

/** A model, the app that calls it, and a client of the app. */
export class OpenAiWire {
  readonly model: ScriptedModel;
  readonly app: RunningApp;
  /** How many requests {@link client} has sent. */
  requests = 0;
  #client: OpenAI | undefined;

  constructor(model: ScriptedModel, app: RunningApp) {
    this.model = model;
    this.app = app;
  }

  /** The client with its defaults: it repeats a request up to twice. */
  get client(): OpenAI {
    if (this.#client?.baseURL !== this.url)
      this.#client = new OpenAI({
        apiKey: "none",
        baseURL: this.url,
        fetch: (...request) => {
          this.requests += 1;
          return fetch(...request);
        },
      });
    return this.#client;
  }

  /** The base URL for clients. */
  get url(): string {
    return `${this.app.url}/v1`;
  }

  /** Requests a reply to `text` without streaming. */
  async complete(
    text: string,
    more: object = {},
    options: OpenAI.RequestOptions = {},
  ): Promise<OpenAI.ChatCompletion> {
    const asked = { model: "scripted", messages: toChat(text), ...more, stream: false } as const;
    return await this.client.chat.completions.create(asked, options);
  }

  /** Requests a reply to `text` as a stream; reads it to its end. */
  async stream(text: string, more: object = {}, options: OpenAI.RequestOptions = {}): Promise<StreamedReply> {
    const asked = { model: "scripted", messages: toChat(text), ...more, stream: true } as const;
    return await new StreamedReply().read(await this.client.chat.completions.create(asked, options));
  }
}

/** The fixture of {@link OpenAiWire}; options are those of {@link useApp}. */
export function useOpenAiWire(...[variables, options]: UseAppArguments): OpenAiWire {
  const model = useModel(options?.lifetime);
  return new OpenAiWire(model, useApp(model, variables, options));
}

/** Returns the data of each event of a body. */
export function toEventData(body: string): string[] {
  return Array.from(body.matchAll(/^data: ([^\n]*)$/gm), ([, data = ""]) => data);
}
