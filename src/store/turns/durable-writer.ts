/** Owns the promise that a write is safe: in the store, or, where that has not taken it in time, in the journal. */
import { AppError, toAppError } from "../../base/errors.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import type { Piece, TurnBegin } from "../../turn/ports.ts";
import { toKnownConversation } from "../../turn/turn-request.ts";
import type { TurnWrites } from "./turn-writes.ts";
import type { JournalWrite } from "../journal/write.ts";
import type { Journal } from "../journal/journal.ts";
import { JournalReplay } from "../journal/replay.ts";
import { callDeadlineMs } from "../database/database.ts";
import { storeWaitMs } from "../database/sql-failure.ts";
import type { TurnReads } from "./turn-reads.ts";
import type { DatabaseHealth } from "../database/database-health.ts";

/** What a writer works with. */
export interface DurableWriterOptions {
  readonly database: DatabaseHealth;
  readonly writes: TurnWrites;
  readonly reads: TurnReads;
  /** `undefined` where its folder cannot be used: then only the store makes a write safe. */
  readonly journal: Journal | undefined;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** An answer of the store: what it wrote, or why it did not. */
interface TypedResult {
  readonly type: string;
}

/** A write that the store is asked to take. */
export interface Write<Result extends TypedResult> {
  readonly turn: TurnBegin;
  readonly kind: JournalWrite["kind"];
  readonly call: () => Promise<Result>;
  /** As the journal holds it. */
  readonly toArgument: () => string;
  /** Asks whether the store would refuse the write for another turn's sake; where that may be. */
  readonly findRefusal?: () => Promise<Result | undefined>;
}

/** The store's answer; or the write waits in the journal, or is kept apart there. */
export type Written<Result extends TypedResult> =
  | { readonly type: "value"; readonly value: Result }
  | { readonly type: "queued" | "rejected" };

/** Writes turns. */
export class DurableWriter {
  readonly #options: DurableWriterOptions;
  readonly #replay: JournalReplay | undefined;
  /** Writes in the journal whose first call to the store has not settled yet. */
  readonly #inFlight = new Set<number>();
  /** Turns of this process that have pieces in the journal. */
  readonly #withPieces = new Set<string>();
  /** Turns whose begin the store will never take. */
  readonly #rejected = new Set<string>();
  /** Settles once what an earlier process left is known. */
  #leftoversLoaded: Promise<void> | undefined;
  #hasToldOfAdoption = false;

  constructor(options: DurableWriterOptions) {
    this.#options = options;
    const { journal } = options;
    if (journal === undefined) return;
    const isInFlight = (id: number): boolean => this.#inFlight.has(id);
    this.#replay = new JournalReplay({ ...options, journal, isInFlight, rejected: this.#rejected });
    this.#leftoversLoaded = this.#loadLeftovers(this.#replay);
  }

  /** @throws AppError with a `store_…` or `write_rejected` code when the write is neither in the store nor in the journal. */
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

  /** Puts text of running turns into the journal. @throws AppError `store_unavailable`. */
  async keepPieces(pieces: readonly Piece[]): Promise<void> {
    const { journal } = this.#options;
    if (journal === undefined || pieces.length === 0) return;
    for (const { turnId } of pieces) this.#withPieces.add(turnId);
    await journal.appendPieces(pieces);
  }

  /** The turn is over: its pieces are of no use any more once its end is in the store. */
  dropPieces(turnId: string, isStored: boolean): void {
    const hasPieces = this.#withPieces.delete(turnId);
    // At worst they land later, to no effect.
    if (hasPieces && isStored) void this.#options.journal?.removePieces(turnId).catch(() => {});
  }

  /** Turns that the journal holds something of; one may stand here twice: what the rows say of them is not all there is. */
  get heldTurns(): readonly string[] {
    const queued = Array.from(this.#options.journal?.queue.values() ?? [], ({ turnId }) => turnId);
    return [...(this.#replay?.leftoverTurns ?? []), ...queued];
  }

  /** Takes over what processes that died left in the journal; resolves with whether the text of their turns is in the store. */
  async isSettled(): Promise<boolean> {
    const { journal, observe } = this.#options;
    if (journal === undefined || this.#replay === undefined) return true;
    const count = journal.owners.length;
    try {
      await journal.adopt();
    } catch (error) {
      if (!this.#hasToldOfAdoption) observe({ type: "store-trouble", error: toAppError(error) });
      this.#hasToldOfAdoption = true;
    }
    if (journal.owners.length > count) this.#leftoversLoaded = this.#loadLeftovers(this.#replay);
    await this.#leftoversLoaded;
    return this.#replay.leftoverTurns.length === 0;
  }

  /** Ends the attempts to land what waits, and closes the journal: what waits then lands after the next start. */
  async close(): Promise<void> {
    const { clock, journal } = this.#options;
    // An attempt that a frozen store does not answer is made again then.
    if (this.#replay !== undefined) await settleWithin(clock, this.#replay.close(), storeWaitMs);
    await journal?.close();
  }

  async #loadLeftovers(replay: JournalReplay): Promise<void> {
    await replay
      .loadLeftovers((turnId) => this.#withPieces.has(turnId))
      .catch((error: unknown) => this.#options.observe({ type: "store-trouble", error: toAppError(error) }));
  }

  /** The store took a call: what waits need not wait longer. */
  retrySoon(): void {
    this.#replay?.retrySoon();
  }

  /** What could be refused waits for a store that is slow, but not for one that is away: else there might be two turns. */
  #waitMsFor({ findRefusal }: Write<TypedResult>): number {
    return findRefusal !== undefined && this.#options.database.healthyMs > 0 ? callDeadlineMs : storeWaitMs;
  }

  /** A write that must queue may be refused all the same, if the store is there to say so. */
  async #findRefusal<Result extends TypedResult>(write: Write<Result>): Promise<Result | undefined> {
    if (write.findRefusal === undefined) return undefined;
    const asked = await settleWithin(this.#options.clock, write.findRefusal(), this.#waitMsFor(write));
    if (asked.type === "value") this.retrySoon();
    return asked.type === "value" ? asked.value : undefined;
  }

  /** Later writes of a conversation queue behind its earlier ones; so does one that may turn out to continue it. */
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

  /** The store will never take it. */
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

  /** The store may still take it: it is put into the journal meanwhile, and taken out again if so. */
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
      // What was refused is for the replay to land all the same, as far as it may be: the turn has gone on.
      if (type === "saved" || type === "deleted" || type === "ended" || type === "gone") {
        await this.#options.journal?.remove(id);
        this.#options.observe({ type: "write-stored", turn });
      }
      this.#inFlight.delete(id);
      this.retrySoon();
    } catch {
      this.#inFlight.delete(id); // it lands from the journal: everything may be written twice
      this.#replay?.backOff();
    }
  }

  async #append(
    { turn, kind, toArgument }: Write<TypedResult>,
    error: AppError | undefined,
  ): Promise<number> {
    const { journal, observe } = this.#options;
    if (journal === undefined) throw error ?? new AppError("store_unavailable", "no answer, and no journal");
    const { turnId, conversationId, caller } = turn;
    const { id } = await journal.append({ kind, turnId, conversationId, userId: caller.userId, toArgument });
    if (error?.code !== "write_rejected") observe({ type: "write-queued", turn, error });
    return id;
  }
}
