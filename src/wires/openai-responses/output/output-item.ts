/** The items of a response's output. https://platform.openai.com/docs/api-reference/responses/object */
import { z } from "zod";
import { schemaOf } from "../../../http/description/response-schema.ts";
import { toUrlCitations, urlCitationFields, type UrlCitation } from "../../../http/openai/url-citation.ts";
import type { SourceData } from "../../../turn/turn-event.ts";

/** Whether an item is whole, still to be written, or cut off. */
export type ItemStatus = "in_progress" | "completed" | "incomplete";

/** How the output of a response ends; `waiting`: its turn goes on in another response. */
export type OutputEnding = "completed" | "incomplete" | "waiting" | "cancelled" | "failed";

/** A citation in a text. */
export interface TextAnnotation extends UrlCitation {
  readonly type: "url_citation";
}

/** A text of a message. */
export interface OutputText {
  readonly type: "output_text";
  readonly text: string;
  readonly annotations: readonly TextAnnotation[];
  readonly logprobs: readonly never[];
}

/** A piece of the answer. */
export interface MessageItem {
  readonly id: string;
  readonly type: "message";
  readonly role: "assistant";
  readonly status: ItemStatus;
  readonly content: readonly OutputText[];
}

/** A text of a plan. */
export interface SummaryText {
  readonly type: "summary_text";
  readonly text: string;
}

/** A piece of the plan. */
export interface ReasoningItem {
  readonly id: string;
  readonly type: "reasoning";
  readonly summary: readonly SummaryText[];
  readonly status: ItemStatus;
}

/** A call of a tool that the client runs. */
export interface FunctionCallItem {
  readonly id: string;
  readonly type: "function_call";
  readonly call_id: string;
  readonly name: string;
  /** As the model wrote them: JSON, unless the model made a mistake. */
  readonly arguments: string;
  readonly status: ItemStatus;
}

/** A call of a tool that this server ran, with its result. */
export interface McpCallItem {
  readonly id: string;
  readonly type: "mcp_call";
  /** The request for approval that allowed it; `null` if it needed none. */
  readonly approval_request_id: string | null;
  readonly server_label: string;
  readonly name: string;
  readonly arguments: string;
  readonly output: string | null;
  readonly error: string | null;
  readonly status: ItemStatus | "failed";
}

/** A call that its user has to approve. */
export interface McpApprovalItem {
  readonly id: string;
  readonly type: "mcp_approval_request";
  readonly server_label: string;
  readonly name: string;
  readonly arguments: string;
}

/** An item. */
export type OutputItem = MessageItem | ReasoningItem | FunctionCallItem | McpCallItem | McpApprovalItem;

const Status = z.enum(["in_progress", "completed", "incomplete"]);
const Arguments = z.string().describe("As the model wrote them: JSON, unless the model made a mistake.");

/** The schema of {@link TextAnnotation}. */
export const TextAnnotationSchema = schemaOf<TextAnnotation>()("ResponseAnnotation", () =>
  z.object({ type: z.literal("url_citation"), ...urlCitationFields }),
);

/** The schema of {@link OutputText}. */
export const OutputTextSchema = schemaOf<OutputText>()("ResponseOutputText", () =>
  z.object({
    type: z.literal("output_text"),
    text: z.string(),
    annotations: z.array(TextAnnotationSchema()),
    logprobs: z.array(z.never()),
  }),
);

/** The schema of {@link SummaryText}. */
export const SummaryTextSchema = schemaOf<SummaryText>()("ResponseSummaryText", () =>
  z.object({ type: z.literal("summary_text"), text: z.string() }),
);

/** The schema of {@link OutputItem}. */
export const OutputItemSchema = schemaOf<OutputItem>()("ResponseOutputItem", () =>
  z.discriminatedUnion("type", [
    z.object({
      id: z.string().describe("`msg_` and the turn's id; later messages with their number."),
      type: z.literal("message"),
      role: z.literal("assistant"),
      status: Status,
      content: z.array(OutputTextSchema()),
    }),
    z.object({
      id: z.string().describe("`rs_` and the turn's id."),
      type: z.literal("reasoning"),
      summary: z.array(SummaryTextSchema()).describe("The plan."),
      status: Status,
    }),
    z.object({
      id: z.string(),
      type: z.literal("function_call"),
      call_id: z.string(),
      name: z.string(),
      arguments: Arguments,
      status: Status,
    }),
    z.object({
      id: z.string(),
      type: z.literal("mcp_call"),
      approval_request_id: z.string().nullable().describe("Null if the call needed no approval."),
      server_label: z.string().describe("The name of the tool's server."),
      name: z.string(),
      arguments: Arguments,
      output: z.string().nullable(),
      error: z.string().nullable().describe("Why there is no output."),
      status: z.enum(["in_progress", "completed", "incomplete", "failed"]),
    }),
    z.object({
      id: z.string(),
      type: z.literal("mcp_approval_request"),
      server_label: z.string(),
      name: z.string(),
      arguments: Arguments,
    }),
  ]),
);

/** Returns a whole text, with its citations of `sources`. */
export function toOutputText(text: string, sources: readonly SourceData[]): OutputText {
  const annotations = toUrlCitations(text, sources).map(
    (citation) => ({ type: "url_citation", ...citation }) as const,
  );
  return { type: "output_text", text, annotations, logprobs: [] };
}
