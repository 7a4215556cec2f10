/** The ports of a turn: the model and the store. */
import type { Caller } from "../base/caller.ts";
import type { AppError, ErrorCode } from "../base/errors.ts";
import type { Body } from "./body.ts";
import type { ChatSummaries } from "./context/chat-summaries.ts";
import type { ModelParameters, Prompt } from "./instructions.ts";
import type { Money } from "../base/money.ts";
import type { Allowance, Estimate, LimitLeft, LimitName, ReservedPrice } from "./limits.ts";
import type { AddressedMessage, Digest, AnsweredReply } from "./message-tree.ts";
import type { Message } from "./message.ts";
import type { JsonObject } from "../base/json.ts";
import type { ToolPart } from "./items/tool.ts";
import type { MessageSource } from "./sources/message-sources.ts";
import type { OpenedReasoning } from "./reply/opened-reasoning.ts";
import type { TraceScope } from "./tracing/trace-scope.ts";
import type {
  FinishReason,
  ModelAttempt,
  Outcome,
  ReportedUsage,
  SavedItem,
  SearchData,
  SentContext,
  Storage,
  Usage,
  WireName,
} from "./turn-event.ts";

/** Receives a reply from the model: text, then exactly one of `end` and `fail`, then nothing. */
export interface ModelSink {
  /** The next piece of text, storable and well-formed; never empty. */
  text(piece: string): void;
  /** The next piece of the model's reasoning, as {@link text}; absent if it is not wanted. */
  readonly reasoning?: ((piece: string) => void) | undefined;
  /** The next piece of a tool call. Pieces of two calls may alternate. */
  toolCall(piece: ToolCallPiece): void;
  /** The reply is complete. */
  end(end: ModelEnd): void;
  /** The reply was cut off, or never began. */
  fail(error: AppError): void;
  /**
   * Forgets all it was told of this reply, if the client has seen none of it: no plan, no answer, no item but
   * reasoning. Returns whether that was so; if not, this reply is the only one. Unlike the others, it may be
   * called before {@link Model.complete} returns.
   * @param next the model that replies from now on; absent if it is the same.
   */
  restart(next?: Model): boolean;
  /**
   * Called right before {@link end}, if at all: returns the failure of a reply that ends without a word, like
   * `empty_reply`; `undefined` if it says something.
   */
  judge(end: ModelEnd): AppError | undefined;
}

/** A piece of a tool call, as a model sends it. */
export interface ToolCallPiece {
  /** The call's place among the calls of the reply. */
  readonly index: number;
  /** The same in all pieces of a call; made here if the model gave none. */
  readonly callId: string;
  readonly name: string;
  /** The next characters of the arguments; may be empty. */
  readonly input: string;
}

/** The model's report at the end of a complete reply. */
export interface ModelEnd {
  readonly finishReason: FinishReason;
  /** The model that replied, if reported. */
  readonly model: string | undefined;
  readonly usage: ReportedUsage | undefined;
}

/** How a reply came about, as far as that is known; absent parts are as usual. */
export interface CallReport {
  /** The name of the model that replies, or was asked last; absent if no other could be asked. */
  readonly model?: string | undefined;
  /** The models that were asked before it, in this order; absent if there are none. */
  readonly attempts?: readonly ModelAttempt[] | undefined;
  /** Absent if the model was sent the whole chat. */
  readonly context?: SentContext | undefined;
}

/** Wishes for a call; a model may be unable to grant them. */
export interface CallOptions {
  /** The name of the model that replied to the earlier steps of the turn. */
  readonly prefers?: string | undefined;
  /**
   * Set if another model is asked should this call fail, so that it is made once: how long to wait for its
   * first event, in milliseconds. Comments do not extend it.
   */
  readonly leaveAfterMs?: number | undefined;
  /** Summaries of messages that do not fit; absent for none. */
  readonly summaries?: ChatSummaries | undefined;
  /** The span of its turn; absent if there are no traces, and outside of turns. */
  readonly trace?: TraceScope | undefined;
  /** Absent if the call is neither measured nor traced. */
  readonly meter?: CallMeter | undefined;
}

/** Measures and traces one call. */
export interface CallMeter {
  /** Sent with its requests, beside their own; absent if there are none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Runs `work`, which sends a request, in the context of the call. */
  run<Result>(work: () => Result): Result;
  /** Called with each piece of the reply that is read, whatever it holds. Must be fast. */
  chunk(): void;
}

/** A reply in progress. */
export interface ModelCall {
  /** Ends it: the sink gets no more calls, and the connection to the model is closed. */
  abort(): void;
  /** How the reply has come about so far; absent if there is nothing to tell. */
  readonly report?: CallReport | undefined;
}

/** The source of text. */
export interface Model {
  /** The name by which clients choose it. */
  readonly name: string;
  /** The names of the parameters that clients may set; absent if they may set all. */
  readonly allowedParameters?: readonly string[] | undefined;
  /** Whether its chat template opens the reasoning, as far as its replies have shown. */
  readonly openedReasoning: OpenedReasoning;
  /** How much of the end of a stored path is read for it, in characters. */
  readonly maxReadChars: number;
  /** Returns the most tokens of a reply, as the model is told with `parameters`; `undefined` for no bound. */
  toMaxTokens(parameters: ModelParameters): number | undefined;
  /** Starts a reply. `sink` is called in later ticks only. */
  complete(prompt: Prompt, sink: ModelSink, options?: CallOptions): ModelCall;
  /** Closes connections kept open between replies. */
  close(): Promise<void>;
}

