/**
 * Owns what OpenAI's wire says beside a stream: a whole completion, its usage and finish reason, and an error.
 * https://platform.openai.com/docs/api-reference/chat/object
 */
import { errorTable, type ErrorCode } from "../errors.ts";
import { toBody } from "../turn/body.ts";
import type { TurnEnd, TurnStart, Usage } from "../turn/turn-event.ts";

/** Returns what every object about a turn carries. */
export function toCompletionHead({ turnId, model, startedAt }: TurnStart): {
  readonly id: string;
  readonly created: number;
  readonly model: string;
} {
  return { id: `chatcmpl-${turnId}`, created: Math.floor(startedAt.getTime() / 1000), model: model ?? "" };
}

/** Returns the completion that a turn without an error ended in; its plan, if it has one, as reasoning. */
export function toCompletion(start: TurnStart, body: string, reasoning: string, end: TurnEnd): object {
  const { plan, answer = "" } = toBody(body);
  const thoughts = reasoning + plan;
  return {
    ...toCompletionHead(start),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: answer,
          refusal: null,
          ...(thoughts !== "" && { reasoning_content: thoughts }),
        },
        logprobs: null,
        finish_reason: toFinishReason(end),
      },
    ],
    ...(end.usage !== undefined && { usage: toCompletionUsage(end.usage) }),
  };
}

/** Returns why a reply without an error ended. OpenAI has no word for one that was stopped; vLLM's and SGLang's is `abort`. */
export function toFinishReason({ outcome, finishReason }: TurnEnd): string {
  if (outcome !== "complete") return "abort";
  switch (finishReason) {
    case "length":
      return "length";
    case "content-filter":
      return "content_filter";
    case "stop":
    case "other":
    case undefined:
      return "stop";
  }
}

/** Returns usage by OpenAI's names. */
export function toCompletionUsage(usage: Usage): object {
  const { inputTokens, outputTokens, reasoningTokens, cachedInputTokens } = usage;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    ...(reasoningTokens !== undefined && {
      completion_tokens_details: { reasoning_tokens: reasoningTokens },
    }),
    ...(cachedInputTokens !== undefined && { prompt_tokens_details: { cached_tokens: cachedInputTokens } }),
  };
}

/** Returns an error as OpenAI's clients read it. */
export function toOpenAiError(code: ErrorCode, message: string, field?: string): object {
  const { status } = errorTable[code];
  const type = status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error";
  return { error: { message, type, param: field ?? null, code } };
}
