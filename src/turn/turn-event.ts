/** The events of a turn: the one union that every wire is made from. */
import type { ErrorCode } from "../base/errors.ts";
import type { ToolOutcome, ToolRunner } from "./items/tool.ts";

/** The wires on which turns are asked for. */
export const wireNames = [
  "text",
  "sse",
  "json",
  "ui-message",
  "openai-chat",
  "openai-responses",
  "ag-ui",
] as const;
/** One of {@link wireNames}. */
export type WireName = (typeof wireNames)[number];

/** How a turn can end. */
export const outcomes = ["complete", "stopped", "failed", "interrupted"] as const;
/** How a turn ended. */
export type Outcome = (typeof outcomes)[number];

/** The states of a turn. */
export const turnStatuses = ["running", "waiting", ...outcomes] as const;
/** Whether a turn still runs, waits for its user, or how it ended. */
export type TurnStatus = (typeof turnStatuses)[number];

/** Why a model can finish a reply. */
export const finishReasons = ["stop", "length", "content-filter", "tool-calls", "other"] as const;
/** Why the model finished its reply. */
export type FinishReason = (typeof finishReasons)[number];

/** The counts of tokens. */
export const tokenCounts = ["inputTokens", "outputTokens", "reasoningTokens", "cachedInputTokens"] as const;

/** Tokens, as a model counts them. */
export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens?: number;
  readonly cachedInputTokens?: number;
}

/** The tokens of a reply in all its steps, and the tools that this server ran. */
export interface Usage extends TokenCounts {
  /** Calls of tools that this server ran; absent if there were none. */
  readonly toolCalls?: number;
  /** What they cost, in the currency of the prices; absent if none has a price. */
  readonly toolCost?: number;
}

/** The counts that a model reported; those it left out, or gave as no number, are absent. */
export type ReportedUsage = Partial<TokenCounts>;

/** Where a write can be. */
export const storages = ["stored", "queued", "none"] as const;
/** Where a write is: in the store; in the journal, waiting for the store; or nowhere. */
export type Storage = (typeof storages)[number];

/** A model that was asked for a reply, and left. */
export interface ModelAttempt {
  /** The name by which clients choose it. */
  readonly model: string;
  /** Why it was left. */
  readonly errorCode: ErrorCode;
}

/** How much of a chat a model was sent, if not all of it. */
export interface SentContext {
  /** The earliest messages of the chat that were left out, of those that were sent or read. */
  readonly messagesLeftOut: number;
  /** Images and files that were left out of the messages that were sent. */
  readonly imagesLeftOut: number;
  /** The same of the results of tool calls. */
  readonly resultsLeftOut: number;
  /** Whether the model's server had refused more of it first; absent if not. */
  readonly isRetried?: boolean;
  /** Whether a summary of messages that were left out was sent; absent if not. */
  readonly isSummarised?: boolean;
}

