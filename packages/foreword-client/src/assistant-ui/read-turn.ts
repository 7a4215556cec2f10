/** Reads a turn as the results of a run of assistant-ui's local runtime. */
import type { ChatModelAdapter, ThreadMessage } from "@assistant-ui/react";
import type { StreamEvent, Turn } from "../client.ts";
import { abortable } from "../abortable.ts";
import { MessageParts } from "./message-parts.ts";
import { toMetadata, type TurnMark } from "./turn-mark.ts";

/** A result of a run. */
export type RunResult = Awaited<Exclude<ReturnType<ChatModelAdapter["run"]>, AsyncGenerator>>;
type Status = NonNullable<RunResult["status"]>;
type TurnError = Extract<StreamEvent, { readonly type: "turn-error" }>;
type TurnEnd = Extract<StreamEvent, { readonly type: "turn-end" }>;

/**
 * Yields the reply after each of its events, with its status at the end. When the user cancels the run, the
 * turn is stopped; when the thread is only left, it continues, to be resumed.
 * @param earlier the message so far, if the turn goes on with it.
 */
export async function* readTurn(
  turn: Turn,
  signal: AbortSignal,
  earlier?: ThreadMessage,
): AsyncGenerator<RunResult, void, undefined> {
  const parts = new MessageParts(earlier?.role === "assistant" ? earlier.content : []);
  const events = turn[Symbol.asyncIterator]();
  let mark: TurnMark = { turnId: turn.id, position: 0, ordinal: 0, openCalls: [] };
  let error: TurnError | undefined;
  try {
    for (let next = await abortable(events.next(), signal); next.done !== true;) {
      const event = next.value;
      mark = toNextMark(mark, event, turn.id);
      if (event.type === "turn-error") error = event;
      const status = toStatus(event, error);
      if (parts.take(event) || status !== undefined) {
        const result = { content: parts.toContent(), metadata: toMetadata(mark) };
        yield status === undefined ? result : { ...result, status };
      }
      next = await abortable(events.next(), signal);
    }
  } finally {
    if (signal.aborted && !isLeft(signal)) void turn.stop().catch(() => {});
    void events.return?.();
  }
}

/** Whether a run was aborted because its thread is shown no longer; assistant-ui's errors say so. */
function isLeft({ reason }: AbortSignal): boolean {
  return typeof reason === "object" && reason !== null && "detach" in reason && reason.detach === true;
}

function toNextMark(mark: TurnMark, event: StreamEvent, turnId: string): TurnMark {
  if (event.type === "turn-end" || !("position" in event)) return mark;
  const ordinal = "ordinal" in event ? event.ordinal : 0;
  const openCalls =
    event.type === "tool-call" && event.runsOn === "client"
      ? [...mark.openCalls, event.callId]
      : mark.openCalls;
  const isWaiting = event.type === "turn-waiting";
  return isWaiting ? mark : { turnId, position: event.position, ordinal, openCalls };
}

/** Returns the status of a message after `event`; `undefined` while the turn runs. */
function toStatus(event: StreamEvent, error: TurnError | undefined): Status | undefined {
  if (event.type === "turn-waiting") return { type: "requires-action", reason: "tool-calls" };
  return event.type === "turn-end" ? toEnd(event, error) : undefined;
}

function toEnd({ outcome, finishReason }: TurnEnd, error: TurnError | undefined): Status {
  if (outcome === "stopped") return { type: "incomplete", reason: "cancelled" };
  if (outcome !== "complete")
    return { type: "incomplete", reason: "error", error: error?.message ?? outcome };
  switch (finishReason) {
    case "tool-calls":
      return { type: "requires-action", reason: "tool-calls" };
    case "length":
    case "content-filter":
      return { type: "incomplete", reason: finishReason };
    case "stop":
      return { type: "complete", reason: "stop" };
    case "other":
    case null:
      return { type: "complete", reason: "unknown" };
  }
}
