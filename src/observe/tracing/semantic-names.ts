/**
 * The names of spans and attributes. Those of models are from OpenTelemetry's semantic-conventions-genai
 * v0.1.0, which is in development: a later version may rename them, and then this file alone changes.
 * https://github.com/open-telemetry/semantic-conventions-genai/blob/v0.1.0/docs/gen-ai/client-inference.md
 */

/** The span of a turn. */
export const turnSpan = "turn";

/** The operation of a call: the replies of models are chats. */
export const chatOperation = "chat";

/** Attributes of turns; only the first two are standardized. */
export const turnNames = {
  conversation: "gen_ai.conversation.id",
  error: "error.type",
  id: "foreword.turn.id",
  outcome: "foreword.turn.outcome",
  storage: "foreword.turn.storage",
  wire: "foreword.turn.wire",
  model: "foreword.model",
} as const;

/** Attributes of calls. */
export const callNames = {
  operation: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  conversation: turnNames.conversation,
  error: turnNames.error,
  configuredModel: turnNames.model,
  model: "gen_ai.request.model",
  stream: "gen_ai.request.stream",
  serverAddress: "server.address",
  serverPort: "server.port",
  responseModel: "gen_ai.response.model",
  finishReasons: "gen_ai.response.finish_reasons",
  timeToFirstChunk: "gen_ai.response.time_to_first_chunk",
} as const;

/** Attributes of a call by the parameters that they hold. */
export const parameterNames = {
  temperature: "gen_ai.request.temperature",
  top_p: "gen_ai.request.top_p",
  top_k: "gen_ai.request.top_k",
  max_tokens: "gen_ai.request.max_tokens",
  max_completion_tokens: "gen_ai.request.max_tokens",
  frequency_penalty: "gen_ai.request.frequency_penalty",
  presence_penalty: "gen_ai.request.presence_penalty",
  seed: "gen_ai.request.seed",
  reasoning_effort: "gen_ai.request.reasoning.level",
} as const;

/** Attributes of a call by the counts that they hold. */
export const usageNames = {
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
  cachedInputTokens: "gen_ai.usage.cache_read.input_tokens",
} as const;