/** The models that turns may use. */
export interface Models {
  /** The model of turns that name none: the first. */
  readonly default: Model;
  /** All, in the order of their configuration. */
  readonly all: readonly Model[];
  /** Returns the model of that name; `undefined` if there is none. */
  find(name: string): Model | undefined;
  /**
   * Returns the model of a stored turn, which began with the model of that name; `undefined` if that is gone.
   * The single model of an environment has all turns, whatever its name was.
   */
  findStored(name: string): Model | undefined;
  /** Closes connections kept open between replies. */
  close(): Promise<void>;
}

/** The ways to find the message that a turn continues. */
export const continuationModes = ["leaf", "new", "whole"] as const;
/** One of {@link continuationModes}, which {@link Continuation} explains. */
export type ContinuationMode = (typeof continuationModes)[number];

/** The ways to begin in a conversation with turns in progress, which run or wait for their user. */
export const runningChoices = ["branch", "reject", "stop"] as const;
/**
 * One of {@link runningChoices}. `branch`: beside them. `reject`: not at all. `stop`: once they have been
 * stopped.
 */
export type RunningChoice = (typeof runningChoices)[number];

/** How a stored begin finds the message that its turn continues. */
export interface Continuation {
  /**
   * `leaf`: the end of the path that is shown. `new`: the same, unless the only message of the path, or
   * `replyId`, is one that the conversation knows. `whole`: the root, if the conversation starts with the
   * first message of the path; else the last message whose id it knows; else the leaf.
   */
  readonly mode: ContinuationMode;
  /** Whether a reply is regenerated: `replyId`, or the last one. */
  readonly isAgain: boolean;
  readonly replyId: string | undefined;
  /** Whether the conversation must exist. */
  readonly mustExist: boolean;
  /** Whether the turn needs stored messages, and so has to wait for the database. */
  readonly needsStore: boolean;
}

/** A turn at its begin: the path it answers, and the conversation of that path. */
export interface TurnBegin {
  readonly turnId: string;
  readonly conversationId: string;
  /**
   * Whether the client named the conversation; if not, a stored one that this path continues may be used
   * instead.
   */
  readonly isConversationNamed: boolean;
  readonly caller: Caller;
  /** Whether an existing conversation must be the caller's own. */
  readonly mustOwn: boolean;
  /** `false` for a turn that is not stored, and whose text is never logged. */
  readonly isKept?: boolean;
  readonly title: string;
  readonly path: readonly AddressedMessage[];
  /** The reply below the path that the turn goes on with; absent if it starts a new one. */
  readonly extendsReply?: AnsweredReply | undefined;
  /** The digest of the stored path that `path` continues; `undefined` if it starts at the root. */
  readonly anchor: Digest | undefined;
  /**
   * How its begin finds the message that `path` continues; `undefined` if `path` starts at the root or at
   * `anchor`.
   */
  readonly continues: Continuation | undefined;
  /** The AI SDK chat that it belongs to, if its conversation has no id of its own. */
  readonly chatId: string | undefined;
  /** How much of the end of the stored path its model is sent, in characters; absent once it has begun. */
  readonly maxReadChars?: number | undefined;
  /** How it begins beside turns of its user that are in progress; absent if its path decides. */
  readonly ifRunning?: RunningChoice | undefined;
  /** Turns of this process, the newest first, that `ifRunning` forbids it to begin beside. */
  readonly runningHere?: readonly [string, ...string[]] | undefined;
  readonly startedAt: Date;
  readonly model: string;
  /** Whether the store may refuse it for its key, id, conversation or limits; it is then asked first. */
  readonly mayBeRefused: boolean;
  /** Identifies one turn of a user, for 24 hours. */
  readonly idempotencyKey: string | undefined;
  /** A digest of the request, which detects a repeated one; set together with a key. */
  readonly requestDigest: Digest | undefined;
  /**
   * The parts of the request that its wire has to repeat in responses; absent if there are none. As JSON, at
   * most 64 KiB; kept with the turn since schema version 10.
   */
  readonly request?: JsonObject | undefined;
  /** The tokens reserved for it. */
  readonly estimate: Estimate;
  /** The price of these tokens at most; absent if unknown. */
  readonly price?: ReservedPrice | undefined;
  /** Its share of its user's limits; `undefined` if there are none. */
  readonly allowance: Allowance | undefined;
  /** The id of its request, for the log; `undefined` after a wait in the journal. */
  readonly requestId: string | undefined;
  /** The wire on which it was asked for; absent if that is not known any more. */
  readonly wire?: WireName | undefined;
  /** The id of its trace, for the log; absent if it belongs to none. */
  readonly traceId?: string | undefined;
}

