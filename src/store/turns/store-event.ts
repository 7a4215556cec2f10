/** Owns what a store tells of turns beyond its answers, for the log. */
import type { AppError } from "../../base/errors.ts";
import type { TurnBegin } from "../../turn/ports.ts";

/** The turn that an event is about. */
type EventTurn = Pick<TurnBegin, "turnId" | "conversationId">;

/** Something that became of a turn's rows. */
export type StoreEvent =
  /** The store did not take a write, which waits in the journal. */
  | { readonly type: "queued"; readonly turn: EventTurn; readonly error: AppError | undefined }
  /** A write that waited in the journal is in the store. */
  | { readonly type: "stored"; readonly turn: EventTurn }
  /** The store will never take a write; the journal keeps it apart. */
  | { readonly type: "rejected"; readonly turn: EventTurn; readonly error: AppError }
  /** A write is nowhere. */
  | { readonly type: "lost"; readonly turn: EventTurn; readonly error: AppError }
  /** The conversation was deleted while its turn ran, and stays so. */
  | { readonly type: "deleted"; readonly turn: EventTurn };

/** Told of every event. */
export type OnStoreEvent = (event: StoreEvent) => void;
