/** A response, as its resource shows it. https://platform.openai.com/docs/api-reference/responses/object */
import { z } from "zod";
import { toErrorMessage, type ErrorCode } from "../../../base/errors.ts";
import { Code, Count, schemaOf } from "../../../http/description/response-schema.ts";
import type { TurnEnd, TurnStart, TurnWaiting, Usage } from "../../../turn/turn-event.ts";
import type { Echo } from "../echo.ts";
import { toConversationId, toResponseId, type ResponsePlace } from "../ids.ts";
import { OutputItemSchema, type OutputEnding, type OutputItem } from "./output-item.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The states of a response. */
const responseStatuses = ["in_progress", "completed", "incomplete", "cancelled", "failed"] as const;

/** The tokens of a turn. */
interface ResponseUsage {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: number };
  readonly total_tokens: number;
}

/** A response. Whatever its request did not set has OpenAI's default. */
export interface Response {
  readonly id: string;
  readonly object: "response";
  /** In seconds since 1970. */
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly status: (typeof responseStatuses)[number];
  readonly background: boolean;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: "max_output_tokens" | "content_filter" } | null;
  readonly instructions: string | null;
  readonly max_output_tokens: number | null;
  readonly max_tool_calls: null;
  readonly model: string;
  readonly output: readonly OutputItem[];
  readonly previous_response_id: string | null;
  readonly conversation: { readonly id: string } | null;
  readonly parallel_tool_calls: boolean;
  readonly tool_choice: string | Fields;
  readonly tools: readonly Fields[];
  readonly text: Fields;
  readonly reasoning: Fields | null;
  readonly temperature: number;
  readonly top_p: number;
  readonly top_logprobs: 0;
  readonly presence_penalty: number;
  readonly frequency_penalty: number;
  readonly truncation: string;
  readonly store: boolean;
  readonly service_tier: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly safety_identifier: string | null;
  readonly prompt_cache_key: string | null;
  readonly usage: ResponseUsage | null;
  readonly user?: string;
}

const AnyFields = z.record(z.string(), z.unknown());

/** The schema of {@link Response}. */
export const ResponseSchema = schemaOf<Response>()("Response", () =>
  z.object({
    id: z.string().describe("`resp_` and the turn's id; after a wait with the number of the leg."),
    object: z.literal("response"),
    created_at: Count.describe("Seconds since 1970."),
    completed_at: Count.nullable(),
    status: z.enum(responseStatuses),
    background: z.boolean(),
    error: z.object({ code: Code, message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.enum(["max_output_tokens", "content_filter"]) }).nullable(),
    instructions: z.string().nullable(),
    max_output_tokens: z.number().nullable(),
    max_tool_calls: z.null(),
    model: z.string(),
    output: z.array(OutputItemSchema()),
    previous_response_id: z.string().nullable(),
    conversation: z.object({ id: z.string() }).nullable(),
    parallel_tool_calls: z.boolean(),
    tool_choice: z.union([z.string(), AnyFields]),
    tools: z.array(AnyFields),
    text: AnyFields,
    reasoning: AnyFields.nullable(),
    temperature: z.number(),
    top_p: z.number(),
    top_logprobs: z.literal(0),
    presence_penalty: z.number(),
    frequency_penalty: z.number(),
    truncation: z.string(),
    store: z.boolean(),
    service_tier: z.string(),
    metadata: z.record(z.string(), z.string()),
    safety_identifier: z.string().nullable(),
    prompt_cache_key: z.string().nullable(),
    usage: z
      .object({
        input_tokens: Count,
        input_tokens_details: z.object({ cached_tokens: Count }),
        output_tokens: Count,
        output_tokens_details: z.object({ reasoning_tokens: Count }),
        total_tokens: Count,
      })
      .nullable()
      .describe("The tokens of the whole turn, once it has ended."),
    user: z.string().exactOptional(),
  }),
);