/** The assistant's message, whose content is the trimmed answer. */
export interface Reply {
  /** The turn's id, if the turn itself reported its end. */
  readonly id: string;
  readonly contentDigest: Digest;
  /** False if no plan was requested, or if the text was sent as both plan and answer. */
  readonly hasPlan: boolean;
  /** Whether the turn may go on with a reply, and only its own text and tool calls are known here. */
  readonly isPart?: boolean;
  /** The sources that the model was given; absent if there are none. */
  readonly sources?: readonly MessageSource[] | undefined;
  /** The searches for them; absent if there were none. */
  readonly searches?: readonly SearchData[] | undefined;
  /** The message's tool calls, and its text if that is more than the answer; absent if it has no calls. */
  readonly withTools?: { readonly text: string; readonly tools: readonly ToolPart[] } | undefined;
}

/** A turn at its end. */
export interface TurnResult {
  readonly outcome: Outcome;
  /** Returns the body exactly as sent: a second copy of a long text, made only when needed. */
  readonly toBody: () => Body;
  /** The items of the turn but for its reasoning, in their order; absent if there are none. */
  readonly items?: readonly SavedItem[] | undefined;
  /** `undefined` if there was no text and no tool call. */
  readonly reply: Reply | undefined;
  readonly model: string | undefined;
  /** The models that failed before it, in this order; absent if there are none. */
  readonly attempts?: readonly ModelAttempt[] | undefined;
  /** How much of the chat it was sent; absent if all. */
  readonly context?: SentContext | undefined;
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  /** Estimated token counts if the model reported none; unknown ones are left out. */
  readonly estimate: Partial<Estimate> | undefined;
  /** The cost of its tokens; absent if their price is unknown, or if the store knows it from the begin. */
  readonly cost?: Money | undefined;
  readonly errorCode: ErrorCode | undefined;
  readonly endedAt: Date;
  readonly durationMs: number | undefined;
  /** From the start to the model's first text. */
  readonly firstTextMs: number | undefined;
}

/** The result of beginning a turn. */
export type BeginResult =
  | {
      readonly type: "begun";
      /** The conversation it belongs to; `undefined` until the store says which stored one it continues. */
      readonly conversationId: string | undefined;
      readonly storage: Storage;
      /**
       * The stored messages before the path of a turn placed by its {@link Continuation}, as far as a model
       * is sent them.
       */
      readonly history?: readonly Message[] | undefined;
      /** Settles once the bytes of its attachments are durable, too; absent if they are. Never rejects. */
      readonly attachmentsSafe?: Promise<void> | undefined;
      /** The rest of its limits per day, as far as known. */
      readonly left?: readonly LimitLeft[] | undefined;
    }
  /**
   * It continues a leaf that this turn, of the same user, is still answering; or its `ifRunning` forbids it
   * to begin beside these turns, the newest first.
   */
  | { readonly type: "running"; readonly turnIds: readonly [string, ...string[]] }
  /** The message to continue does not exist. */
  | { readonly type: "missing" }
  /** Its key belongs to another turn of this user. */
  | { readonly type: "taken"; readonly turnId: string; readonly requestDigest: Digest | undefined }
  /** Its id belongs to another turn. */
  | { readonly type: "exists" }
  /** Its conversation belongs to another user. */
  | { readonly type: "foreign" }
  /** Its user is over this limit; for tokens and costs, with so much left today. */
  | {
      readonly type: "limited";
      readonly limit: LimitName;
      readonly tokensLeft: number | undefined;
      /** In millionths of the currency. */
      readonly microsLeft?: number | undefined;
    };

/** A turn that is about to wait for its user. */
export interface PausedTurn {
  /** Returns the body exactly as sent. */
  readonly toBody: () => Body;
  /** All items of the turn, reasoning included, in their order. */
  readonly items: readonly SavedItem[];
  /** What a process needs to go on with the turn; the store only keeps it. */
  readonly state: JsonObject;
  /** When the turn goes on without its user. */
  readonly expiresAt: Date;
  /** The tokens and tools so far; `undefined` if unknown. */
  readonly usage: Usage | undefined;
}

/** Stores turns. All writes are idempotent by the turn's id. */
export interface TurnStore {
  /**
   * Makes the turn's messages durable: in the database or, if that takes over 500 ms, in the journal.
   * @throws AppError `store_unavailable` if neither has them.
   */
  begin(turn: TurnBegin): Promise<BeginResult>;
  /** Stores the reply and the end of the turn, as {@link begin} does. Never rejects: losses are logged. */
  end(turn: TurnBegin, result: TurnResult): Promise<EndResult>;
  /**
   * Stores a turn that waits for its user, as {@link end} does. Whichever process is told the answer goes on
   * with it. If its `storage` is `none`, nothing keeps the turn.
   */
  pause(turn: TurnBegin, paused: PausedTurn): Promise<PauseResult>;
}

/** The result of ending a turn, with its conversation if known. */
export interface EndResult {
  readonly storage: Storage;
  readonly conversationId: string | undefined;
}

/** The result of pausing a turn. */
export interface PauseResult extends EndResult {
  /** Whether the turn does not wait, and must be ended: its user has asked for a stop meanwhile. */
  readonly mustStop: boolean;
}
