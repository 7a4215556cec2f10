/** Maps the finish reasons of model servers to ours. */
import type { ErrorCode } from "../../base/errors.ts";
import type { FinishReason } from "../../turn/turn-event.ts";

/** The end of a reply: its model finished it, or it failed with a code. */
export type Finish =
  | { readonly type: "finished"; readonly reason: FinishReason }
  | { readonly type: "failed"; readonly code: ErrorCode };

/** Values that some servers send in every chunk before the end. */
const absent = /^(?:|null|none|undefined|unspecified|in_progress)$/;
// OpenAI, Gemini (`SAFETY`, `RECITATION`, `SPII`), GLM (`sensitive`), Anthropic (`refusal`), Cohere
// (`ERROR_TOXIC`), Bedrock.
const filtered =
  /filter|safety|sensitive|moderat|recitation|block|prohibited|spii|policy|guardrail|toxic|refusal|flagged/;
// Mistral (`model_length`), Gemini (`MAX_TOKENS`), Anthropic (`model_context_window_exceeded`), OpenAI's
// Responses (`incomplete`), Cohere (`ERROR_LIMIT`).
const cut = /length|max_?(?:\w+_)?tokens|token_limit|error_limit|context_window|^incomplete/;
// OpenRouter (`error`), vLLM (`abort`), GLM (`network_error`), DeepSeek (`insufficient_system_resource`).
const failed =
  /error|fail|abort|cancel|interrupt|time_?out|timed_out|unavailable|overload|insufficient|exhaust|disconnect|preempt|evict|crash|killed/;
const passing = /network|insufficient|unavailable|overload|time_?out|timed_out|exhaust|disconnect/;
const stopped = /^stop|^eos|^eot|^end|complete|^finish|^done$|^success|^normal$/;

/**
 * Returns the meaning of `raw`, a server's finish reason; `undefined` if it has none. Case and separators do
 * not matter.
 */
export function readFinish(raw: string): Finish | undefined {
  const word = raw
    .trim()
    .toLowerCase()
    .replaceAll(/[\s.-]+/g, "_")
    .replace(/^finish_?reason_/, "");
  if (absent.test(word)) return undefined;
  if (filtered.test(word)) return { type: "finished", reason: "content-filter" };
  if (cut.test(word)) return { type: "finished", reason: "length" };
  if (failed.test(word))
    return { type: "failed", code: passing.test(word) ? "model_unavailable" : "model_failed" };
  return { type: "finished", reason: stopped.test(word) ? "stop" : "other" };
}
