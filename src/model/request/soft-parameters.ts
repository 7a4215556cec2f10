/** The parameters that a request may lose. */

/**
 * Parameters without which a reply is still one to the same request. Others bound or shape the reply, choose
 * its maker, or forbid something: they are never left out.
 */
export const softParameters: ReadonlySet<string> = new Set([
  "temperature",
  "top_p",
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "reasoning_effort",
  "verbosity",
  "parallel_tool_calls",
  // of other servers than OpenAI's
  "top_k",
  "top_a",
  "min_p",
  "typical_p",
  "repetition_penalty",
  "repeat_penalty",
  "cache_prompt",
  "reasoning",
  "reasoning_format",
  "include_reasoning",
  "chat_template_kwargs",
  "enable_thinking",
  "think",
  "thinking",
  "thinking_budget",
]);