/** The facts that a response has from its start. */
export interface ResponseHead {
  readonly place: ResponsePlace;
  readonly start: TurnStart;
  readonly echo: Echo;
}

/** The last event of a response, if it has ended; `undefined` also for one whose turn has gone on. */
export type ResponseEnd = TurnEnd | TurnWaiting | undefined;

/** Returns how the output of a response ends. */
export function toEnding(last: ResponseEnd): OutputEnding {
  if (last?.type !== "turn-end") return "waiting";
  if (last.error !== undefined) return "failed";
  if (last.outcome === "stopped") return "cancelled";
  return last.finishReason === "length" || last.finishReason === "content-filter"
    ? "incomplete"
    : "completed";
}

/** Returns a response in progress. */
export function toOpenResponse(head: ResponseHead, output: readonly OutputItem[]): Response {
  return { ...toEcho(head), status: "in_progress", output };
}

/** Returns a response that has ended. */
export function toEndedResponse(
  head: ResponseHead,
  output: readonly OutputItem[],
  last: ResponseEnd,
): Response {
  const ending = toEnding(last);
  const status = ending === "waiting" ? "completed" : ending;
  const response = { ...toEcho(head), status, output };
  if (last?.type !== "turn-end") return response;
  const { error, usage, attempts, model, durationMs, finishReason } = last;
  const endedAt = head.start.startedAt.getTime() + Math.round(durationMs ?? 0);
  const isKnown = status === "completed" && durationMs !== undefined;
  return {
    ...response,
    ...(attempts !== undefined && model !== undefined && { model }),
    completed_at: isKnown ? toSeconds(endedAt) : null,
    usage: usage === undefined ? null : toUsage(usage),
    error:
      error === undefined ? null : { code: error.code, message: toErrorMessage(error.code, error.detail) },
    incomplete_details:
      ending === "incomplete"
        ? { reason: finishReason === "length" ? "max_output_tokens" : "content_filter" }
        : null,
  };
}

function toEcho({ place, start, echo }: ResponseHead): Omit<Response, "status" | "output"> {
  const { turnId, leg } = place;
  const { text, reasoning, conversation } = echo;
  return {
    id: toResponseId(place),
    object: "response",
    created_at: toSeconds(start.startedAt.getTime()),
    completed_at: null,
    background: echo.background ?? false,
    error: null,
    incomplete_details: null,
    instructions: echo.instructions ?? null,
    max_output_tokens: echo.max_output_tokens ?? null,
    max_tool_calls: null,
    model: echo.model ?? start.model ?? "",
    previous_response_id:
      leg > 0 ? toResponseId({ turnId, leg: leg - 1 }) : (echo.previous_response_id ?? null),
    conversation: conversation === undefined ? null : { id: toConversationId(conversation) },
    parallel_tool_calls: echo.parallel_tool_calls ?? true,
    tool_choice: echo.tool_choice ?? "auto",
    tools: echo.tools ?? [],
    text: { format: { type: "text" }, ...text },
    reasoning: reasoning === undefined ? null : { effort: null, summary: null, ...reasoning },
    temperature: echo.temperature ?? 1,
    top_p: echo.top_p ?? 1,
    top_logprobs: 0,
    presence_penalty: echo.presence_penalty ?? 0,
    frequency_penalty: echo.frequency_penalty ?? 0,
    truncation: echo.truncation ?? "disabled",
    store: echo.store ?? true,
    service_tier: echo.service_tier ?? "default",
    metadata: echo.metadata ?? {},
    safety_identifier: echo.safety_identifier ?? null,
    prompt_cache_key: echo.prompt_cache_key ?? null,
    usage: null,
    ...(echo.user !== undefined && { user: echo.user }),
  };
}

function toUsage(usage: Usage): ResponseUsage {
  const { inputTokens, outputTokens, reasoningTokens = 0, cachedInputTokens = 0 } = usage;
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
  };
}

function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
