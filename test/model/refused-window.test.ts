import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readRefusedWindow } from "../../src/model/context/refused-window.ts";

const refusals: readonly [string, string, number | undefined, number | undefined][] = [
  [
    "OpenAI",
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    8192,
    9000,
  ],
  [
    "vLLM, with the reply's tokens",
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the messages, 500 in the completion).",
    4096,
    4500,
  ],
  ["Anthropic", "prompt is too long: 210000 tokens > 200000 maximum", 200_000, 210_000],
  [
    "Anthropic, with max_tokens",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
    200_000,
    190_000,
  ],
  [
    "Gemini",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    1_048_576,
    1_200_000,
  ],
  [
    "Mistral",
    "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    32_768,
    40_000,
  ],
  [
    "xAI",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    131_072,
    537_812,
  ],
  [
    "TGI",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
    4096,
    5000,
  ],
  ["SGLang", "length of prompt_tokens (35000) must be less than max_seq_len (32768).", 32_768, 35_000],
  [
    "Cloudflare",
    "AiError: The estimated number of input and maximum output tokens (33000) exceeded this model context window limit (24000).",
    24_000,
    undefined,
  ],
  ["LM Studio", "The model is loaded with context length of only 4096 tokens", 4096, undefined],
  ["Moonshot", "Invalid request: Your request exceeded model token limit: 8192", 8192, undefined],
  ["Bedrock", "Input is too long for requested model.", undefined, undefined],
];

describe("readRefusedWindow", () => {
  for (const [name, message, windowTokens, inputTokens] of refusals)
    test(`reads the window, and the prompt's tokens, of ${name}`, () => {
      const body = JSON.stringify({ error: { message } });
      assert.deepEqual(readRefusedWindow(body), { windowTokens, inputTokens });
    });

  test("reads both from fields of llama.cpp", () => {
    const body = JSON.stringify({
      error: { code: 400, message: "too long", n_prompt_tokens: 9000, n_ctx: 4096 },
    });
    assert.deepEqual(readRefusedWindow(body), { windowTokens: 4096, inputTokens: 9000 });
  });

  test("of an endless text is read in time, and of the start of its message alone", () => {
    for (const digits of ["1", "1,", "1 + 1 > "]) {
      const body = JSON.stringify({ error: { message: digits.repeat(30_000), n: "maximum 4096" } });
      assert.deepEqual(readRefusedWindow(body), { windowTokens: undefined, inputTokens: undefined });
    }
    const late = JSON.stringify({ error: { message: `${"words ".repeat(1_000)}maximum is 4096` } });
    assert.equal(readRefusedWindow(late).windowTokens, undefined);
  });
});
