/** Keeps finished turns that only this process can show, for a while and within a bound. */
import type { Clock } from "../base/clock.ts";
import { isWaiting, type FollowedTurn } from "./live-turn.ts";

/** How long a turn is kept, in milliseconds, and the most bytes in all. */
const keepMs = 10 * 60_000;
const maxKeptBytes = 64 * 1024 * 1024;
/** Memory of a turn besides its text, about. */
const keptOverheadBytes = 16 * 1024;

/** A finished turn: its log, and nothing else. */
interface KeptTurn {
  readonly turn: FollowedTurn;
  readonly sizeBytes: number;
  readonly onForgotten: () => void;
}

/** Turns whose rows are not in the store, oldest first. */
export class KeptTurns {
  readonly #clock: Clock;
  readonly #turns = new Map<string, KeptTurn>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(turnId: string): FollowedTurn | undefined {
    return this.#turns.get(turnId)?.turn;
  }

  /** Returns the turns that wait for their user, as far as this process knows. */
  listWaiting(): readonly FollowedTurn[] {
    return Array.from(this.#turns.values(), ({ turn }) => turn).filter(isWaiting);
  }

  /** Keeps `turn`; calls `onForgotten` when it is not kept any more. */
  keep(turn: FollowedTurn, onForgotten: () => void): void {
    const sizeBytes = turn.log.heldBytes + toItemBytes(turn) + keptOverheadBytes;
    this.forget(turn.id); // one that waited, and has gone on
    const kept = { turn, sizeBytes, onForgotten };
    this.#turns.set(turn.id, kept);
    this.#bytes += sizeBytes;
    this.#clock.after(keepMs, () => {
      if (this.#turns.get(turn.id) === kept) this.forget(turn.id);
    });
    for (const id of this.#turns.keys()) {
      if (this.#bytes <= maxKeptBytes) break;
      this.forget(id);
    }
  }

  /** Keeps a turn no longer, if it is kept. */
  forget(turnId: string): void {
    const kept = this.#turns.get(turnId);
    if (kept === undefined) return;
    this.#turns.delete(turnId);
    this.#bytes -= kept.sizeBytes;
    kept.onForgotten();
  }
}

/** Returns about how much memory the items of a turn take: their texts are there as a whole and in pieces. */
function toItemBytes({ log }: FollowedTurn): number {
  return log.hasItems ? 2 * JSON.stringify(log.itemsAfter()).length : 0;
}
