/**
 * The events of a streamed response. https://platform.openai.com/docs/api-reference/responses-streaming
 */
import { z } from "zod";
import { Code, Count, schemaOf } from "../../../http/description/response-schema.ts";
import {
  OutputItemSchema,
  OutputTextSchema,
  SummaryTextSchema,
  TextAnnotationSchema,
  type OutputItem,
  type OutputText,
  type SummaryText,
  type TextAnnotation,
} from "./output-item.ts";
import { ResponseSchema, type Response } from "./response.ts";
import type { ErrorCode } from "../../../base/errors.ts";

/** The place of an item's text or call. */
interface ItemFields {
  readonly item_id: string;
  readonly output_index: number;
}

/** The place of a message's text. */
interface TextFields extends ItemFields {
  readonly content_index: 0;
}

/** The place of a plan's text. */
interface SummaryFields extends ItemFields {
  readonly summary_index: 0;
}

/** A piece of the answer, or of the plan. */
export type TextDelta =
  | (TextFields & {
      readonly type: "response.output_text.delta";
      readonly delta: string;
      readonly logprobs: readonly never[];
    })
  | (SummaryFields & { readonly type: "response.reasoning_summary_text.delta"; readonly delta: string });

/** An event of the output, without its number. */
export type OutputEvent =
  | TextDelta
  | {
      readonly type: "response.output_item.added" | "response.output_item.done";
      readonly output_index: number;
      readonly item: OutputItem;
    }
  | (TextFields & {
      readonly type: "response.content_part.added" | "response.content_part.done";
      readonly part: OutputText;
    })
  | (TextFields & {
      readonly type: "response.output_text.annotation.added";
      readonly annotation_index: number;
      readonly annotation: TextAnnotation;
    })
  | (TextFields & {
      readonly type: "response.output_text.done";
      readonly text: string;
      readonly logprobs: readonly never[];
    })
  | (SummaryFields & {
      readonly type: "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done";
      readonly part: SummaryText;
    })
  | (SummaryFields & { readonly type: "response.reasoning_summary_text.done"; readonly text: string })
  | (ItemFields & {
      readonly type: "response.function_call_arguments.delta" | "response.mcp_call_arguments.delta";
      readonly delta: string;
    })
  | (ItemFields & {
      readonly type: "response.function_call_arguments.done";
      readonly name: string;
      readonly arguments: string;
    })
  | (ItemFields & { readonly type: "response.mcp_call_arguments.done"; readonly arguments: string })
  | (ItemFields & {
      readonly type:
        | "response.mcp_call.in_progress"
        | "response.mcp_call.completed"
        | "response.mcp_call.failed";
    });

/** An event of the whole response, without its number. */
export interface LifecycleEvent {
  readonly type: "response.created" | "response.in_progress" | "response.completed" | "response.incomplete";
  readonly response: Response;
}

/** A failure, without its number: in OpenAI's form, and in the nested one that other clients read. */
export interface ErrorEvent {
  readonly type: "error";
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: null;
  readonly error: {
    readonly type: "invalid_request_error" | "rate_limit_error" | "server_error";
    readonly code: ErrorCode;
    readonly message: string;
    readonly param: null;
  };
}

/** An event on the wire. */
export type ResponseEvent = (OutputEvent | LifecycleEvent | ErrorEvent) & {
  readonly sequence_number: number;
};

const place = { item_id: z.string(), output_index: Count };
const numbered = {
  sequence_number: Count.describe(
    "Each event counts 1, but a piece of text its bytes in UTF-8: it has the number of the last one.",
  ),
};

/** The schema of {@link ResponseEvent}. */
export const ResponseEventSchema = schemaOf<ResponseEvent>()("ResponseEvent", () =>
  z.discriminatedUnion("type", [
    ...toLifecycleSchemas(),
    ...toMessageSchemas(),
    ...toSummarySchemas(),
    ...toCallSchemas(),
  ]),
);

function toLifecycleSchemas() {
  return [
    z.object({
      type: z.enum(["response.created", "response.in_progress", "response.completed", "response.incomplete"]),
      response: ResponseSchema(),
      ...numbered,
    }),
    z.object({
      type: z.enum(["response.output_item.added", "response.output_item.done"]),
      output_index: Count,
      item: OutputItemSchema(),
      ...numbered,
    }),
    z.object({
      type: z.literal("error"),
      code: Code,
      message: z.string(),
      param: z.null(),
      error: z.object({
        type: z.enum(["invalid_request_error", "rate_limit_error", "server_error"]),
        code: Code,
        message: z.string(),
        param: z.null(),
      }),
      ...numbered,
    }),
  ] as const;
}

function toMessageSchemas() {
  const fields = { ...place, content_index: z.literal(0), ...numbered };
  const logprobs = z.array(z.never());
  return [
    z.object({
      type: z.enum(["response.content_part.added", "response.content_part.done"]),
      part: OutputTextSchema(),
      ...fields,
    }),
    z.object({ type: z.literal("response.output_text.delta"), delta: z.string(), logprobs, ...fields }),
    z.object({
      type: z.literal("response.output_text.annotation.added"),
      annotation_index: Count,
      annotation: TextAnnotationSchema(),
      ...fields,
    }),
    z.object({ type: z.literal("response.output_text.done"), text: z.string(), logprobs, ...fields }),
  ] as const;
}

function toSummarySchemas() {
  const fields = { ...place, summary_index: z.literal(0), ...numbered };
  return [
    z.object({
      type: z.enum(["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]),
      part: SummaryTextSchema(),
      ...fields,
    }),
    z.object({ type: z.literal("response.reasoning_summary_text.delta"), delta: z.string(), ...fields }),
    z.object({ type: z.literal("response.reasoning_summary_text.done"), text: z.string(), ...fields }),
  ] as const;
}

function toCallSchemas() {
  const fields = { ...place, ...numbered };
  return [
    z.object({
      type: z.enum(["response.function_call_arguments.delta", "response.mcp_call_arguments.delta"]),
      delta: z.string(),
      ...fields,
    }),
    z.object({
      type: z.literal("response.function_call_arguments.done"),
      name: z.string(),
      arguments: z.string(),
      ...fields,
    }),
    z.object({ type: z.literal("response.mcp_call_arguments.done"), arguments: z.string(), ...fields }),
    z.object({
      type: z.enum([
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
      ]),
      ...fields,
    }),
  ] as const;
}
