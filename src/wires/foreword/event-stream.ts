/** Owns the typed wire: a turn's events by their own names, as server-sent events. */
import { errorTable, type ErrorCode } from "../../base/errors.ts";
import type { FinishReason, Outcome, Storage, TurnEnd, TurnEvent, Usage } from "../../turn/turn-event.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../http/stream-wire.ts";

/** How long a client waits before it connects again, in milliseconds. */
const retryMs = 1_000;

/** An event as it travels: the data of a server-sent event of the same name. Contract: docs/protocol.md. */
export type StreamEvent =
  | {
      readonly type: "turn-start";
      readonly turnId: string;
      /** `null` where the store has not said in time which stored conversation the turn continues. */
      readonly conversationId: string | null;
      readonly model: string | null;
      /** ISO 8601. */
      readonly startedAt: string;
      /** From where the events that follow go on. */
      readonly position: number;
    }
  | { readonly type: "plan-delta" | "answer-delta"; readonly text: string; readonly position: number }
  | { readonly type: "plan-end"; readonly position: number }
  | { readonly type: "reasoning-delta"; readonly text: string }
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
      readonly timings: Timings;
      readonly storage: Storage;
    };

/** How long a turn took, in milliseconds: in all, and to the model's first text. `null` where nobody knows. */
export interface Timings {
  readonly durationMs: number | null;
  readonly firstTextMs: number | null;
}

/** Returns how long a turn took, as far as it is over. */
export function toTimings(end: TurnEnd | undefined): Timings {
  return { durationMs: end?.durationMs ?? null, firstTextMs: end?.firstTextMs ?? null };
}

/** Every event with its position as its id; resumed at any event. */
export const eventStream: StreamWire = {
  headers: { "content-type": "text/event-stream; charset=utf-8" },
  commitsAt: "turn-start",
  heartbeat: sseHeartbeat,
  cutsOff: false,
  project: (position): Projection => ({
    toChunk: (event) =>
      (event.type === "turn-start" ? `retry: ${retryMs}\n\n` : "") +
      toStreamEvents(event, position).map(toFrame).join(""),
  }),
};

/** Returns what `event` is to a client that began at `position`. */
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
      return [{ type: event.type, text: event.text }];
    case "turn-end": {
      const { type, outcome, finishReason = null, usage = null, model = null, storage } = event;
      const timings = toTimings(event);
      const end = { type, outcome, position: event.position, finishReason, usage, model, timings, storage };
      return event.error === undefined ? [end] : [toErrorEvent(event.error), end];
    }
  }
}

function toErrorEvent(error: {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
}): StreamEvent {
  const { publicMessage: message, retryable } = errorTable[error.code];
  return {
    type: "turn-error",
    code: error.code,
    message,
    retryable,
    retryAfterMs: error.retryAfterMs ?? null,
  };
}

/** What has no position has no id either: whoever resumes after it does so at the one before. */
function toFrame(event: StreamEvent): string {
  const mark = event.type === "turn-end" ? ".end" : "";
  const id = "position" in event ? `id: ${event.position}${mark}\n` : "";
  return `event: ${event.type}\n${id}data: ${JSON.stringify(event)}\n\n`;
}
