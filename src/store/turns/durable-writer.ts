/** Makes writes durable: in the database or, if it does not accept them in time, in the journal. */
import { AppError, toAppError } from "../../base/errors.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import type { TurnBegin } from "../../turn/ports.ts";
import type { Piece } from "../../turn/records.ts";
import { toKnownConversation } from "../../turn/turn-request.ts";
import type { TurnWrites } from "./turn-writes.ts";
import type { JournalWrite } from "../journal/write.ts";
import type { Journal } from "../journal/journal.ts";
import { JournalReplay } from "../journal/replay.ts";
import { callDeadlineMs, storeWaitMs } from "../database/database.ts";
import type { TurnReads } from "./turn-reads.ts";
import type { DatabaseHealth } from "../database/database-health.ts";

/** The dependencies of a writer. */
export interface DurableWriterOptions {
  readonly database: DatabaseHealth;
  readonly writes: TurnWrites;
  readonly reads: TurnReads;
  /** `undefined` if its folder cannot be used: then only the database makes writes durable. */
  readonly journal: Journal | undefined;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** A result of the database; its `type` says whether anything was written. */
interface TypedResult {
  readonly type: string;
}

/** A write for the database. */
export interface Write<Result extends TypedResult> {
  readonly turn: TurnBegin;
  readonly kind: JournalWrite["kind"];
  readonly call: () => Promise<Result>;
  /** Its argument, as the journal stores it. */
  readonly toArgument: JournalWrite["toArgument"];
  /** Asks whether the database would refuse the write because of another turn; present if it may. */
  readonly findRefusal?: () => Promise<Result | undefined>;
}

/** The database's result; or the write was queued in the journal, or quarantined there. */
export type Written<Result extends TypedResult> =
  | { readonly type: "value"; readonly value: Result }
  | { readonly type: "queued" | "rejected" };

/** Writes turns. */
export class DurableWriter {
  readonly #options: DurableWriterOptions;
  readonly #replay: JournalReplay | undefined;
  /** Writes in the journal whose first call to the database is still in flight. */
  readonly #inFlight = new Set<number>();
  /** Turns of this process with pieces in the journal. */
  readonly #withPieces = new Set<string>();
  /** Turns whose begin was permanently rejected. */
  readonly #rejected = new Set<string>();
  /** Settles once the leftovers of earlier processes are known. */
  #leftoversLoaded: Promise<void> | undefined;
  #hasReportedAdoption = false;

  constructor(options: DurableWriterOptions) {
    this.#options = options;
    const { journal } = options;
    if (journal === undefined) return;
    const isInFlight = (id: number): boolean => this.#inFlight.has(id);
    this.#replay = new JournalReplay({ ...options, journal, isInFlight, rejected: this.#rejected });
    this.#leftoversLoaded = this.#loadLeftovers(this.#replay);
  }

