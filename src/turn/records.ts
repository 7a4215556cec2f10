/** Turns beyond this process: their text between processes, their recovery, and the paths they continue. */
import type { Caller } from "../base/caller.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import type { Digest } from "./message-tree.ts";
import type { Message } from "./message.ts";
import type { TurnResult } from "./ports.ts";
import type {
  FinishReason,
  ModelAttempt,
  Place,
  SavedItem,
  SentContext,
  TurnStatus,
  Usage,
} from "./turn-event.ts";

/** A piece of a turn's progress: the text from byte `position` on, which may be empty, and new items. */
export interface Piece {
  readonly turnId: string;
  readonly position: number;
  readonly text: string;
  /** Items in their order; those saved already may be among them. Absent if there are none. */
  readonly items?: readonly SavedItem[] | undefined;
}

/** A stored turn. */
export interface StoredTurn {
  readonly conversationId: string;
  readonly status: TurnStatus;
  /** The body from byte `position` on. */
  readonly text: string;
  readonly position: number;
  /** The items after the place that the reader named, in their order. */
  readonly items: readonly SavedItem[];
  /** The reply that it goes on with, under the id of its first turn; only if it is read from its start. */
  readonly extendsReply?: Message | undefined;
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  readonly errorCode: ErrorCode | undefined;
  readonly model: string | undefined;
  /** The models that failed before it; absent if there are none, and before schema version 9. */
  readonly attempts?: readonly ModelAttempt[] | undefined;
  readonly context?: SentContext | undefined;
  /** As in `TurnBegin`; absent before schema version 10. */
  readonly request?: JsonObject | undefined;
  readonly startedAt: Date;
  readonly durationMs: number | undefined;
  readonly firstTextMs: number | undefined;
}

/** A conversation, as its client names it. */
export interface ChatPlace {
  readonly conversationId: string;
  /** The AI SDK chat that it belongs to, as in `TurnBegin`. */
  readonly chatId: string | undefined;
}

/** The place that a turn continues from. */
export interface PathStart {
  readonly conversationId: string | undefined;
  /** The AI SDK chat that the conversation belongs to, as in `TurnBegin`. */
  readonly chatId?: string | undefined;
  /** The id of the last message of the path; or `leaf`, for the leaf of the named conversation. */
  readonly parentId: string;
}

/** A stored path: as much of its end as a model is sent. */
export interface StoredPath {
  readonly conversationId: string;
  /** The digest of the whole path; `undefined` for an empty one. */
  readonly digest: Digest | undefined;
  /** The same without its last message; `undefined` for none. */
  readonly parentDigest?: Digest | undefined;
  readonly messages: readonly Message[];
}

/** The newest turn of a conversation. */
export interface NewestTurn {
  readonly turnId: string;
  readonly startedAt: Date;
  /** Whether it is not over: it runs, or waits for its user. */
  readonly isRunning: boolean;
}

/** Why waiting turns go on without an answer: their time is up, or their user has asked for a stop. */
export const claimReasons = ["expired", "stop"] as const;
/** One of {@link claimReasons}. */
export type ClaimReason = (typeof claimReasons)[number];

/** A turn whose process is gone, and its body and items as far as saved. */
export interface AbandonedTurn {
  readonly turnId: string;
  readonly text: string;
  readonly items: readonly SavedItem[];
  /** Set for a turn that waited: it is to be claimed ({@link WaitingTurns.claim}), which returns its text. */
  readonly reason: ClaimReason | undefined;
}

/** Which turns count as abandoned. */
export interface AbandonedFilter {
  /** The turns that run here. */
  readonly except: readonly string[];
  /** Whether to include turns of other processes that have been silent for 30 s. */
  readonly isStaleToo: boolean;
}

/** The kinds of wake-ups: to the process that runs a turn, and to the processes that follow it. */
export const wakeUpKinds = ["followed", "saved"] as const;
/** One of {@link wakeUpKinds}. */
export type WakeUpKind = (typeof wakeUpKinds)[number];

/** Takes the wake-ups of other processes. */
export interface BusListener {
  /** Other processes follow these turns, or have asked for their stop: their owner should save them now. */
  onFollowed(turnIds: readonly string[]): void;
  /** There is more to read of these turns, or their owner has heard that they are followed. */
  onSaved(turnIds: readonly string[]): void;
  /** The bus is up, or no longer; something may have been lost. */
  onChange(): void;
}

