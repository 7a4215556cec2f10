/** Scripts a model server that has a window, and caches the prefixes of prompts as real ones do. */
import { hash } from "node:crypto";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import type { ScriptedCall, ScriptedModel } from "./scripted-model.ts";

/** Servers cache whole blocks of tokens. */
const blockTokens = 128;
/** Tokens of a message beside its text, and of an image. */
const messageTokens = 4;
const imageTokens = 1_000;

/** One prompt that the server has accepted. */
export interface CountedPrompt {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly messages: number;
}

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
  readonly #cached = new Set<string>();
  readonly #counts = new Map<string, number>();

  constructor(model: ScriptedModel, options: WindowServerOptions) {
    this.#options = options;
    model.script = (call) => this.#answer(call);
  }

  /** The share of the input tokens of all prompts that came from the cache. */
  get cachedShare(): number {
    const sum = (name: "inputTokens" | "cachedTokens"): number =>
      this.accepted.reduce((total, prompt) => total + prompt[name], 0);
    return sum("cachedTokens") / sum("inputTokens");
  }

  #answer(call: ScriptedCall): void {
    const { windowTokens, refuse = toRefusal, reply = (count) => `Reply ${count}.` } = this.#options;
    const tools = call.body["tools"] === undefined ? "" : JSON.stringify(call.body["tools"]);
    let prefix = hash("sha256", tools);
    let inputTokens = this.#count(tools);
    let cachedTokens = 0;
    let isCached = true;
    const prefixes: string[] = [];
    for (const message of call.body.messages) {
      prefix = hash("sha256", prefix + JSON.stringify(message));
      prefixes.push(prefix);
      inputTokens += this.#count(message);
      isCached &&= this.#cached.has(prefix);
      if (isCached) cachedTokens = inputTokens;
    }
    const asked = Number(call.body["max_tokens"] ?? 0);
    if (inputTokens + asked > windowTokens) {
      this.refusals += 1;
      call.head(400, { "content-type": "application/json" });
      return call.end(JSON.stringify(refuse(windowTokens, inputTokens)));
    }
    for (const cached of prefixes) this.#cached.add(cached);
    cachedTokens -= cachedTokens % blockTokens;
    this.accepted.push({ inputTokens, cachedTokens, messages: call.body.messages.length });
    call.text(`- Answer\n---RESPONSE---\n${reply(this.accepted.length)}`);
    call.event({
      choices: [],
      usage: {
        prompt_tokens: inputTokens,
        completion_tokens: 8,
        prompt_tokens_details: { cached_tokens: cachedTokens },
      },
    });
    return call.finish();
  }

  /** Counts a message, or a text; images by a price of their own. */
  #count(value: unknown): number {
    const key = typeof value === "string" ? value : JSON.stringify(value);
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const text = key.replaceAll(/data:[^"]+/g, "");
    const images = key.match(/"image_url":\{/g)?.length ?? 0;
    const { ratio = 1 } = this.#options;
    const tokens =
      key === "" ? 0 : Math.ceil(countTokens(text) * ratio) + messageTokens + images * imageTokens;
    this.#counts.set(key, tokens);
    return tokens;
  }
}

function toRefusal(windowTokens: number, inputTokens: number): object {
  const message = `This model's maximum context length is ${windowTokens} tokens. However, your messages resulted in ${inputTokens} tokens. Please reduce the length of the messages.`;
  return {
    error: { message, type: "invalid_request_error", param: "messages", code: "context_length_exceeded" },
  };
}
