/** Replays the journal's writes into the database: in order, once each, retrying until it accepts them. */
import { AppError, toAppError } from "../../base/errors.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import { toInterruptedResult } from "../../turn/turn-result.ts";
import { toEndArgument, type TurnWrites } from "../turns/turn-writes.ts";
import { parseQueuedBegin, parseQueuedEnd } from "./entry.ts";
import type { QueuedWrite } from "./write.ts";
import type { Journal } from "./journal.ts";
import type { TurnReads } from "../turns/turn-reads.ts";

const firstDelayMs = 500;
const maxDelayMs = 30_000;
/** After so many failures in one pass the database counts as unavailable. */
const maxFailures = 3;

/** The dependencies of a replay. */
export interface JournalReplayOptions {
  readonly journal: Journal;
  readonly writes: TurnWrites;
  readonly reads: TurnReads;
  readonly clock: Clock;
  /**
   * Whether the first call of a write is still in flight: until it settles, its conversation is left alone.
   */
  readonly isInFlight: (id: number) => boolean;
  /** Turns whose begin was permanently rejected, so that their end will be, too. */
  readonly rejected: Set<string>;
  readonly observe: Observer;
}

/** Replays the writes of a journal. A failed write blocks only later ones of its conversation or user. */
export class JournalReplay {
  readonly #options: JournalReplayOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #failedPasses = 0;
  #isClosed = false;
  /** Whether the last attempt found the database unavailable. */
  #wasUnavailable = false;
  /** The id that the next pass starts from. */
  #nextId = 0;
  /** Turns with pieces in the journal that were left over by a dead process. */
  #leftoverTurns: readonly string[] = [];

  constructor(options: JournalReplayOptions) {
    this.#options = options;
  }

  /** Turns that died with their process, and whose last text is not in the rows yet. */
  get leftoverTurns(): readonly string[] {
    return this.#leftoverTurns;
  }

  /** Finds the pieces that dead processes left in the journal, and starts. */
  async loadLeftovers(own: (turnId: string) => boolean): Promise<void> {
    const turns = await this.#options.journal.listPieceTurns();
    this.#leftoverTurns = turns.filter((turnId) => !own(turnId));
    this.start();
  }

