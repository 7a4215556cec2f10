/** The events of AG-UI that this wire sends, and their schema. https://docs.ag-ui.com/spec/1.0 */
import { z } from "zod";
import type { ErrorCode } from "../../../base/errors.ts";
import { Code, Count, Id, schemaOf, Time } from "../../../http/description/response-schema.ts";
import {
  searchFields,
  sourceFields,
  type SearchJson,
  type SourceJson,
} from "../../../http/items/source-states.ts";
import { attemptFields, endFields, type Timings } from "../../../http/turns/turn-state.ts";
import {
  finishReasons,
  outcomes,
  type FinishReason,
  type ModelAttempt,
  type Outcome,
  type SentContext,
  type Storage,
} from "../../../turn/turn-event.ts";

/** A call that waits for its user's approval. `metadata` is how TanStack AI knows that it may answer. */
export interface AgUiInterrupt {
  /** The approval's id. */
  readonly id: string;
  readonly reason: "approval_required";
  /** The question for the user. */
  readonly message: string;
  readonly toolCallId: string;
  /** JSON Schema of the answer's `payload`. */
  readonly responseSchema: Readonly<Record<string, unknown>>;
  /** ISO 8601; the call is denied then. */
  readonly expiresAt: string;
  readonly metadata: { readonly kind: "approval"; readonly toolName: string; readonly input: unknown };
}

/** The tokens of a run. */
export interface AgUiUsage {
  readonly model?: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
  readonly reasoningTokens?: number;
  readonly cachedInputTokens?: number;
}

/** How a run ended, in words that version 0 lacks. */
type AgUiOutcome =
  | { readonly type: "success"; readonly pendingToolCallIds: readonly string[] }
  | { readonly type: "interrupt"; readonly interrupts: readonly AgUiInterrupt[] }
  | { readonly type: "cancelled" };

/** The turn of a run, at its end. */
export interface AgUiResult {
  readonly turnId: string;
  readonly conversationId: string | null;
  /** `null` while the turn waits for its user. */
  readonly outcome: Outcome | null;
  readonly finishReason: FinishReason | null;
  readonly attempts?: readonly ModelAttempt[];
  readonly context?: SentContext;
  readonly timings: Timings;
  readonly storage: Storage;
}

/** The delta of a message. */
export interface AgUiDelta {
  readonly type: "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT";
  readonly messageId: string;
  readonly delta: string;
}

/** An event. Clients refuse `null` in optional fields, and version 0 refuses unknown types and outcomes. */
export type AgUiEvent =
  | { readonly type: "RUN_STARTED"; readonly threadId: string; readonly runId: string }
  | {
      readonly type: "REASONING_START" | "REASONING_MESSAGE_END" | "REASONING_END" | "TEXT_MESSAGE_END";
      readonly messageId: string;
    }
  | { readonly type: "REASONING_MESSAGE_START"; readonly messageId: string; readonly role: "reasoning" }
  | { readonly type: "TEXT_MESSAGE_START"; readonly messageId: string; readonly role: "assistant" }
  | AgUiDelta
  | {
      readonly type: "TOOL_CALL_START";
      readonly toolCallId: string;
      readonly toolCallName: string;
      readonly parentMessageId: string;
    }
  | { readonly type: "TOOL_CALL_ARGS"; readonly toolCallId: string; readonly delta: string }
  | { readonly type: "TOOL_CALL_END"; readonly toolCallId: string }
  | {
      readonly type: "TOOL_CALL_RESULT";
      readonly messageId: string;
      readonly toolCallId: string;
      readonly content: string;
      readonly role: "tool";
      readonly metadata?: { readonly tanstack: { readonly state: "output-error" } };
    }
  | {
      readonly type: "CUSTOM";
      readonly name: "tool-input-available";
      readonly value: { readonly toolCallId: string; readonly toolName: string; readonly input: unknown };
    }
  | { readonly type: "CUSTOM"; readonly name: "search"; readonly value: SearchJson }
  | { readonly type: "CUSTOM"; readonly name: "source"; readonly value: SourceJson }
  | {
      readonly type: "CUSTOM";
      readonly name: "title";
      readonly value: { readonly title: string; readonly conversationId: string | null };
    }
  | {
      readonly type: "RUN_FINISHED";
      readonly threadId: string;
      readonly runId: string;
      readonly result: AgUiResult;
      readonly outcome?: AgUiOutcome;
      readonly usage?: readonly AgUiUsage[];
    }
  | {
      readonly type: "RUN_ERROR";
      readonly message: string;
      readonly code: ErrorCode;
      readonly usage?: readonly AgUiUsage[];
    };

const callId = z.string().describe("Of a tool that this server runs, it starts with `server:`.");