/** The carriers of a bus: Postgres' `LISTEN` and `NOTIFY`; streams of Redis or Valkey. */
export const busCarriers = ["postgres", "redis"] as const;
/** One of {@link busCarriers}. */
export type BusCarrier = (typeof busCarriers)[number];

/** A turn on the bus, by its id and its start: clients may choose the id of a deleted turn again. */
export interface BusTurn {
  readonly turnId: string;
  readonly startedAt: Date;
}

/** A piece of a turn's text and items, as the bus carries it. */
export interface LivePiece extends Piece, BusTurn {
  /** The last item before those of this piece; `undefined` if there is none. */
  readonly afterItem?: Place | undefined;
}

/** The text of running turns, from their owners to the processes that follow them. */
export interface LiveTexts {
  /** Sends pieces; resolves with the turns whose piece is there. Never rejects. */
  add(pieces: readonly LivePiece[]): Promise<ReadonlySet<string>>;
  /**
   * Calls `take` with a turn's pieces after a place, in their order; returns a function that ends that. Some
   * may be missing, and the first may begin before the place. The last call for a turn counts.
   */
  follow(turn: BusTurn, after: Place, take: (piece: LivePiece) => void): () => void;
  /** Removes a turn's pieces soon: it is over, and its rows have all of them. */
  end(turn: BusTurn): void;
}

/**
 * Carries what processes tell each other at once. The rows remain the truth: all that it carries may be lost,
 * at the price of a later read.
 */
export interface LiveBus {
  readonly carrier: BusCarrier;
  /** Whether it reaches other processes, and they this one. */
  readonly isUp: boolean;
  /** Has the wake-ups of other processes sent to `listener`, the only one. */
  listen(listener: BusListener): void;
  /** Wakes the other processes; does nothing while the bus is not up. */
  send(kind: WakeUpKind, turnIds: readonly string[]): void;
  /** Absent if it carries no text: what is woken reads the rows. */
  readonly texts?: LiveTexts;
}

/** The progress of running turns in the store, and requests to stop them, for all processes. */
export interface TurnProgress {
  /** Saves pieces of running turns; resolves with the turns the store knows, and those to be stopped. */
  save(
    running: readonly string[],
    pieces: readonly Piece[],
  ): Promise<{ readonly known: ReadonlySet<string>; readonly stop: readonly string[] }>;
  /**
   * Resolves with the caller's turn, its text from about byte `after` on, and its items after `afterItem`;
   * `undefined` if there is no such turn.
   */
  read(turnId: string, caller: Caller, after: number, afterItem?: Place): Promise<StoredTurn | undefined>;
  /** Asks the owner of the caller's turn to stop it; resolves with whether the turn exists. */
  requestStop(turnId: string, caller: Caller): Promise<boolean>;
  /**
   * Asks for a stop of the caller's running turns in a conversation; resolves with their ids, newest first.
   */
  requestStops(chat: ChatPlace, caller: Caller): Promise<readonly string[]>;
}

/** Keeps the text of turns beyond the life of their process, and ends them as interrupted. */
export interface TurnRecovery {
  /** Keeps text of running turns on this machine's disk, while the store does not accept it. */
  keepPieces(pieces: readonly Piece[]): Promise<void>;
  /**
   * Takes over the journals of dead processes; resolves with whether the text of their turns is in the
   * database.
   */
  isSettled(): Promise<boolean>;
  /**
   * Resolves with some abandoned turns, and waiting ones that are to be claimed; the journal holds nothing
   * more of any of them.
   */
  listAbandoned(filter: AbandonedFilter): Promise<readonly AbandonedTurn[]>;
  /** Ends a turn as interrupted if it is still abandoned; resolves with whether it was. */
  endAbandoned(turnId: string, result: TurnResult, filter: AbandonedFilter): Promise<boolean>;
  /** For how long every call has succeeded, in milliseconds; 0 after a failure. */
  readonly healthyMs: number;
}

/** A text that is on disk, and takes no memory. */
export interface SpilledText {
  /** Returns its bytes. @throws AppError `store_unavailable` if the disk does not return what was written. */
  read(): Buffer;
}

/** Keeps texts of long logs on disk while anything refers to them, at most until the process ends. */
export interface TextSpill {
  /**
   * Resolves with a text of at most {@link textPageBytes} once it is on disk; with `undefined` if there is no
   * room for it. Never rejects.
   */
  write(bytes: Buffer): Promise<SpilledText | undefined>;
}

