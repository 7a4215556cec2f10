/** The typed stream: the events of a turn under their own names, as server-sent events. */
import { z } from "zod";
import { errorTable } from "../../base/error-table.ts";
import { toErrorMessage, type ErrorCode } from "../../base/errors.ts";
import {
  outcomes,
  type FinishReason,
  type ModelAttempt,
  type Outcome,
  type PendingApproval,
  type SentContext,
  type Storage,
  type TurnError,
  type TurnEvent,
  type Usage,
} from "../../turn/turn-event.ts";
import { streamItems, toStreamItem, type StreamItem } from "./items.ts";
import { Code, Id, Milliseconds, schemaOf, Time } from "../../http/description/response-schema.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../http/turns/stream-wire.ts";
import { approvalFields, Position } from "../../http/items/tool-states.ts";
import { attemptFields, endFields, toTimings, type Timings } from "../../http/turns/turn-state.ts";

/** How long an `EventSource` waits before it reconnects, in milliseconds. */
const retryMs = 1_000;
/** The same while the turn waits for its user: it reconnects until the turn goes on. */
const waitingRetryMs = 5_000;

/** The data of a server-sent event, whose name is its `type`. Contract: docs/protocol.md. */
export type StreamEvent =
  | {
      readonly type: "turn-start";
      readonly turnId: string;
      /** `null` if the database did not say in time which stored conversation the turn continues. */
      readonly conversationId: string | null;
      readonly model: string | null;
      /** ISO 8601. */
      readonly startedAt: string;
      /** The position at which the following events start. */
      readonly position: number;
    }
  | { readonly type: "plan-delta" | "answer-delta"; readonly text: string; readonly position: number }
  | { readonly type: "plan-end"; readonly position: number }
  | StreamItem
  | {
      readonly type: "turn-waiting";
      readonly position: number;
      readonly approvals: readonly PendingApproval[];
      readonly storage: Storage;
    }
  | {
      readonly type: "turn-error";
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryable: boolean;
      readonly retryAfterMs: number | null;
    }
  | {
      readonly type: "turn-end";
      readonly outcome: Outcome;
      readonly position: number;
      readonly finishReason: FinishReason | null;
      readonly usage: Usage | null;
      readonly model: string | null;
      readonly attempts?: readonly ModelAttempt[];
      readonly context?: SentContext;
      readonly timings: Timings;
      readonly storage: Storage;
    };

/** The schema of {@link StreamEvent}. */
export const StreamEventSchema = schemaOf<StreamEvent>()("StreamEvent", () =>
  z.union([
    z.object({
      type: z.literal("turn-start"),
      turnId: Id,
      conversationId: Id.nullable(),
      model: z.string().nullable(),
      startedAt: Time,
      position: Position,
    }),
    z.object({ type: z.enum(["plan-delta", "answer-delta"]), text: z.string(), position: Position }),
    z.object({ type: z.literal("plan-end"), position: Position }),
    ...streamItems,
    z.object({
      type: z.literal("turn-waiting"),
      position: Position,
      approvals: z.array(z.object(approvalFields)),
      storage: endFields.storage,
    }),
    z.object({
      type: z.literal("turn-error"),
      code: Code,
      message: z.string(),
      retryable: z.boolean(),
      retryAfterMs: Milliseconds.nullable(),
    }),
    z.object({
      type: z.literal("turn-end"),
      outcome: z.enum(outcomes),
      position: Position,
      model: z.string().nullable(),
      ...attemptFields,
      ...endFields,
    }),
  ]),
);

/** The event after the end of a conversation's first turn, if a model makes its title. */
export interface TitleEvent {
  readonly type: "title";
  readonly conversationId: string | null;
  readonly title: string;
}

/** The schema of {@link TitleEvent}. */
export const TitleEventSchema = schemaOf<TitleEvent>()("TitleEvent", () =>
  z.object({ type: z.literal("title"), conversationId: Id.nullable(), title: z.string() }),
);

/** Events whose ids are their positions. A client can resume after any of them. */
export const eventStream: StreamWire = {
  headers: { "content-type": "text/event-stream; charset=utf-8" },
  commitsAt: "turn-start",
  heartbeat: sseHeartbeat,
  cutsOff: false,
  title: {
    toClosing: () => "",
    toChunk: (title, conversationId) => toTitleFrame(title, conversationId ?? null),
  },
  project: (position): Projection => ({
    toChunk: (event) => toRetry(event) + toStreamEvents(event, position).map(toFrame).join(""),
  }),
};

/** It has no id: a client that resumes after the end does without. */
function toTitleFrame(title: string, conversationId: string | null): string {
  const event: TitleEvent = { type: "title", conversationId, title };
  return `event: title\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Returns how long an `EventSource` waits after the end of a stream whose last such event is `event`. */
function toRetry({ type }: TurnEvent): string {
  if (type === "turn-start") return `retry: ${retryMs}\n\n`;
  return type === "turn-waiting" ? `retry: ${waitingRetryMs}\n\n` : "";
}

/** Returns `event` for a client that started at `position`. */
function toStreamEvents(event: TurnEvent, position: number): readonly StreamEvent[] {
  switch (event.type) {
    case "turn-start": {
      const { type, turnId, conversationId = null, model = null, startedAt } = event;
      return [{ type, turnId, conversationId, model, startedAt: startedAt.toISOString(), position }];
    }
    case "plan-delta":
    case "plan-end":
    case "answer-delta":
      return [event];
    case "reasoning-delta":
    case "tool-call-start":
    case "tool-call-delta":
    case "tool-call":
    case "tool-result":
    case "approval-request":
    case "approval-response":
    case "search":
    case "source":
      return [toStreamItem(event)];
    case "turn-waiting": {
      const { type, position: end, approvals, storage } = event;
      return [{ type, position: end, approvals, storage }];
    }
    case "turn-end": {
      const { type, outcome, finishReason = null, usage = null, model = null, storage } = event;
      const timings = toTimings(event);
      const attempts = event.attempts === undefined ? undefined : { attempts: event.attempts };
      const context = event.context === undefined ? undefined : { context: event.context };
      const reply = { finishReason, usage, model, ...attempts, ...context, timings, storage };
      const end = { type, outcome, position: event.position, ...reply };
      return event.error === undefined ? [end] : [toErrorEvent(event.error), end];
    }
  }
}

function toErrorEvent(error: TurnError): StreamEvent {
  return {
    type: "turn-error",
    code: error.code,
    message: toErrorMessage(error.code, error.detail),
    retryable: errorTable[error.code].retryable,
    retryAfterMs: error.retryAfterMs ?? null,
  };
}

/** Events without an id can come again: a client resumes after the last event that has one. */
function toFrame(event: StreamEvent): string {
  const id = toId(event);
  return `event: ${event.type}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(event)}\n\n`;
}

function toId(event: StreamEvent): string | undefined {
  if (event.type === "turn-error" || event.type === "turn-waiting") return undefined;
  if (event.type === "turn-end") return `${event.position}.end`;
  return "ordinal" in event ? `${event.position}.${event.ordinal}` : `${event.position}`;
}
