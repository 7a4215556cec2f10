/** Owns the way of the journal's writes into the store: in order, once each, again and again until it takes them. */
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
/** After so many failures in one pass the store counts as away. */
const maxFailures = 3;

/** What a replay works with. */
export interface JournalReplayOptions {
  readonly journal: Journal;
  readonly writes: TurnWrites;
  readonly reads: TurnReads;
  readonly clock: Clock;
  /** Whether the first call of a write is still out: until that has settled nothing of its conversation moves. */
  readonly isInFlight: (id: number) => boolean;
  /** Turns whose begin the store will never take, and whose end it therefore cannot. */
  readonly rejected: Set<string>;
  readonly observe: Observer;
}

/** Lands the writes of a journal. What fails blocks what came later in its conversation, or of its user, and no other. */
export class JournalReplay {
  readonly #options: JournalReplayOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #failedPasses = 0;
  #isClosed = false;
  /** Whether the store could not be asked at all when a write was last tried. */
  #wasUnavailable = false;
  /** Where the next pass starts. */
  #nextId = 0;
  /** Turns whose pieces in the journal are not this process's own, but left by one that died. */
  #leftoverTurns: readonly string[] = [];

  constructor(options: JournalReplayOptions) {
    this.#options = options;
  }

  /** Turns that died with their process, whose last words are not in the rows yet. */
  get leftoverTurns(): readonly string[] {
    return this.#leftoverTurns;
  }

  /** Takes on what is in the journal and was put there by a process that is no more. */
  async loadLeftovers(own: (turnId: string) => boolean): Promise<void> {
    const turns = await this.#options.journal.listPieceTurns();
    this.#leftoverTurns = turns.filter((turnId) => !own(turnId));
    this.start();
  }

  /** There is something to land: tries at once, unless it is waiting out a failure. */
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
   * The store took a call. If it was away, it is back: that need not be waited out for longer than the shortest time. Writes
   * that it refuses, though it is there, are not tried more often for it.
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

  /** There is something to land, but the store has just failed: tries after a while, longer each time, up to 30 s. */
  backOff(): void {
    if (this.#isClosed || this.#running !== undefined || this.#timer !== undefined) return;
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** this.#failedPasses);
    this.#timer = this.#options.clock.after(delayMs * (0.5 + Math.random() / 2), () => {
      this.#timer = undefined;
      this.start();
    });
  }

  /** Ends the attempts; resolves once none runs. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Resolves with whether the last pass met no failure. */
  async #run(): Promise<boolean> {
    let isDone = true;
    while (isDone && this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      isDone = await this.#pass();
    }
    return isDone;
  }

  /**
   * Tries every write once, from where the last pass was given up: else three that always fail would keep all others out.
   * Resolves with whether none failed.
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
    // What was passed over at the start is due now.
    this.#isWanted ||= startId > 0;
    return true;
  }

  /** Resolves with whether the write need not be tried again. */
  async #attempt(write: QueuedWrite): Promise<boolean> {
    const { journal, observe } = this.#options;
    try {
      const isKept = await this.#replayWrite(write);
      await journal.remove(write.id);
      if (write.kind === "end") await journal.removePieces(write.turnId);
      observe({ type: isKept ? "write-stored" : "conversation-deleted", turn: write });
      return true;
    } catch (cause) {
      const error = toAppError(cause);
      this.#wasUnavailable = error.code === "store_unavailable";
      if (error.code.startsWith("store_")) return false;
      if (write.kind === "begin") this.#options.rejected.add(write.turnId);
      await journal.quarantine(write.id, error.message).catch(() => {}); // it is tried, and told, again
      observe({ type: "write-rejected", turn: write, error });
      return true;
    }
  }

  /** Writes to the store; resolves with whether it keeps it. */
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
    const answer = await writes.begin(parseQueuedBegin(text), true, journal.owners);
    switch (answer.type) {
      case "saved":
        return true;
      case "deleted":
        return false;
      case "taken":
      case "exists":
      case "foreign":
      case "limited":
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
    const text = await reads.extendInterrupted(turnId, pieces);
    if (text !== undefined) await writes.end(toEndArgument(turnId, toInterruptedResult(text, clock.now())));
    await journal.removePieces(turnId);
  }

  /**
   * Lands the last words of turns that died with their process and the store away: recovery finds them in the rows.
   * Resolves with whether all landed that need not wait for a write of their turn.
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
        this.#options.observe({ type: "store-trouble", error }); // it stays in the journal, and must not keep the others
      }
      this.#leftoverTurns = this.#leftoverTurns.filter((leftover) => leftover !== turnId);
    }
    return true;
  }
}
