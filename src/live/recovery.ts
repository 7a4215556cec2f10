/**
 * Ends abandoned turns: the saved text of a turn whose process died becomes an interrupted reply. Goes on
 * with turns that have waited for their users for too long.
 */
import { toAppError } from "../base/errors.ts";
import { Repeating } from "../base/repeating.ts";
import { toInterruptedResult } from "../turn/turn-result.ts";
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type { AbandonedFilter, AbandonedTurn, ClaimReason, TurnRecovery } from "../turn/records.ts";

const intervalMs = 4_000;
/** The interval until leftovers of an earlier process have been replayed from the journal. */
const unsettledIntervalMs = 500;
/** How long the store must have been healthy, and an owner silent, before another process ends its turns. */
const graceMs = 30_000;

/** The dependencies of a recovery. */
export interface RecoveryOptions {
  readonly recovery: TurnRecovery;
  readonly clock: Clock;
  /** The turns that run here, or are about to. */
  readonly here: { ids(): readonly string[]; has(turnId: string): boolean };
  readonly observe: Observer;
  /** Goes on with a turn that waited. */
  readonly claim: (turnId: string, reason: ClaimReason) => Promise<unknown>;
}

/** Looks for abandoned turns until closed: this process's own at once, others after 30 s of silence. */
export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #repeating: Repeating;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#repeating = new Repeating(options.clock, async (signal) => await this.#look(signal));
  }

  /** Ends no more turns. */
  close(): void {
    this.#repeating.close();
  }

  async #look(signal: AbortSignal): Promise<number> {
    let isSettled = false;
    try {
      isSettled = await this.#options.recovery.isSettled();
      await this.#recover(signal);
    } catch {
      // The database is unavailable, as readiness reports: the next run catches up.
    }
    return isSettled ? intervalMs : unsettledIntervalMs;
  }

  async #recover(signal: AbortSignal): Promise<void> {
    const { recovery, here } = this.#options;
    for (;;) {
      const filter = { except: here.ids(), isStaleToo: recovery.healthyMs >= graceMs };
      const abandoned = await recovery.listAbandoned(filter);
      let count = 0;
      for (const turn of abandoned) {
        if (signal.aborted) return;
        if (!here.has(turn.turnId) && (await this.#settle(turn, filter))) count += 1;
      }
      if (count === 0) return;
    }
  }

  /** Resolves with whether the turn is not abandoned any more. */
  async #settle(turn: AbandonedTurn, filter: AbandonedFilter): Promise<boolean> {
    const { turnId, reason } = turn;
    if (reason === undefined) return await this.#end(turn, filter);
    return (await this.#options.claim(turnId, reason)) !== undefined;
  }

  async #end({ turnId, text, items }: AbandonedTurn, filter: AbandonedFilter): Promise<boolean> {
    const { recovery, clock, observe } = this.#options;
    const end = async (saved: string, savedItems = items): Promise<boolean> =>
      await recovery.endAbandoned(turnId, toInterruptedResult(saved, clock.now(), savedItems), filter);
    const isEnded = await end(text).catch(async (error: unknown) => {
      const isEmpty = text === "" && items.length === 0;
      if (isEmpty || toAppError(error).code !== "write_rejected") throw error;
      return await end("", []); // its text is permanently rejected: end the turn without it, then the others
    });
    if (isEnded) observe({ type: "turn-recovered", turnId });
    return isEnded;
  }
}
