/**
 * The objects of OpenAI's Chat Completions: completions, chunks and usage.
 * https://platform.openai.com/docs/api-reference/chat/object
 */
import { z } from "zod";
import { Count, schemaOf } from "../../http/description/response-schema.ts";
import { toBody } from "../../turn/body.ts";
import type { SourceData, ToolCall, TurnEnd, TurnStart, Usage } from "../../turn/turn-event.ts";
import { CompletionAnnotationSchema, toAnnotations, type CompletionAnnotation } from "./annotation.ts";
import {
  toCompletionToolCall,
  toToolCallSchema,
  toToolDeltaSchema,
  type CompletionToolCall,
  type CompletionToolDelta,
} from "./tool-calls.ts";

/** The fields of every completion and chunk. */
interface CompletionHead {
  readonly id: string;
  /** In seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

/** Why a reply without an error ended. */
export type CompletionFinish = "stop" | "length" | "tool_calls" | "content_filter" | "abort";

/** The tokens of a reply. */
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
        /** `null` if there are tool calls and no text. */
        readonly content: string | null;
        readonly refusal: null;
        readonly reasoning_content?: string;
        readonly tool_calls?: readonly CompletionToolCall[];
        readonly annotations?: readonly CompletionAnnotation[];
      };
      readonly logprobs: null;
      readonly finish_reason: CompletionFinish;
    },
  ];
  readonly usage?: CompletionUsage;
}

/** The text, or the piece of a tool call, that a chunk adds to the reply. */
export interface CompletionDelta {
  readonly role?: "assistant";
  readonly content?: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly [CompletionToolDelta];
  /** All citations of the answer, after its last piece. */
  readonly annotations?: readonly CompletionAnnotation[];
}

/** A chunk of a streamed reply. The last one may have usage and no choice. */
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

/** The schema of {@link CompletionUsage}. */
const CompletionUsageSchema = schemaOf<CompletionUsage>()("CompletionUsage", () =>
  z.object({
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    completion_tokens_details: z.object({ reasoning_tokens: Count }).exactOptional(),
    prompt_tokens_details: z.object({ cached_tokens: Count }).exactOptional(),
  }),
);

const FinishSchema = z.enum(["stop", "length", "tool_calls", "content_filter", "abort"]);
const headFields = {
  id: z.string().describe("`chatcmpl-` and the turn's id."),
  created: Count.describe("Seconds since 1970."),
  model: z.string(),
};

/** The schema of {@link Completion}. */
export const CompletionSchema = schemaOf<Completion>()("Completion", () =>
  z.object({
    ...headFields,
    object: z.literal("chat.completion"),
    choices: z.tuple([
      z.object({
        index: z.literal(0),
        message: z.object({
          role: z.literal("assistant"),
          content: z.string().nullable().describe("`null` if there are tool calls and no text."),
          refusal: z.null(),
          reasoning_content: z.string().exactOptional(),
          tool_calls: z.array(toToolCallSchema()).exactOptional(),
          annotations: z.array(CompletionAnnotationSchema()).exactOptional(),
        }),
        logprobs: z.null(),
        finish_reason: FinishSchema,
      }),
    ]),
    usage: CompletionUsageSchema().exactOptional(),
  }),
);

/** The schema of {@link CompletionChunk}. */
export const CompletionChunkSchema = schemaOf<CompletionChunk>()("CompletionChunk", () =>
  z.object({
    ...headFields,
    object: z.literal("chat.completion.chunk"),
    choices: z.array(
      z.object({
        index: z.literal(0),
        delta: z.object({
          role: z.literal("assistant").exactOptional(),
          content: z.string().exactOptional(),
          reasoning_content: z.string().exactOptional(),
          tool_calls: z.tuple([toToolDeltaSchema()]).exactOptional(),
          annotations: z.array(CompletionAnnotationSchema()).exactOptional(),
        }),
        logprobs: z.null(),
        finish_reason: FinishSchema.nullable(),
      }),
    ),
    usage: CompletionUsageSchema().nullable().exactOptional(),
  }),
);

/** Returns the fields of every completion and chunk. */
export function toCompletionHead(
  { turnId, startedAt }: TurnStart,
  model: string | undefined,
): CompletionHead {
  return { id: `chatcmpl-${turnId}`, created: Math.floor(startedAt.getTime() / 1000), model: model ?? "" };
}

/** A reply as a whole response shows it. */
export interface WholeReply {
  readonly start: TurnStart;
  /** The name of the model that replied; `undefined` if it has none. */
  readonly model: string | undefined;
  readonly body: string;
  readonly reasoning: string;
  /** The calls of tools that the client runs. */
  readonly calls: readonly ToolCall[];
  readonly sources: readonly SourceData[];
  readonly end: TurnEnd;
}

/**
 * Returns the completion of a turn that ended without an error. A plan becomes reasoning. The calls of a
 * stopped turn are left out: clients would run them.
 */
export function toCompletion({
  start,
  model,
  body,
  reasoning,
  calls: allCalls,
  sources,
  end,
}: WholeReply): Completion {
  const { plan, answer = "" } = toBody(body);
  const calls = end.outcome === "complete" ? allCalls : [];
  const thoughts = reasoning + plan;
  const annotations = toAnnotations(answer, sources);
  return {
    ...toCompletionHead(start, model),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: answer === "" && calls.length > 0 ? null : answer,
          refusal: null,
          ...(thoughts !== "" && { reasoning_content: thoughts }),
          ...(calls.length > 0 && { tool_calls: calls.map(toCompletionToolCall) }),
          ...(annotations.length > 0 && { annotations }),
        },
        logprobs: null,
        finish_reason: toFinishReason(end, calls.length > 0),
      },
    ],
    ...(end.usage !== undefined && { usage: toCompletionUsage(end.usage) }),
  };
}

/**
 * Returns why a reply without an error ended. For stopped replies, as vLLM and SGLang do, `abort`.
 * @param hasCalls whether it has whole tool calls: some models finish such a reply with `stop`.
 */
export function toFinishReason({ outcome, finishReason }: TurnEnd, hasCalls: boolean): CompletionFinish {
  if (outcome !== "complete") return "abort";
  switch (finishReason) {
    case "length":
      return "length";
    case "content-filter":
      return "content_filter";
    case "stop":
    case "tool-calls":
    case "other":
    case undefined:
      return hasCalls ? "tool_calls" : "stop";
  }
}

/** Returns usage in OpenAI's format. */
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
