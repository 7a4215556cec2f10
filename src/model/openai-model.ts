/** Owns the model behind an OpenAI-compatible server. */
import type { Prompt } from "../turn/instructions.ts";
import type { Clock } from "../base/clock.ts";
import type { Model, ModelCall, ModelSink } from "../turn/ports.ts";
import { OpenAiCall } from "./openai-call.ts";
import { OpenAiServer, type OpenAiOptions } from "./openai-server.ts";

/** A model behind an OpenAI-compatible server. */
export class OpenAiModel implements Model {
  readonly name: string;
  readonly #server: OpenAiServer;
  readonly #clock: Clock;

  constructor(options: OpenAiOptions, clock: Clock) {
    this.name = options.model;
    this.#server = new OpenAiServer(options, clock);
    this.#clock = clock;
  }

  complete(prompt: Prompt, sink: ModelSink): ModelCall {
    return new OpenAiCall(this.#server, this.#clock, prompt, sink);
  }

  close(): Promise<void> {
    return this.#server.pool.destroy();
  }
}
