/** Owns what a turn needs from outside: a model, a store, a clock. */
import type { AppError } from "../errors.ts";
import type { Prompt } from "./instructions.ts";
import type { AddressedMessage, Digest } from "./message-tree.ts";
import type { FinishReason, Outcome, Usage } from "./turn-event.ts";

/** A timer that was started; it fires once. */
export interface Timer {
  /** Starts its time anew. */
  refresh(): void;
  /** Keeps it from firing; harmless afterwards. */
  cancel(): void;
}

/** The time, and timers; the only clock there is. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever grow, whatever happens to the time of day. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`. A timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

/** What a model tells of one reply: text, then exactly one of `end` and `fail`, then nothing. */
export interface ModelSink {
  /** The next piece of text, storable and well-formed; never empty. */
  text(piece: string): void;
  /** The reply is whole. */
  end(end: ModelEnd): void;
  /** The reply broke off, or never began. */
  fail(error: AppError): void;
}

/** What a model says of a reply that is whole. */
export interface ModelEnd {
  readonly finishReason: FinishReason;
  /** The model that answered, where it says so. */
  readonly model: string | undefined;
  readonly usage: Usage | undefined;
}

/** One reply that a model is making. */
export interface ModelCall {
  /** Ends it: the sink hears nothing more, and the connection to the model is closed. */
  abort(): void;
}

/** Where text comes from. */
export interface Model {
  /** The name the model is asked for by. */
  readonly name: string;
  /** Starts a reply. `sink` is called in later ticks only. */
  complete(prompt: Prompt, sink: ModelSink): ModelCall;
  /** Ends what it keeps open between replies. */
  close(): Promise<void>;
}

/** Whose request it is. */
export interface Caller {
  readonly userId: string | undefined;
  /** The access token the request came with, for a store that asks for it. */
  readonly accessToken: string | undefined;
}

/** A turn as it begins: the path it answers and where that belongs. */
export interface TurnBegin {
  readonly turnId: string;
  readonly conversationId: string;
  /** Whether the client named the conversation; else a stored one that this path continues may be taken instead. */
  readonly isConversationNamed: boolean;
  readonly caller: Caller;
  readonly title: string;
  readonly path: readonly AddressedMessage[];
  readonly startedAt: Date;
  readonly model: string;
}

/** A turn as it ended. */
export interface TurnResult {
  readonly outcome: Outcome;
  /** Plan and answer exactly as they were sent; the plan is `undefined` when the text went out as both. */
  readonly plan: string | undefined;
  readonly answer: string;
  /** The assistant's message; `undefined` when there was no text. */
  readonly reply:
    | { readonly id: string; readonly content: string; readonly contentDigest: Digest }
    | undefined;
  readonly model: string;
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  readonly errorCode: string | undefined;
  readonly endedAt: Date;
  readonly durationMs: number;
  /** From the start to the model's first text. */
  readonly firstTextMs: number | undefined;
}

/** Where rows live. Both writes are idempotent by the turn's id. */
export interface ChatStore {
  /**
   * Stores the messages that are new and the turn as running; resolves with the conversation it went to.
   * @throws AppError with a `store_…` code; nothing was written then.
   */
  begin(turn: TurnBegin): Promise<{ readonly conversationId: string }>;
  /** Stores the reply and how the turn ended. @throws AppError with a `store_…` code. */
  end(turn: TurnBegin, result: TurnResult): Promise<void>;
}