/** Why a turn failed. */
export interface TurnError {
  /** A code of the error table. */
  readonly code: ErrorCode;
  /** A sentence about this turn that its client may see; absent for that of the table. */
  readonly detail?: string | undefined;
  /** How long the client should wait before it retries, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/** The end of a turn; always its last event. */
export interface TurnEnd {
  readonly type: "turn-end";
  readonly outcome: Outcome;
  /** Bytes of the plain-text body in all. */
  readonly position: number;
  /** Set if the outcome is `complete`. */
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  /** Set if the outcome is `failed` or `interrupted`. */
  readonly error: TurnError | undefined;
  /** The model that replied, if known. */
  readonly model: string | undefined;
  /** The models that failed before it, in this order; absent if there are none. */
  readonly attempts?: readonly ModelAttempt[] | undefined;
  /** How much of the chat it was sent; absent if all. */
  readonly context?: SentContext | undefined;
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

/** A call that its user has to approve. */
export interface PendingApproval {
  readonly approvalId: string;
  readonly callId: string;
  /** ISO 8601; the call is denied then. */
  readonly expiresAt: string;
}

/** The turn waits for its user. It is the last event of its log: the turn goes on in a new one. */
export interface TurnWaiting {
  readonly type: "turn-waiting";
  /** Bytes of the plain-text body so far. */
  readonly position: number;
  readonly approvals: readonly PendingApproval[];
  /** Where the turn's rows are. */
  readonly storage: Storage;
}

/**
 * An event of a turn. Order: `turn-start`, any `plan-delta`, then, if there is any text, `plan-end` (the
 * boundary) and any `answer-delta`, then `turn-end`, or `turn-waiting`; items anywhere between.
 */
export type TurnEvent = TurnStart | BodyEvent | ItemEvent | TurnWaiting | TurnEnd;

/** Takes the events of a turn, in order. */
export interface EventOutput {
  append(event: TurnEvent): void;
}

/** The key of an event's text in UTF-8. Not part of the event's JSON, which has no symbols. */
export const utf8 = Symbol("utf8");

/** A piece of the body's text. `position` counts the bytes of the body up to and including it. */
export interface BodyDelta {
  readonly type: "plan-delta" | "answer-delta";
  readonly text: string;
  readonly position: number;
  /** Set if the text is kept in UTF-8. */
  readonly [utf8]?: Uint8Array;
}

/** An event that adds to the body. */
export type BodyEvent = BodyDelta | { readonly type: "plan-end"; readonly position: number };

/**
 * A place in a turn: after so many bytes of the body, and after so many units beside the text there. An item
 * is one unit; the text of a reasoning or input delta has one unit per UTF-8 byte, so that it can be cut.
 */
export interface Place {
  readonly position: number;
  readonly ordinal: number;
}

/** A piece of the model's reasoning, if it is shown. Kept until the turn ends. */
export interface ReasoningDelta extends Place {
  readonly type: "reasoning-delta";
  readonly text: string;
}

/** The model starts to write a tool call. Kept by the process that runs the turn only. */
export interface ToolCallStart extends Place {
  readonly type: "tool-call-start";
  readonly callId: string;
  readonly name: string;
  readonly title: string | undefined;
  readonly runsOn: ToolRunner;
}

/** A piece of a call's arguments. Kept by the process that runs the turn only. */
export interface ToolCallDelta extends Place {
  readonly type: "tool-call-delta";
  readonly callId: string;
  readonly text: string;
}

/** A whole tool call. */
export interface ToolCall extends Place {
  readonly type: "tool-call";
  readonly callId: string;
  readonly name: string;
  readonly title: string | undefined;
  readonly runsOn: ToolRunner;
  /** The model call that asked for it, counted from 0. */
  readonly step: number;
  /** The arguments as the model wrote them: JSON, unless the model made a mistake. */
  readonly input: string;
}

/** The result of a tool call that this server ran, or would have. */
export interface ToolResult extends Place, ToolOutcome {
  readonly type: "tool-result";
  readonly callId: string;
}

/** A tool call has to be approved by the turn's user. */
export interface ApprovalRequest extends Place, PendingApproval {
  readonly type: "approval-request";
}

/** How a request for approval can be settled. */
export const approvalDecisions = ["approved", "denied", "expired"] as const;
/** How a request for approval was settled. */
export type ApprovalDecision = (typeof approvalDecisions)[number];

/** A request for approval is settled. */
export interface ApprovalResponse extends Place {
  readonly type: "approval-response";
  readonly approvalId: string;
  readonly callId: string;
  readonly decision: ApprovalDecision;
  /** The user's reason, if given. */
  readonly reason: string | undefined;
}

/** The places in which sources are looked for. */
export const sourceKinds = ["document", "web"] as const;
/** Where a source comes from: the user's documents, or the web. */
export type SourceKind = (typeof sourceKinds)[number];

/** How a search can end. */
export const searchStatuses = ["found", "nothing", "failed"] as const;
/** How a search ended. One that failed does not fail its turn. */
export type SearchStatus = (typeof searchStatuses)[number];

/** A search for sources. */
export interface SearchData {
  readonly kind: SourceKind;
  readonly query: string;
  readonly status: SearchStatus;
}

/** Sources were looked for before the model was asked; those that were found follow. */
export interface Search extends Place, SearchData {
  readonly type: "search";
}

/** A passage or page that the model was given. */
export interface SourceData {
  /** Names it among the sources of its turn. */
  readonly sourceId: string;
  /** The number by which the answer cites it: `[1]`. */
  readonly number: number;
  readonly kind: SourceKind;
  readonly title: string;
  /** Of a page on the web. */
  readonly url?: string | undefined;
  /** Of a document, and the page of that, from 1, if it has pages. */
  readonly documentId?: string | undefined;
  readonly page?: number | undefined;
  /** The headings that it stands under, joined by ` › `. */
  readonly heading?: string | undefined;
  /** The beginning of its text. */
  readonly quote: string;
}

/** A source that the model was given. */
export interface Source extends Place, SourceData {
  readonly type: "source";
}

/** An event beside the text that is saved with the turn's progress; reasoning only until the turn ends. */
export type SavedItem =
  | ReasoningDelta
  | ToolCall
  | ToolResult
  | ApprovalRequest
  | ApprovalResponse
  | Search
  | Source;

/** An event beside the text: it adds nothing to the body. */
export type ItemEvent = SavedItem | ToolCallStart | ToolCallDelta;

/** Whether an event stands beside the text. */
export function isItem(event: TurnEvent): event is ItemEvent {
  return "ordinal" in event;
}

/** Whether an item is saved with the turn's progress. */
export function isSaved(item: ItemEvent): item is SavedItem {
  return item.type !== "tool-call-start" && item.type !== "tool-call-delta";
}