  /**
   * @throws AppError with a `store_…` or `write_rejected` code if neither the database nor the journal has
   * the write.
   */
  async write<Result extends TypedResult>(write: Write<Result>): Promise<Written<Result>> {
    if (write.kind === "end" && this.#rejected.delete(write.turn.turnId))
      return await this.#quarantine(write, new AppError("write_rejected", "its begin was rejected"));
    if (this.#mustQueue(write)) {
      const refusal = await this.#findRefusal(write);
      return refusal === undefined ? await this.#queue(write, undefined) : { type: "value", value: refusal };
    }
    const calling = write.call();
    const first = await settleWithin(this.#options.clock, calling, this.#waitMsFor(write));
    switch (first.type) {
      case "value":
        this.retrySoon();
        return first;
      case "error":
        if (first.error.code === "write_rejected") return await this.#quarantine(write, first.error);
        return await this.#queue(write, first.error);
      case "late":
        return await this.#queueLate(write, calling);
    }
  }

  /** Appends text of running turns to the journal. @throws AppError `store_unavailable`. */
  async keepPieces(pieces: readonly Piece[]): Promise<void> {
    const { journal } = this.#options;
    if (journal === undefined || pieces.length === 0) return;
    for (const { turnId } of pieces) this.#withPieces.add(turnId);
    await journal.appendPieces(pieces);
  }

  /** Called at the end of a turn: its pieces are no longer needed once the end is stored. */
  dropPieces(turnId: string, isStored: boolean): void {
    const hasPieces = this.#withPieces.delete(turnId);
    // At worst they are replayed later, without effect.
    if (hasPieces && isStored) void this.#options.journal?.removePieces(turnId).catch(() => {});
  }

  /** Turns with anything in the journal, perhaps named twice: their rows are incomplete. */
  get heldTurns(): readonly string[] {
    const queued = Array.from(this.#options.journal?.queue.values() ?? [], ({ turnId }) => turnId);
    return [...(this.#replay?.leftoverTurns ?? []), ...queued];
  }

  /**
   * Takes over the journals of dead processes, and queues writes that an operator has released; resolves with
   * whether the text of dead processes' turns is in the database.
   */
  async isSettled(): Promise<boolean> {
    const { journal, observe } = this.#options;
    if (journal === undefined || this.#replay === undefined) return true;
    const count = journal.owners.length;
    try {
      if (await journal.takeReleased()) this.retrySoon();
      await journal.adopt();
    } catch (error) {
      if (!this.#hasReportedAdoption) observe({ type: "store-trouble", error: toAppError(error) });
      this.#hasReportedAdoption = true;
    }
    if (journal.owners.length > count) this.#leftoversLoaded = this.#loadLeftovers(this.#replay);
    await this.#leftoversLoaded;
    return this.#replay.leftoverTurns.length === 0;
  }

  /** Stops the replay and closes the journal: queued writes are replayed after the next start. */
  async close(): Promise<void> {
    const { clock, journal } = this.#options;
    // An attempt that a frozen database does not answer is repeated then.
    if (this.#replay !== undefined) await settleWithin(clock, this.#replay.close(), storeWaitMs);
    await journal?.close();
  }

  async #loadLeftovers(replay: JournalReplay): Promise<void> {
    await replay
      .loadLeftovers((turnId) => this.#withPieces.has(turnId))
      .catch((error: unknown) => this.#options.observe({ type: "store-trouble", error: toAppError(error) }));
  }

  /** Called when the database has accepted a call: retry queued writes soon. */
  retrySoon(): void {
    this.#replay?.retrySoon();
  }

  /**
   * A write that may be refused waits for a slow database, but not for an unavailable one: else there might
   * be two turns.
   */
  #waitMsFor({ findRefusal }: Write<TypedResult>): number {
    return findRefusal !== undefined && this.#options.database.healthyMs > 0 ? callDeadlineMs : storeWaitMs;
  }

  /** A write that must queue may still be refused, if the database is available. */
  async #findRefusal<Result extends TypedResult>(write: Write<Result>): Promise<Result | undefined> {
    if (write.findRefusal === undefined) return undefined;
    const asked = await settleWithin(this.#options.clock, write.findRefusal(), this.#waitMsFor(write));
    if (asked.type === "value") this.retrySoon();
    return asked.type === "value" ? asked.value : undefined;
  }

  /**
   * Writes of a conversation queue behind its earlier ones; so does a begin that may turn out to continue it.
   */
  #mustQueue({ turn, kind }: Write<TypedResult>): boolean {
    const { journal } = this.#options;
    if (journal === undefined) return false;
    const { conversationId, turnId, caller } = turn;
    return (
      journal.holdsConversation(conversationId) ||
      journal.holdsTurn(turnId) ||
      (kind === "begin" &&
        toKnownConversation(turn) === undefined &&
        caller.userId !== undefined &&
        journal.holdsUser(caller.userId))
    );
  }

  async #queue<Result extends TypedResult>(
    write: Write<Result>,
    error: AppError | undefined,
  ): Promise<Written<Result>> {
    await this.#append(write, error);
    if (error === undefined) this.#replay?.start();
    else this.#replay?.backOff();
    return { type: "queued" };
  }

  /** The write was permanently rejected. */
  async #quarantine<Result extends TypedResult>(
    write: Write<Result>,
    error: AppError,
  ): Promise<Written<Result>> {
    const { journal, observe } = this.#options;
    const id = await this.#append(write, error);
    await journal?.quarantine(id, error.message);
    if (write.kind === "begin") this.#rejected.add(write.turn.turnId);
    observe({ type: "write-rejected", turn: write.turn, error });
    return { type: "rejected" };
  }

  /** The database may still accept the write: the journal holds it until then. */
  async #queueLate<Result extends TypedResult>(
    write: Write<Result>,
    calling: Promise<Result>,
  ): Promise<Written<Result>> {
    let id: number;
    try {
      id = await this.#append(write, undefined);
    } catch {
      return { type: "value", value: await calling };
    }
    this.#inFlight.add(id);
    void this.#settleLate(write.turn, id, calling);
    return { type: "queued" };
  }

  async #settleLate(turn: TurnBegin, id: number, calling: Promise<TypedResult>): Promise<void> {
    try {
      const { type } = await calling;
      // A refused write is replayed as far as possible, since its turn has gone on.
      if (type === "saved" || type === "deleted" || type === "ended" || type === "gone") {
        await this.#options.journal?.remove(id);
        this.#options.observe({ type: "write-stored", turn });
      }
      this.#inFlight.delete(id);
      this.retrySoon();
    } catch {
      this.#inFlight.delete(id); // it is replayed from the journal: every write may be repeated
      this.#replay?.backOff();
    }
  }

  async #append(
    { turn, kind, toArgument }: Write<TypedResult>,
    error: AppError | undefined,
  ): Promise<number> {
    const { journal, observe } = this.#options;
    if (journal === undefined)
      throw error ?? new AppError("store_unavailable", "no response, and no journal");
    const { turnId, conversationId, caller } = turn;
    const { id } = await journal.append({ kind, turnId, conversationId, userId: caller.userId, toArgument });
    if (error?.code !== "write_rejected") observe({ type: "write-queued", turn, error });
    return id;
  }
}