/** Stored paths, and the newest turns on them. */
export interface Paths {
  /**
   * Resolves with the caller's path that a turn continues; `undefined` if there is none.
   * @throws AppError `turn_running` if the path ends in the reply of a running turn.
   */
  readPath(from: PathStart, caller: Caller, maxChars: number): Promise<StoredPath | undefined>;
  /** Resolves with the caller's newest turn in a conversation; `undefined` if there is none. */
  findNewest(chat: ChatPlace, caller: Caller): Promise<NewestTurn | undefined>;
}

/** A user's answer to a request for approval. */
export interface ApprovalAnswer {
  readonly approvalId: string;
  readonly isApproved: boolean;
  /** For the model, if given. */
  readonly reason: string | undefined;
}

/** A turn that has waited for its user and now belongs to this process, which must go on with it. */
export interface ClaimedTurn {
  readonly turnId: string;
  readonly conversationId: string;
  readonly userId: string | undefined;
  /** The message it answers; `undefined` if that was deleted. */
  readonly parentId: string | undefined;
  readonly model: string | undefined;
  readonly startedAt: Date;
  /** The body so far. */
  readonly text: string;
  /** All items so far, the responses to its requests for approval last. */
  readonly items: readonly SavedItem[];
  /** As in `PausedTurn`. */
  readonly state: JsonObject;
  /** As in `TurnBegin`. */
  readonly request?: JsonObject | undefined;
}

/** The result of answering requests for approval. */
export type AnswerResult =
  /** The last answer: the turn goes on here. */
  | { readonly type: "claimed"; readonly turn: ClaimedTurn }
  /**
   * The answers are stored, now or already before. These approvals are still open; if none is, the turn goes
   * on, or has ended, elsewhere.
   */
  | { readonly type: "stored"; readonly pending: readonly string[] }
  /** The caller has no such turn. */
  | { readonly type: "missing" }
  /** The turn runs or is over; `stopped` also if it is about to be. */
  | { readonly type: "not-waiting"; readonly status: TurnStatus }
  /** Nothing was stored: an approval that the turn never asked for; one answered differently, or too late. */
  | { readonly type: "unknown" | "settled" | "expired"; readonly approvalId: string };

/** Turns that wait for their users, whichever process they ran in. Methods reject with a `store_…` code. */
export interface WaitingTurns {
  /** Answers requests for approval of the caller's turn. One call alone resolves with `claimed`. */
  answer(turnId: string, caller: Caller, answers: readonly ApprovalAnswer[]): Promise<AnswerResult>;
  /**
   * Takes over a waiting turn whose time is up, so that its open requests expire, or whose stop has been
   * requested (`TurnProgress.requestStop`). Resolves with `undefined` if it is not to be claimed, or no
   * longer.
   */
  claim(turnId: string, reason: ClaimReason): Promise<ClaimedTurn | undefined>;
}

/** Summaries of the starts of paths. Methods reject with a `store_…` code. */
export interface SummaryRecords {
  /** Resolves with the summaries of the caller's paths that have these digests. */
  find(digests: readonly Digest[], caller: Caller): Promise<ReadonlyMap<Digest, string>>;
  /**
   * Resolves with the caller's path that ends in a message, with its summaries; `undefined` if there is none.
   * @param maxChars how much of its end is read, in characters.
   */
  readPath(messageId: string, caller: Caller, maxChars: number): Promise<StoredPath | undefined>;
  /** Resolves with the summary of the path that ends in a message, or of an equal path of the same user. */
  adopt(messageId: string): Promise<string | undefined>;
  /** Stores the summary of the path that ends in a message, unless it has one, or is gone. */
  save(messageId: string, text: string, model: string): Promise<void>;
}

/** Turns beyond this process. Every method rejects with a `store_…` code. */
export interface TurnRecords {
  readonly progress: TurnProgress;
  /** Absent if logs stay in memory. */
  readonly spill?: TextSpill | undefined;
  /** Absent if nothing tells other processes at once: they read again and again. */
  readonly bus?: LiveBus | undefined;
  readonly recovery: TurnRecovery;
  readonly paths: Paths;
  readonly waiting: WaitingTurns;
  readonly summaries: SummaryRecords;
}
