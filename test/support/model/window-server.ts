/** Scripts a model server that has a window, and caches the prefixes of prompts as real ones do. */
import { PrefixCache, type CountedPrompt } from "./prefix-cache.ts";
import type { ScriptedCall, ScriptedModel } from "./scripted-model.ts";

/** The settings of a {@link WindowServer}. */
export interface WindowServerOptions {
  readonly windowTokens: number;
  /** How many tokens it counts for each of o200k. Default 1. */
  readonly ratio?: number;
  /** The body of a refusal. Default: OpenAI's. */
  readonly refuse?: (windowTokens: number, inputTokens: number) => object;
  /** The replies, each below a plan. Default: `Reply <number>.` */
  readonly reply?: (count: number) => string;
}

/** Answers the calls of a scripted model within a window. */
export class WindowServer {
  readonly accepted: CountedPrompt[] = [];
  refusals = 0;
  readonly #options: WindowServerOptions;
  readonly #cache: PrefixCache;

  constructor(model: ScriptedModel, options: WindowServerOptions) {
    this.#options = options;
    this.#cache = new PrefixCache(options.ratio);
    model.script = (call) => this.#answer(call);
  }

  /** The share of the input tokens, from prompt `from` on, that came from the cache. */
  cachedShare(from = 0): number {
    const prompts = this.accepted.slice(from);
    const sum = (name: "inputTokens" | "cachedTokens"): number =>
      prompts.reduce((total, prompt) => total + prompt[name], 0);
    return sum("cachedTokens") / sum("inputTokens");
  }

  #answer(call: ScriptedCall): void {
    const { windowTokens, refuse = toRefusal, reply = (count) => `Reply ${count}.` } = this.#options;
    const { messages, tools, max_tokens: asked } = call.body;
    const offered = tools === undefined ? "" : JSON.stringify(tools);
    const { inputTokens } = this.#cache.count(messages, offered);
    if (inputTokens + Number(asked ?? 0) > windowTokens) {
      this.refusals += 1;
      call.head(400, { "content-type": "application/json" });
      return call.end(JSON.stringify(refuse(windowTokens, inputTokens)));
    }
    const prompt = this.#cache.take(messages, offered);
    this.accepted.push(prompt);
    call.text(`- Answer\n---RESPONSE---\n${reply(this.accepted.length)}`);
    call.event({
      choices: [],
      usage: {
        prompt_tokens: prompt.inputTokens,
        completion_tokens: 8,
        prompt_tokens_details: { cached_tokens: prompt.cachedTokens },
      },
    });
    return call.finish();
  }
}

function toRefusal(windowTokens: number, inputTokens: number): object {
  const message = `This model's maximum context length is ${windowTokens} tokens. However, your messages resulted in ${inputTokens} tokens. Please reduce the length of the messages.`;
  return {
    error: { message, type: "invalid_request_error", param: "messages", code: "context_length_exceeded" },
  };
}
