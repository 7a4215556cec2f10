/** Owns a turn as one JSON object: the answer to who asks how it stands, or waits for its end. */
import { errorTable, type ErrorCode } from "../../base/errors.ts";
import { toBody } from "../../turn/body.ts";
import type {
  FinishReason,
  Outcome,
  Storage,
  TurnEnd,
  TurnStart,
  TurnStatus,
  Usage,
} from "../../turn/turn-event.ts";
import { toTimings, type Timings } from "./event-stream.ts";

/** A turn as it is now. Contract: docs/protocol.md. */
export interface TurnState {
  readonly id: string;
  readonly conversationId: string | null;
  readonly status: TurnStatus;
  /** As `status`, but `null` while it runs. */
  readonly outcome: Outcome | null;
  readonly plan: string;
  /** `null` before the boundary. */
  readonly answer: string | null;
  readonly position: number;
  readonly finishReason: FinishReason | null;
  readonly usage: Usage | null;
  readonly model: string | null;
  /** ISO 8601; `null` before the turn has begun. */
  readonly startedAt: string | null;
  readonly timings: Timings;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  /** `null` while it runs. */
  readonly storage: Storage | null;
}

/** Returns the turn `id`, of which `start`, `body` and `end` are known so far. */
export function toTurnState(
  id: string,
  start: TurnStart | undefined,
  body: string,
  end: TurnEnd | undefined,
): TurnState {
  const { plan, answer } = toBody(body);
  return {
    id,
    conversationId: start?.conversationId ?? null,
    status: end?.outcome ?? "running",
    outcome: end?.outcome ?? null,
    plan,
    answer: answer ?? null,
    position: Buffer.byteLength(body),
    finishReason: end?.finishReason ?? null,
    usage: end?.usage ?? null,
    model: end?.model ?? start?.model ?? null,
    startedAt: start?.startedAt.toISOString() ?? null,
    timings: toTimings(end),
    error:
      end?.error === undefined
        ? null
        : { code: end.error.code, message: errorTable[end.error.code].publicMessage },
    storage: end?.storage ?? null,
  };
}
