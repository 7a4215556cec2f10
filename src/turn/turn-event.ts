/** Owns what happens in a turn, as events: the one union that every wire is made from. */
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

/** What a reply cost, in tokens, as the model counted them. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens?: number;
  readonly cachedInputTokens?: number;
}

/** The counts of a {@link Usage} that a model reported; an absent one was not, or was no number. */
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
  /** Set where the outcome is `complete`. */
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  /** Set where the outcome is `failed` or `interrupted`: a code of the error table, and how long to wait. */
  readonly error: { readonly code: ErrorCode; readonly retryAfterMs: number | undefined } | undefined;
  /** The model that answered, where that is known. */
  readonly model: string | undefined;
  /** From its start to its end, and to the model's first text, in milliseconds; `undefined` where nobody knows. */
  readonly durationMs: number | undefined;
  readonly firstTextMs: number | undefined;
  /** Where its rows are. */
  readonly storage: Storage;
}

/** The start of a turn; always its first event. */
export interface TurnStart {
  readonly type: "turn-start";
  readonly turnId: string;
  /** `undefined` where the store has not said in time which stored conversation this turn continues. */
  readonly conversationId: string | undefined;
  /** The name the model was asked for by, where that is known. */
  readonly model: string | undefined;
  readonly startedAt: Date;
}

/**
 * An event of a turn. Order: `turn-start`, any `plan-delta`, then, if there is any text, `plan-end` (the boundary) and
 * any `answer-delta`, then `turn-end`; `reasoning-delta` anywhere between, where reasoning is shown. `position` counts the
 * bytes of the plain-text body up to and with the event.
 */
export type TurnEvent = TurnStart | BodyEvent | ReasoningDelta | TurnEnd;

/** Takes the events of a turn, in order. */
export interface EventOutput {
  append(event: TurnEvent): void;
}

/** Where an event has its text in UTF-8 too. It is no part of what the event says: JSON has no symbols. */
export const utf8 = Symbol("utf8");

/** A piece of the body's text. */
export interface BodyDelta {
  readonly type: "plan-delta" | "answer-delta";
  readonly text: string;
  readonly position: number;
  /** Set where that is how it is kept. */
  readonly [utf8]?: Uint8Array;
}

/** An event that adds to the body. */
export type BodyEvent = BodyDelta | { readonly type: "plan-end"; readonly position: number };

/** What a model thinks aloud. It is no part of the body: it is neither stored nor resumed. */
export interface ReasoningDelta {
  readonly type: "reasoning-delta";
  readonly text: string;
  /** Where in the body it came. */
  readonly position: number;
}
