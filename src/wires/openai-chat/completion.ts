/**
 * Owns what OpenAI's wire says beside a stream: a whole completion, its usage and finish reason, and an error.
 * https://platform.openai.com/docs/api-reference/chat/object
 */
import { errorTable, type ErrorCode } from "../../base/errors.ts";
import { toBody } from "../../turn/body.ts";
import type { TurnEnd, TurnStart, Usage } from "../../turn/turn-event.ts";

/** What every object about a turn carries. */
interface CompletionHead {
  readonly id: string;
  /** In seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

/** Why a reply without an error ended. */
export type CompletionFinish = "stop" | "length" | "content_filter" | "abort";

/** What a reply cost, in tokens. */
export interface CompletionUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly completion_tokens_details?: { readonly reasoning_tokens: number };
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
}

/** A whole reply. */
export interface Completion extends CompletionHead {
  readonly object: "chat.completion";
  readonly choices: readonly [
    {
      readonly index: 0;
      readonly message: {
        readonly role: "assistant";
        readonly content: string;
        readonly refusal: null;
        readonly reasoning_content?: string;
      };
      readonly logprobs: null;
      readonly finish_reason: CompletionFinish;
    },
  ];
  readonly usage?: CompletionUsage;
}

/** What a chunk adds to the reply. */
export interface CompletionDelta {
  readonly role?: "assistant";
  readonly content?: string;
  readonly reasoning_content?: string;
}

/** A piece of a reply that streams; the last may have usage and no choice. */
export interface CompletionChunk extends CompletionHead {
  readonly object: "chat.completion.chunk";
  readonly choices: readonly {
    readonly index: 0;
    readonly delta: CompletionDelta;
    readonly logprobs: null;
    readonly finish_reason: CompletionFinish | null;
  }[];
  readonly usage?: CompletionUsage | null;
}

/** An error as OpenAI's clients read it. */
export interface OpenAiError {
  readonly error: {
    readonly message: string;
    readonly type: "invalid_request_error" | "rate_limit_error" | "server_error";
    readonly param: string | null;
    readonly code: ErrorCode;
  };
}

/** Returns what every object about a turn carries. */
export function toCompletionHead({ turnId, model, startedAt }: TurnStart): CompletionHead {
  return { id: `chatcmpl-${turnId}`, created: Math.floor(startedAt.getTime() / 1000), model: model ?? "" };
}

/** Returns the completion that a turn without an error ended in; its plan, if it has one, as reasoning. */
export function toCompletion(start: TurnStart, body: string, reasoning: string, end: TurnEnd): Completion {
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
export function toFinishReason({ outcome, finishReason }: TurnEnd): CompletionFinish {
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
export function toCompletionUsage(usage: Usage): CompletionUsage {
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
export function toOpenAiError(code: ErrorCode, message: string, field?: string): OpenAiError {
  const { status } = errorTable[code];
  const type = status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error";
  return { error: { message, type, param: field ?? null, code } };
}
