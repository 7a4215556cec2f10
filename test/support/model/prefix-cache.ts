/** Counts prompts, and how much of each a server that caches prefixes of prompts has in its cache. */
import { hash } from "node:crypto";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";

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

/** The cache of one server: a prefix that differs in one byte of one message is another one. */
export class PrefixCache {
  readonly #ratio: number;
  readonly #cached = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** @param ratio how many tokens it counts for each of o200k. */
  constructor(ratio = 1) {
    this.#ratio = ratio;
  }

  /** Returns the tokens of a prompt, without caching it. @param tools come before the messages. */
  count(messages: readonly object[], tools = ""): CountedPrompt {
    let inputTokens = this.#count(tools);
    let cachedTokens = 0;
    let isCached = true;
    for (const [index, prefix] of toPrefixes(messages, tools).entries()) {
      inputTokens += this.#count(JSON.stringify(messages[index]));
      isCached &&= this.#cached.has(prefix);
      if (isCached) cachedTokens = inputTokens;
    }
    cachedTokens -= cachedTokens % blockTokens;
    return { inputTokens, cachedTokens, messages: messages.length };
  }

  /** Returns the tokens of a prompt, which is cached from now on. */
  take(messages: readonly object[], tools = ""): CountedPrompt {
    const counted = this.count(messages, tools);
    for (const prefix of toPrefixes(messages, tools)) this.#cached.add(prefix);
    return counted;
  }

  /** Counts a message, or tools, as JSON; images by a price of their own. */
  #count(json: string): number {
    const known = this.#counts.get(json);
    if (known !== undefined || json === "") return known ?? 0;
    const { role, content, ...more }: Record<string, unknown> = JSON.parse(json);
    const rest = Object.keys(more).length === 0 ? "" : JSON.stringify(more);
    const said = typeof content === "string" ? content : JSON.stringify(content ?? "");
    const text = `${String(role)}${said}${rest}`.replaceAll(/data:[^"]+/g, "");
    const images = json.match(/"image_url":\{/g)?.length ?? 0;
    const tokens = Math.ceil(countTokens(text) * this.#ratio) + messageTokens + images * imageTokens;
    this.#counts.set(json, tokens);
    return tokens;
  }
}

function toPrefixes(messages: readonly object[], tools: string): readonly string[] {
  let prefix = hash("sha256", tools);
  return messages.map((message) => (prefix = hash("sha256", prefix + JSON.stringify(message))));
}
