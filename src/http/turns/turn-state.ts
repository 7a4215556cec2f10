/** A turn as one JSON object: running, or with its end. */
import { z } from "zod";
import { toErrorMessage, type ErrorCode } from "../../base/errors.ts";
import type { CallReport } from "../../turn/ports.ts";
import { toBody } from "../../turn/body.ts";
import {
  finishReasons,
  outcomes,
  storages,
  turnStatuses,
  type FinishReason,
  type ModelAttempt,
  type Outcome,
  type PendingApproval,
  type SavedItem,
  type SentContext,
  type Storage,
  type TurnEnd,
  type TurnStart,
  type TurnStatus,
  type TurnWaiting,
  type Usage,
} from "../../turn/turn-event.ts";
import { Position, toolFields, toToolFields, type ToolState } from "../items/tool-states.ts";
import { sourceStateFields, toSourceStates, type SourceStates } from "../items/source-states.ts";
import { Code, Count, Id, Milliseconds, schemaOf, Time } from "../description/response-schema.ts";

/** The durations of a turn in milliseconds, in all and to the model's first text; `null` if unknown. */
export interface Timings {
  readonly durationMs: number | null;
  readonly firstTextMs: number | null;
}

/** Returns the durations of a turn, as far as it has ended. */
export function toTimings(end: TurnEnd | undefined): Timings {
  return { durationMs: end?.durationMs ?? null, firstTextMs: end?.firstTextMs ?? null };
}

/** The current state of a turn. Contract: docs/protocol.md. */
export interface TurnState extends SourceStates {
  readonly id: string;
  readonly conversationId: string | null;
  readonly status: TurnStatus;
  /** The status of a turn that has ended; `null` while it runs or waits. */
  readonly outcome: Outcome | null;
  readonly plan: string;
  /** `null` before the boundary. */
  readonly answer: string | null;
  readonly position: number;
  /** The tool calls of this turn, in their order. */
  readonly tools: readonly ToolState[];
  /** The calls that wait for approval. */
  readonly approvals: readonly PendingApproval[];
  readonly finishReason: FinishReason | null;
  readonly usage: Usage | null;
  /** The model that replies, or replied; that of the request until it is known. */
  readonly model: string | null;
  /** The models that failed before it, in this order; absent if there are none. */
  readonly attempts?: readonly ModelAttempt[];
  /** How much of the chat it was sent; absent if all. */
  readonly context?: SentContext;
  /** ISO 8601; `null` before the turn has begun. */
  readonly startedAt: string | null;
  readonly timings: Timings;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  /** `null` while it runs. */
  readonly storage: Storage | null;
}

/** The fields of every ended turn besides its outcome, as schemas. */
export const endFields = {
  finishReason: z.enum(finishReasons).nullable(),
  usage: z
    .object({
      inputTokens: Count,
      outputTokens: Count,
      reasoningTokens: Count.exactOptional(),
      cachedInputTokens: Count.exactOptional(),
      toolCalls: Count.exactOptional().describe("Calls of tools that the server ran."),
      toolCost: z.number().exactOptional().describe("The cost of these calls."),
    })
    .nullable()
    .describe("Tokens of all the turn's model calls, as counted by the model."),
  timings: z.object({ durationMs: Milliseconds.nullable(), firstTextMs: Milliseconds.nullable() }),
  storage: z.enum(storages),
};

/** How a reply came about, as fields that are absent if all was as usual. */
export const attemptFields = {
  attempts: z
    .array(z.object({ model: z.string(), errorCode: Code }))
    .exactOptional()
    .describe("The models that failed before the one that replied, in this order."),
  context: z
    .object({
      messagesLeftOut: Count.describe("The earliest messages that were left out."),
      imagesLeftOut: Count.describe("Images and files left out of the messages that were sent."),
      resultsLeftOut: Count.describe("The same of results of tool calls."),
      isSummarised: z
        .boolean()
        .exactOptional()
        .describe("True if it was sent a summary of messages that were left out."),
      isRetried: z.boolean().exactOptional().describe("True if its server had refused more of it."),
    })
    .exactOptional()
    .describe("How much of the chat the model was sent, if not all."),
};

/** The schema of {@link TurnState}. */
export const TurnStateSchema = schemaOf<TurnState>()("TurnState", () =>
  z.object({
    id: Id,
    conversationId: Id.nullable(),
    status: z.enum(turnStatuses),
    outcome: z.enum(outcomes).nullable().describe("Same as `status`, but null until the turn is over."),
    plan: z.string().describe("The text so far, exactly as sent."),
    answer: z.string().nullable().describe("The text so far, exactly as sent; null before the boundary."),
    position: Position,
    ...toolFields,
    ...sourceStateFields,
    ...endFields,
    model: z.string().nullable(),
    ...attemptFields,
    startedAt: Time.nullable(),
    error: z.object({ code: Code, message: z.string() }).nullable(),
    storage: endFields.storage.nullable().describe("Where the turn is stored; null while it runs."),
  }),
);

/** The parts of a turn that make its state. Without `live/`, since browser code type-checks this file. */
interface LoggedTurn {
  readonly id: string;
  readonly report?: CallReport | undefined;
  readonly log: {
    readonly start: TurnStart | undefined;
    readonly end: TurnEnd | undefined;
    readonly last: TurnEnd | TurnWaiting | undefined;
    textAfter(position: number): string;
    itemsAfter(): readonly SavedItem[];
  };
}

/** Returns the current state of a turn. */
export function toTurnState({ id, log, report }: LoggedTurn): TurnState {
  const { start, end, last } = log;
  const body = log.textAfter(0);
  const parts = toBody(body);
  const { model, attempts, context } = end ?? report ?? {};
  const items = log.itemsAfter();
  return {
    id,
    conversationId: start?.conversationId ?? null,
    status: end?.outcome ?? (last === undefined ? "running" : "waiting"),
    outcome: end?.outcome ?? null,
    plan: parts.plan,
    answer: parts.answer ?? null,
    position: Buffer.byteLength(body),
    ...toToolFields(items, parts, end !== undefined),
    ...toSourceStates(items, parts.answer),
    finishReason: end?.finishReason ?? null,
    usage: end?.usage ?? null,
    model: model ?? start?.model ?? null,
    ...(attempts !== undefined && { attempts }),
    ...(context !== undefined && { context }),
    startedAt: start?.startedAt.toISOString() ?? null,
    timings: toTimings(end),
    error:
      end?.error === undefined
        ? null
        : { code: end.error.code, message: toErrorMessage(end.error.code, end.error.detail) },
    storage: last?.storage ?? null,
  };
}
