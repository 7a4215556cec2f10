/** The chunks of the AI SDK's UI message stream, version 1, and their schema. */
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import {
  finishReasons,
  outcomes,
  type FinishReason,
  type ModelAttempt,
  type Outcome,
  type SentContext,
  type SourceData,
  type Storage,
  type Usage,
} from "../../turn/turn-event.ts";
import { searchFields, type SearchJson } from "../../http/items/source-states.ts";
import { Code, Count, Id, schemaOf, Time } from "../../http/description/response-schema.ts";
import { attemptFields, endFields, type Timings } from "../../http/turns/turn-state.ts";

/** A call that waits for its user's approval. */
interface UiApproval {
  readonly approvalId: string;
  readonly toolCallId: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

/** The start of a turn, in the metadata of its message. */
export interface UiStartMetadata {
  readonly turnId: string;
  readonly conversationId: string | null;
  readonly model: string | null;
  readonly startedAt: string;
}

/** The end of a turn, or its wait for its user, in the metadata of its message. */
export interface UiEndMetadata {
  /** `null` while the turn waits. */
  readonly outcome: Outcome | null;
  readonly finishReason: FinishReason | null;
  readonly usage: Usage | null;
  readonly model?: string;
  readonly attempts?: readonly ModelAttempt[];
  readonly context?: SentContext;
  readonly timings: Timings;
  readonly storage: Storage;
  /** The calls that wait for approval; absent if no call of the turn ever did. */
  readonly approvals?: readonly UiApproval[];
}

/** Set for a tool of the server: the client must not run it, and need not know it. */
export interface UiToolFlags {
  readonly providerExecuted?: true;
  readonly dynamic?: true;
}

interface UiToolCall extends UiToolFlags {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly title?: string;
}

/** A chunk about a tool call. */
export type UiToolChunk =
  | (UiToolCall & { readonly type: "tool-input-start" })
  | { readonly type: "tool-input-delta"; readonly toolCallId: string; readonly inputTextDelta: string }
  | (UiToolCall & { readonly type: "tool-input-available"; readonly input: unknown })
  | (UiToolCall & {
      readonly type: "tool-input-error";
      readonly input: unknown;
      readonly errorText: string;
    })
  | { readonly type: "tool-approval-request"; readonly approvalId: string; readonly toolCallId: string }
  | {
      readonly type: "tool-approval-response";
      readonly approvalId: string;
      readonly approved: boolean;
      readonly reason?: string;
    }
  | (UiToolFlags & {
      readonly type: "tool-output-available";
      readonly toolCallId: string;
      readonly output: unknown;
    })
  | (UiToolFlags & {
      readonly type: "tool-output-error";
      readonly toolCallId: string;
      readonly errorText: string;
    })
  | { readonly type: "tool-output-denied"; readonly toolCallId: string };

/** What Foreword knows of a source beyond the AI SDK's own fields. */
interface UiSourceMetadata {
  readonly foreword: {
    readonly number: number;
    readonly documentId: string | null;
    readonly page: number | null;
    readonly heading: string | null;
    readonly quote: string;
  };
}

/** A source that the model was given: a chunk, and the part of a message. */
export type UiSource = {
  readonly sourceId: string;
  readonly title: string;
  readonly providerMetadata: UiSourceMetadata;
} & (
  | { readonly type: "source-url"; readonly url: string }
  | { readonly type: "source-document"; readonly mediaType: string }
);

/** Returns a source as the AI SDK has it: a page on the web by its address, a document by its title. */
export function toUiSource(source: SourceData): UiSource {
  const { sourceId, title, url, number, documentId = null, page = null, heading = null, quote } = source;
  const providerMetadata = { foreword: { number, documentId, page, heading, quote } };
  return url === undefined
    ? { type: "source-document", sourceId, mediaType: "text/plain", title, providerMetadata }
    : { type: "source-url", sourceId, url, title, providerMetadata };
}

/** The schemas of a {@link UiSource}. */
export function toSourceSchemas() {
  const fields = {
    sourceId: z.string(),
    title: z.string(),
    providerMetadata: z.object({
      foreword: z.object({
        number: Count.describe("The number by which the answer cites it: `[1]`."),
        documentId: Id.nullable(),
        page: Count.nullable(),
        heading: z.string().nullable(),
        quote: z.string().describe("The beginning of its text."),
      }),
    }),
  };
  return [
    z.object({ type: z.literal("source-url"), url: z.string(), ...fields }),
    z.object({ type: z.literal("source-document"), mediaType: z.string(), ...fields }),
  ] as const;
}

/** A chunk of the stream. The AI SDK refuses unknown types. */
export type UiMessageChunk =
  | {
      readonly type: "start";
      readonly messageId: string;
      readonly messageMetadata: UiStartMetadata;
    }
  | { readonly type: "start-step" | "finish-step" }
  | {
      readonly type: "data-plan";
      readonly id: "plan";
      readonly data: { readonly text: string; readonly state: "streaming" | "done" };
    }
  | {
      readonly type: "data-search";
      readonly data: SearchJson;
      readonly transient: true;
    }
  | {
      readonly type: "data-title";
      readonly data: { readonly title: string };
      readonly transient: true;
    }
  | {
      readonly type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end";
      readonly id: string;
    }
  | { readonly type: "text-delta" | "reasoning-delta"; readonly id: string; readonly delta: string }
  | UiToolChunk
  | UiSource
  | {
      readonly type: "finish";
      readonly finishReason: FinishReason | "interrupted";
      readonly messageMetadata: UiEndMetadata;
    }
  | {
      readonly type: "message-metadata";
      readonly messageMetadata: UiEndMetadata & { readonly errorCode: ErrorCode };
    }
  | { readonly type: "error"; readonly errorText: string };

function toToolSchemas() {
  const flags = {
    providerExecuted: z.literal(true).exactOptional().describe("Set if this server runs the tool."),
    dynamic: z.literal(true).exactOptional().describe("Set if this server runs the tool."),
  };
  const toolCallId = z.string();
  const call = { toolCallId, toolName: z.string(), title: z.string().exactOptional(), ...flags };
  const approvalId = z.string();
  return [
    z.object({ type: z.literal("tool-input-start"), ...call }),
    z.object({ type: z.literal("tool-input-delta"), toolCallId, inputTextDelta: z.string() }),
    z.object({ type: z.literal("tool-input-available"), ...call, input: z.unknown() }),
    z.object({ type: z.literal("tool-input-error"), ...call, input: z.unknown(), errorText: z.string() }),
    z.object({ type: z.literal("tool-approval-request"), approvalId, toolCallId }),
    z.object({
      type: z.literal("tool-approval-response"),
      approvalId,
      approved: z.boolean(),
      reason: z.string().exactOptional(),
    }),
    z.object({ type: z.literal("tool-output-available"), toolCallId, output: z.unknown(), ...flags }),
    z.object({ type: z.literal("tool-output-error"), toolCallId, errorText: z.string(), ...flags }),
    z.object({ type: z.literal("tool-output-denied"), toolCallId }),
  ] as const;
}

/** Returns the schemas of the metadata at a turn's start and at its end. */
export function toMetadataSchemas() {
  return {
    start: { turnId: Id, conversationId: Id.nullable(), model: z.string().nullable(), startedAt: Time },
    end: {
      outcome: z.enum(outcomes).nullable().describe("Null while the turn waits for its user."),
      model: z.string().exactOptional(),
      ...attemptFields,
      approvals: z
        .array(z.object({ approvalId: z.string(), toolCallId: z.string(), expiresAt: Time }))
        .exactOptional()
        .describe("The calls that wait for approval; absent if no call of the turn ever did."),
      ...endFields,
    },
  };
}

/** The schema of {@link UiMessageChunk}. */
export const UiMessageChunkSchema = schemaOf<UiMessageChunk>()("UiMessageChunk", () => {
  const { start, end } = toMetadataSchemas();
  return z.union([
    z.object({
      type: z.literal("start"),
      messageId: z.string().describe("The turn's id, or that of the message that the turn continues."),
      messageMetadata: z.object(start),
    }),
    z.object({ type: z.enum(["start-step", "finish-step"]) }),
    z.object({
      type: z.literal("data-plan"),
      id: z.literal("plan"),
      data: z.object({
        text: z.string().describe("The plan so far."),
        state: z.enum(["streaming", "done"]),
      }),
    }),
    z.object({
      type: z.literal("data-search"),
      data: z.object(searchFields),
      transient: z.literal(true),
    }),
    z.object({
      type: z.literal("data-title"),
      data: z.object({ title: z.string().describe("The conversation's title by a model.") }),
      transient: z.literal(true),
    }),
    z.object({
      type: z.enum(["text-start", "text-end", "reasoning-start", "reasoning-end"]),
      id: z.string(),
    }),
    z.object({ type: z.enum(["text-delta", "reasoning-delta"]), id: z.string(), delta: z.string() }),
    ...toToolSchemas(),
    ...toSourceSchemas(),
    z.object({
      type: z.literal("finish"),
      finishReason: z.enum([...finishReasons, "interrupted"]),
      messageMetadata: z.object(end),
    }),
    z.object({
      type: z.literal("message-metadata"),
      messageMetadata: z.object({ ...end, errorCode: Code }),
    }),
    z.object({ type: z.literal("error"), errorText: z.string() }),
  ]);
});