  /** Starts to replay, unless a failure is being waited out. */
  start(): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#isWanted = true;
    this.#running ??= this.#run().then((isDone) => {
      this.#running = undefined;
      this.#failedPasses = isDone ? 0 : this.#failedPasses + 1;
      if (!isDone) this.backOff();
      else if (this.#isWanted) this.start();
    });
  }

  /**
   * Called when the database has accepted a call. If it was unavailable, it is back: wait no longer than the
   * shortest delay. Writes that it refuses while available are not retried more often for that.
   */
  retrySoon(): void {
    if (this.#options.journal.queue.size + this.#leftoverTurns.length === 0) return;
    if (this.#timer === undefined) return this.start();
    if (!this.#wasUnavailable) return;
    this.#wasUnavailable = false;
    this.#failedPasses = 0;
    this.#timer.cancel();
    this.#timer = undefined;
    this.backOff();
  }

  /** Schedules another attempt after a failure: later each time, up to 30 s. */
  backOff(): void {
    if (this.#isClosed || this.#running !== undefined || this.#timer !== undefined) return;
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** this.#failedPasses);
    this.#timer = this.#options.clock.after(delayMs * (0.5 + Math.random() / 2), () => {
      this.#timer = undefined;
      this.start();
    });
  }

  /** Starts no more attempts; resolves once none is running. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Resolves with whether the last pass had no failure. */
  async #run(): Promise<boolean> {
    let isDone = true;
    while (isDone && this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      isDone = await this.#pass();
    }
    return isDone;
  }

  /**
   * Tries every write once, starting where the last pass gave up: otherwise three writes that always fail
   * would block all others. Resolves with whether none failed.
   */
  async #pass(): Promise<boolean> {
    const { journal, isInFlight } = this.#options;
    const blocked = new Set<string>();
    const startId = this.#nextId;
    this.#nextId = 0;
    let failures = 0;
    for (const write of journal.queue.values()) {
      if (this.#isClosed) return false;
      const { conversationId, userId = conversationId, id } = write;
      const mayTry = id >= startId && !blocked.has(conversationId) && !blocked.has(userId) && !isInFlight(id);
      if (mayTry && (await this.#attempt(write))) continue;
      blocked.add(conversationId).add(userId);
      if (!mayTry) continue;
      failures += 1;
      if (failures < maxFailures) continue;
      this.#nextId = id + 1;
      return false;
    }
    if (!(await this.#replayLeftovers()) || failures > 0) return false;
    // The writes skipped at the start are due now.
    this.#isWanted ||= startId > 0;
    return true;
  }

  /** Resolves with whether the write is done with. */
  async #attempt(write: QueuedWrite): Promise<boolean> {
    const { journal, observe } = this.#options;
    try {
      const isKept = await this.#replayWrite(write);
      await journal.remove(write.id);
      if (write.kind === "end") await journal.removePieces(write.turnId);
      else this.#options.rejected.delete(write.turnId); // it was tried again
      observe({ type: isKept ? "write-stored" : "conversation-deleted", turn: write });
      return true;
    } catch (cause) {
      const error = toAppError(cause);
      this.#wasUnavailable = error.code === "store_unavailable";
      if (error.code.startsWith("store_")) return false;
      if (write.kind === "begin") this.#options.rejected.add(write.turnId);
      await journal.quarantine(write.id, error.message).catch(() => {}); // it is tried, and reported, again
      observe({ type: "write-rejected", turn: write, error });
      return true;
    }
  }

  /** Resolves with whether the database kept the write; its conversation may have been deleted. */
  async #replayWrite({ id, kind, turnId }: QueuedWrite): Promise<boolean> {
    const { journal, writes, clock } = this.#options;
    const text = await journal.read(id);
    if (kind === "end") {
      if (this.#options.rejected.delete(turnId))
        throw new AppError("write_rejected", "its begin was rejected");
      const { argument, endedAt } = parseQueuedEnd(text);
      const ageMs = Math.max(0, clock.now().getTime() - endedAt.getTime());
      return (await writes.end({ ...argument, age_ms: ageMs })).type === "ended";
    }
    const turn = parseQueuedBegin(text);
    const begun = await writes.begin(turn, true, journal.owners);
    switch (begun.type) {
      case "saved":
        if (begun.attachments !== undefined) await writes.storeAttachments(turn, begun.attachments.missing);
        return true;
      case "deleted":
        return false;
      case "taken":
      case "exists":
      case "foreign":
      case "limited":
      case "full":
      case "running":
      case "missing":
        throw new AppError("write_rejected", "the turn's id belongs to another turn");
    }
  }

  async #replayPieces(turnId: string): Promise<void> {
    const { journal, reads, writes, clock } = this.#options;
    const pieces = await journal.readPieces(turnId);
    await reads.saveProgress(journal.owners, [], pieces);
    // Another process may have ended the turn already, without these.
    const extended = await reads.extendInterrupted(turnId, pieces);
    if (extended !== undefined) {
      const { text, items } = extended;
      await writes.end(toEndArgument(turnId, toInterruptedResult(text, clock.now(), items)));
    }
    await journal.removePieces(turnId);
  }

  /**
   * Replays the last text of turns that died with their process while the database was unavailable: recovery
   * finds it in the rows. Resolves with whether all are done that need not wait for a write of their turn.
   */
  async #replayLeftovers(): Promise<boolean> {
    const { journal } = this.#options;
    for (const turnId of this.#leftoverTurns) {
      if (this.#isClosed) return false;
      if (journal.holdsTurn(turnId)) continue;
      try {
        await this.#replayPieces(turnId);
      } catch (cause) {
        const error = toAppError(cause);
        this.#wasUnavailable = error.code === "store_unavailable";
        if (error.code.startsWith("store_")) return false;
        this.#options.observe({ type: "store-trouble", error }); // it stays in the journal
      }
      this.#leftoverTurns = this.#leftoverTurns.filter((leftover) => leftover !== turnId);
    }
    return true;
  }
}