/** Returns the schemas of events about tools. */
function toToolSchemas() {
  return [
    z.object({
      type: z.literal("TOOL_CALL_START"),
      toolCallId: callId,
      toolCallName: z.string(),
      parentMessageId: z.string(),
    }),
    z.object({
      type: z.literal("TOOL_CALL_ARGS"),
      toolCallId: callId,
      delta: z.string().describe("All arguments: JSON, unless the model made a mistake."),
    }),
    z.object({ type: z.literal("TOOL_CALL_END"), toolCallId: callId }),
    z.object({
      type: z.literal("TOOL_CALL_RESULT"),
      messageId: z.string(),
      toolCallId: callId,
      content: z.string().describe("The output: text, or JSON. A sentence if the call was not complete."),
      role: z.literal("tool"),
      metadata: z
        .object({ tanstack: z.object({ state: z.literal("output-error") }) })
        .exactOptional()
        .describe("Set if the call was not complete."),
    }),
    z.object({
      type: z.literal("CUSTOM"),
      name: z.literal("tool-input-available"),
      value: z
        .object({ toolCallId: callId, toolName: z.string(), input: z.unknown() })
        .describe("A call that the client has to run, as TanStack AI reads it."),
    }),
  ] as const;
}

/** The schema of {@link AgUiInterrupt}. */
export const InterruptSchema = schemaOf<AgUiInterrupt>()("AgUiInterrupt", () =>
  z.object({
    id: z.string().describe("The approval's id."),
    reason: z.literal("approval_required"),
    message: z.string(),
    toolCallId: callId,
    responseSchema: z.record(z.string(), z.unknown()).describe("JSON Schema of the answer's `payload`."),
    expiresAt: Time.describe("When the call is denied instead."),
    metadata: z.object({ kind: z.literal("approval"), toolName: z.string(), input: z.unknown() }),
  }),
);

const usage = z
  .array(
    z.object({
      model: z.string().exactOptional(),
      inputTokens: Count,
      outputTokens: Count,
      totalTokens: Count,
      reasoningTokens: Count.exactOptional(),
      cachedInputTokens: Count.exactOptional(),
    }),
  )
  .exactOptional();

/** The schema of {@link AgUiEvent}. */
export const AgUiEventSchema = schemaOf<AgUiEvent>()("AgUiEvent", () => {
  const messageId = z.string();
  return z.union([
    z.object({ type: z.literal("RUN_STARTED"), threadId: z.string(), runId: z.string() }),
    z.object({
      type: z.enum(["REASONING_START", "REASONING_MESSAGE_END", "REASONING_END", "TEXT_MESSAGE_END"]),
      messageId,
    }),
    z.object({
      type: z.literal("REASONING_MESSAGE_START"),
      messageId: z.string().describe("The turn's id, and `-plan` or `-reasoning-1`."),
      role: z.literal("reasoning"),
    }),
    z.object({
      type: z.literal("TEXT_MESSAGE_START"),
      messageId: z.string().describe("The turn's id; for later steps with `-2` and so on."),
      role: z.literal("assistant"),
    }),
    z.object({
      type: z.enum(["TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT"]),
      messageId,
      delta: z.string(),
    }),
    ...toToolSchemas(),
    z.object({ type: z.literal("CUSTOM"), name: z.literal("search"), value: z.object(searchFields) }),
    z.object({ type: z.literal("CUSTOM"), name: z.literal("source"), value: z.object(sourceFields) }),
    z.object({
      type: z.literal("CUSTOM"),
      name: z.literal("title"),
      value: z.object({
        title: z.string().describe("The conversation's title by a model."),
        conversationId: Id.nullable(),
      }),
    }),
    z.object({
      type: z.literal("RUN_FINISHED"),
      threadId: z.string(),
      runId: z.string(),
      result: z.object({
        turnId: Id,
        conversationId: Id.nullable(),
        outcome: z.enum(outcomes).nullable().describe("Null while the turn waits for its user."),
        finishReason: z.enum(finishReasons).nullable(),
        ...attemptFields,
        timings: endFields.timings,
        storage: endFields.storage,
      }),
      outcome: z
        .union([
          z.object({ type: z.literal("success"), pendingToolCallIds: z.array(callId) }),
          z.object({ type: z.literal("interrupt"), interrupts: z.array(InterruptSchema()).min(1) }),
          z.object({ type: z.literal("cancelled") }),
        ])
        .exactOptional()
        .describe("`success` and `cancelled` only if the request says `protocolVersion` 1.0 or later."),
      usage,
    }),
    z.object({ type: z.literal("RUN_ERROR"), message: z.string(), code: Code, usage }),
  ]);
});
