/** The events of a turn: the one union that every wire is made from. */
import type { ErrorCode } from "../base/errors.ts";

/** How a turn can end. */
export const outcomes = ["complete", "stopped", "failed", "interrupted"] as const;
/** How a turn ended. */
export type Outcome = (typeof outcomes)[number];

/** The states of a turn. */
export const turnStatuses = ["running", ...outcomes] as const;
/** Whether a turn still runs, or how it ended. */
export type TurnStatus = (typeof turnStatuses)[number];

/** Why a model can finish a reply. */
export const finishReasons = ["stop", "length", "content-filter", "other"] as const;
/** Why the model finished its reply. */
export type FinishReason = (typeof finishReasons)[number];

/** The tokens of a reply, as the model counted them. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens?: number;
  readonly cachedInputTokens?: number;
}

/**
 * The counts of a {@link Usage} that a model reported; those it left out, or gave as no number, are absent.
 */
export type ReportedUsage = Partial<Usage>;

/** Where a write can be. */
export const storages = ["stored", "queued", "none"] as const;
/** Where a write is: in the store; in the journal, waiting for the store; or nowhere. */
export type Storage = (typeof storages)[number];

/** The end of a turn; always its last event. */
export interface TurnEnd {
  readonly type: "turn-end";
  readonly outcome: Outcome;
  /** Bytes of the plain-text body in all. */
  readonly position: number;
  /** Set if the outcome is `complete`. */
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  /** Set if the outcome is `failed` or `interrupted`: a code of the error table, and how long to wait. */
  readonly error: { readonly code: ErrorCode; readonly retryAfterMs: number | undefined } | undefined;
  /** The model that replied, if known. */
  readonly model: string | undefined;
  /** From its start to its end, and to the model's first text, in milliseconds; `undefined` if unknown. */
  readonly durationMs: number | undefined;
  readonly firstTextMs: number | undefined;
  /** Where the turn's rows are. */
  readonly storage: Storage;
}

/** The start of a turn; always its first event. */
export interface TurnStart {
  readonly type: "turn-start";
  readonly turnId: string;
  /** `undefined` if the store did not report in time which stored conversation the turn continues. */
  readonly conversationId: string | undefined;
  /** The name of the requested model, if known. */
  readonly model: string | undefined;
  readonly startedAt: Date;
}

/**
 * An event of a turn. Order: `turn-start`, any `plan-delta`, then, if there is any text, `plan-end` (the
 * boundary) and any `answer-delta`, then `turn-end`; `reasoning-delta` anywhere between, if reasoning is
 * shown. `position` counts the bytes of the plain-text body up to and including the event.
 */
export type TurnEvent = TurnStart | BodyEvent | ReasoningDelta | TurnEnd;

/** Takes the events of a turn, in order. */
export interface EventOutput {
  append(event: TurnEvent): void;
}

/** The key of an event's text in UTF-8. Not part of the event's JSON, which has no symbols. */
export const utf8 = Symbol("utf8");

/** A piece of the body's text. */
export interface BodyDelta {
  readonly type: "plan-delta" | "answer-delta";
  readonly text: string;
  readonly position: number;
  /** Set if the text is kept in UTF-8. */
  readonly [utf8]?: Uint8Array;
}

/** An event that adds to the body. */
export type BodyEvent = BodyDelta | { readonly type: "plan-end"; readonly position: number };

/** A piece of the model's reasoning. Not part of the body: neither stored nor resumed. */
export interface ReasoningDelta {
  readonly type: "reasoning-delta";
  readonly text: string;
  /** The place in the body at which it came. */
  readonly position: number;
}
