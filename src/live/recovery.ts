/** Owns the end of turns that nobody runs any more: what was saved of them becomes an interrupted reply. */
import { toAppError } from "../base/errors.ts";
import { toInterruptedResult } from "../turn/turn-result.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type { AbandonedFilter, AbandonedTurn, TurnRecords } from "../turn/ports.ts";

/** From one look to the next. */
const intervalMs = 4_000;
/** The same, while what an earlier process left in the journal has not landed. */
const unsettledIntervalMs = 500;
/** For how long owners may be silent, and must have been able to speak, before their turns are taken from them. */
const graceMs = 30_000;

/** What recovery works with. */
export interface RecoveryOptions {
  readonly records: TurnRecords;
  readonly clock: Clock;
  /** The turns that run here, or are about to. */
  readonly here: { ids(): readonly string[]; has(turnId: string): boolean };
  readonly observe: Observer;
}

/** Looks for abandoned turns from its making on: its own process's at once, others' once they are silent for 30 s. */
export class Recovery {
  readonly #options: RecoveryOptions;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    void this.#look();
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { records, clock } = this.#options;
    let isSettled = false;
    try {
      isSettled = await records.isSettled();
      await this.#recover();
    } catch {
      // The store is away, which its readiness tells: the next look finds what this one did not.
    }
    if (this.#isClosed) return;
    this.#timer = clock.after(isSettled ? intervalMs : unsettledIntervalMs, () => void this.#look());
  }

  async #recover(): Promise<void> {
    const { records, here } = this.#options;
    for (;;) {
      const filter = { except: here.ids(), isStaleToo: records.healthyMs >= graceMs };
      const abandoned = await records.listAbandoned(filter);
      let count = 0;
      for (const turn of abandoned) {
        if (this.#isClosed) return;
        if (!here.has(turn.turnId) && (await this.#end(turn, filter))) count += 1;
      }
      if (count === 0) return;
    }
  }

  async #end({ turnId, text }: AbandonedTurn, filter: AbandonedFilter): Promise<boolean> {
    const { records, clock, observe } = this.#options;
    const end = async (saved: string): Promise<boolean> =>
      await records.endAbandoned(turnId, toInterruptedResult(saved, clock.now()), filter);
    const isEnded = await end(text).catch(async (error: unknown) => {
      if (text === "" || toAppError(error).code !== "write_rejected") throw error;
      return await end(""); // the store will never take its text, which must not keep other turns from their end
    });
    if (isEnded) observe({ type: "turn-recovered", turnId });
    return isEnded;
  }
}
