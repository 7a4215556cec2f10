/** What a turn needs from outside: a model and a store. */
import type { Caller } from "../base/caller.ts";
import type { AppError, ErrorCode } from "../base/errors.ts";
import type { Body } from "./body.ts";
import type { Prompt } from "./instructions.ts";
import type { Allowance, Estimate, LimitName } from "./limits.ts";
import type { AddressedMessage, Digest } from "./message-tree.ts";
import type { Message } from "./message.ts";
import type { FinishReason, Outcome, ReportedUsage, Storage, TurnStatus, Usage } from "./turn-event.ts";

/** What a model tells of one reply: text, then exactly one of `end` and `fail`, then nothing. */
export interface ModelSink {
  /** The next piece of text, storable and well-formed; never empty. */
  text(piece: string): void;
  /** The next piece of what the model thinks aloud, as {@link text}; absent where nobody wants it. */
  readonly reasoning?: ((piece: string) => void) | undefined;
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
  readonly usage: ReportedUsage | undefined;
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

/** The ways to find the message that a turn continues. */
export const continuationModes = ["leaf", "new", "whole"] as const;
/** One of {@link continuationModes}; {@link Continuation} says what each means. */
export type ContinuationMode = (typeof continuationModes)[number];

/** How the message is found that a turn goes on from, when its begin is stored. */
export interface Continuation {
  /**
   * `leaf`: the end of the path that is shown. `new`: the same, unless the only message of the path, or `replyId`, is one that the
   * conversation knows. `whole`: the root, if the conversation starts with the first message of the path; else the last message that it
   * knows by its id; else the leaf.
   */
  readonly mode: ContinuationMode;
  /** Whether a reply is made again: `replyId`, or the last. */
  readonly isAgain: boolean;
  readonly replyId: string | undefined;
  /** Whether the conversation must be there. */
  readonly mustExist: boolean;
  /** Whether the turn needs stored messages, so that it has to wait for the store. */
  readonly needsStore: boolean;
}

/** A turn as it begins: the path it answers and where that belongs. */
export interface TurnBegin {
  readonly turnId: string;
  readonly conversationId: string;
  /** Whether the client named the conversation; else a stored one that this path continues may be taken instead. */
  readonly isConversationNamed: boolean;
  readonly caller: Caller;
  /** Whether a conversation that is there must be the caller's own. */
  readonly mustOwn: boolean;
  /** `false` for a turn that is stored nowhere, not even in the log. */
  readonly isKept?: boolean;
  readonly title: string;
  readonly path: readonly AddressedMessage[];
  /** The digest of the stored path that `path` goes on from; `undefined` where it starts at the root. */
  readonly anchor: Digest | undefined;
  /** How its begin finds the message that `path` goes on from; `undefined` if `path` starts at the root or at `anchor`. */
  readonly continues: Continuation | undefined;
  /** The AI SDK chat whose conversation it belongs to, if that has no id of its own. */
  readonly chatId: string | undefined;
  readonly startedAt: Date;
  readonly model: string;
  /** Whether the store may refuse it, for its key, its id, its conversation or its user's limits: it is asked first then. */
  readonly mayBeRefused: boolean;
  /** Under which a user has one turn, for 24 hours. */
  readonly idempotencyKey: string | undefined;
  /** Digest of what was asked, by which the same request is known again; set beside a key. */
  readonly requestDigest: Digest | undefined;
  /** What is reserved for it. */
  readonly estimate: Estimate;
  /** What it may take of its user's limits; `undefined` where there are none. */
  readonly allowance: Allowance | undefined;
  /** The id of the request that began it, by which the log knows that; `undefined` where it waited in the journal. */
  readonly requestId: string | undefined;
}

/** The assistant's message, whose content is the answer, trimmed. */
export interface Reply {
  /** That of its turn, where its turn told its own end. */
  readonly id: string;
  readonly contentDigest: Digest;
  /** Not when none was asked for, nor when the reply's text went out as plan and answer both. */
  readonly hasPlan: boolean;
}

/** A turn as it ended. */
export interface TurnResult {
  readonly outcome: Outcome;
  /** Returns the body exactly as it was sent: a second copy of what may be long, made when it is needed. */
  readonly toBody: () => Body;
  /** `undefined` when there was no text. */
  readonly reply: Reply | undefined;
  readonly model: string | undefined;
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  /** What it took, about, where the model did not say; what nobody here knows is left out. */
  readonly estimate: Partial<Estimate> | undefined;
  readonly errorCode: ErrorCode | undefined;
  readonly endedAt: Date;
  readonly durationMs: number | undefined;
  /** From the start to the model's first text. */
  readonly firstTextMs: number | undefined;
}

/** What became of a turn's begin. */
export type BeginResult =
  | {
      readonly type: "begun";
      /** The conversation it went to; `undefined` where the store has yet to say which stored one it continues. */
      readonly conversationId: string | undefined;
      readonly storage: Storage;
      /** What stands before the path of a turn that its {@link Continuation} places: as much of it as a model is sent. */
      readonly history?: readonly Message[] | undefined;
    }
  /** It goes on from a leaf that this turn, of the same user, still answers. */
  | { readonly type: "running"; readonly turnId: string }
  /** There is no such message to go on from. */
  | { readonly type: "missing" }
  /** Its key belongs to another turn of this user. */
  | { readonly type: "taken"; readonly turnId: string; readonly requestDigest: Digest | undefined }
  /** Its id belongs to another turn. */
  | { readonly type: "exists" }
  /** Its conversation is somebody else's. */
  | { readonly type: "foreign" }
  /** Its user has no more of this; of tokens, so many today. */
  | { readonly type: "limited"; readonly limit: LimitName; readonly tokensLeft: number | undefined };

/** Where turns become rows. Both writes are idempotent by the turn's id. */
export interface TurnStore {
  /**
   * Makes the turn's messages safe: in the store, or, if that has not taken them within 500 ms, in the journal.
   * @throws AppError `store_unavailable` when they are safe nowhere.
   */
  begin(turn: TurnBegin): Promise<BeginResult>;
  /** Stores the reply and how the turn ended, as {@link begin} does. Never rejects: the log says what was lost. */
  end(turn: TurnBegin, result: TurnResult): Promise<EndResult>;
}

/** What became of a turn's end, and the conversation it belongs to, where that is known. */
export interface EndResult {
  readonly storage: Storage;
  readonly conversationId: string | undefined;
}

/** A piece of a turn's body: the text from the byte `position` on. */
export interface Piece {
  readonly turnId: string;
  readonly position: number;
  readonly text: string;
}

/** A turn as the store has it. */
export interface StoredTurn {
  readonly conversationId: string;
  readonly status: TurnStatus;
  /** The body from the byte `position` on. */
  readonly text: string;
  readonly position: number;
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  readonly errorCode: ErrorCode | undefined;
  readonly model: string | undefined;
  readonly startedAt: Date;
  readonly durationMs: number | undefined;
  readonly firstTextMs: number | undefined;
}

/** A conversation, as its client names it. */
export interface ChatPlace {
  readonly conversationId: string;
  /** The AI SDK chat that it belongs to, as in {@link TurnBegin}. */
  readonly chatId: string | undefined;
}

/** Where a turn goes on from. */
export interface PathStart {
  readonly conversationId: string | undefined;
  /** The AI SDK chat that the conversation belongs to, as in {@link TurnBegin}. */
  readonly chatId?: string | undefined;
  /** The message that the path ends in, by its id; or the leaf of the conversation, which is named then. */
  readonly parentId: string;
}

/** A path as the store has it: as much of its end as a model is sent. */
export interface StoredPath {
  readonly conversationId: string;
  /** The digest of the whole path; `undefined` for one that is empty. */
  readonly digest: Digest | undefined;
  readonly messages: readonly Message[];
}

/** The newest turn of a conversation. */
export interface NewestTurn {
  readonly turnId: string;
  readonly startedAt: Date;
  readonly isRunning: boolean;
}

/** A turn that nobody runs any more, and its body as far as it was saved. */
export interface AbandonedTurn {
  readonly turnId: string;
  readonly text: string;
}

/** Which turns count as abandoned. */
export interface AbandonedFilter {
  /** Running here. */
  readonly except: readonly string[];
  /** Whether to take those of other processes that have given no sign of life for 30 s, too. */
  readonly isStaleToo: boolean;
}

/** What is known of turns beyond this process, and what outlives it. Rejects with a `store_…` code. */
export interface TurnRecords {
  /** Stores the text of running turns; resolves with those that the store knows, and those that somebody wants stopped. */
  saveProgress(
    running: readonly string[],
    pieces: readonly Piece[],
  ): Promise<{ readonly known: ReadonlySet<string>; readonly stop: readonly string[] }>;
  /** Puts text of running turns into the journal, for as long as the store does not take it. */
  keepProgress(pieces: readonly Piece[]): Promise<void>;
  /** Resolves with a turn of this caller and its text from about the byte `after` on; `undefined` where there is none. */
  readTurn(turnId: string, caller: Caller, after: number): Promise<StoredTurn | undefined>;
  /** Resolves with the newest turn of this caller in a conversation; `undefined` where there is none. */
  findNewest(chat: ChatPlace, caller: Caller): Promise<NewestTurn | undefined>;
  /**
   * Resolves with the path of this caller that a turn goes on from; `undefined` if there is none.
   * @throws AppError `turn_running` for the reply of a turn that still runs.
   */
  readPath(from: PathStart, caller: Caller): Promise<StoredPath | undefined>;
  /** Asks the owner of a turn of this caller to stop it; resolves with whether there is such a turn. */
  requestStop(turnId: string, caller: Caller): Promise<boolean>;
  /** Asks the owners of all running turns of this caller in a conversation to stop them; resolves with their ids, the newest first. */
  requestStops(chat: ChatPlace, caller: Caller): Promise<readonly string[]>;
  /** Takes over what processes that died left in the journal; resolves with whether the text of their turns is in the store. */
  isSettled(): Promise<boolean>;
  /** Resolves with some of the abandoned turns: none of which the journal still holds anything. */
  listAbandoned(filter: AbandonedFilter): Promise<readonly AbandonedTurn[]>;
  /** Ends a turn as interrupted if it is still abandoned; resolves with whether it was. */
  endAbandoned(turnId: string, result: TurnResult, filter: AbandonedFilter): Promise<boolean>;
  /** For how long every call has been answered, in milliseconds; 0 since one was not. */
  readonly healthyMs: number;
  /** Whether {@link TurnStore.begin} finds what a {@link Continuation} names: the schema may be too old for that. */
  readonly findsPlaces: boolean;
}
