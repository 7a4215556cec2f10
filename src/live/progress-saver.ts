/** Owns the saving of what running turns have said so far, all together in one call a tick. */
import { toAppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Piece, TurnRecords } from "../turn/ports.ts";
import type { LiveTurn } from "./live-turn.ts";

const tickMs = 500;
/** The longest time between two attempts while the store is away. */
const maxRetryMs = 5_000;
/** How much text one call carries, in UTF-16 code units; the rest goes with the next. */
const maxCallLength = 4 * 1024 * 1024;

/**
 * Saves every tick: to the store; or, while a call to it is out or has failed, to the journal, so that at most two ticks
 * of text are lost with the process. Brings back whom to stop.
 */
export class ProgressSaver {
  readonly #records: TurnRecords;
  readonly #clock: Clock;
  /** The turns that run, in order of their start. */
  readonly #turns: ReadonlyMap<string, LiveTurn>;
  /** Running turns whose text the store will never take. */
  readonly #unsavable = new Set<string>();
  #isTicking = false;
  #isSaving = false;
  #isKeeping = false;
  #failures = 0;
  #retryAtMs = 0;

  constructor(records: TurnRecords, clock: Clock, turns: ReadonlyMap<string, LiveTurn>) {
    this.#records = records;
    this.#clock = clock;
    this.#turns = turns;
  }

  /** There is a turn to save. It ticks from now on, until there is none. */
  wake(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#clock.after(tickMs, () => this.#tick());
  }

  #tick(): void {
    this.#isTicking = false;
    if (this.#turns.size === 0) return this.#unsavable.clear();
    this.wake();
    const turns = Array.from(this.#turns.values()).filter(({ isKept }) => isKept);
    if (turns.length === 0) return;
    if (this.#isSaving || this.#clock.monotonicMs() < this.#retryAtMs) return void this.#keep(turns);
    this.#isSaving = true;
    void this.#save(turns).finally(() => (this.#isSaving = false));
  }

  async #save(turns: readonly LiveTurn[]): Promise<void> {
    const pieces = collectPieces(
      turns.filter(({ id }) => !this.#unsavable.has(id)),
      ({ storedPosition }) => storedPosition,
    );
    try {
      const known = await this.#send(turns, pieces);
      this.#failures = 0;
      // A turn that the store does not know yet began while it was away.
      await this.#keep(turns.filter(({ id }) => !known.has(id)));
    } catch (error) {
      if (toAppError(error).code === "write_rejected") return await this.#sendEach(turns, pieces);
      this.#failures += 1;
      const delayMs = Math.min(maxRetryMs, tickMs * 2 ** this.#failures);
      this.#retryAtMs = this.#clock.monotonicMs() + delayMs * (0.5 + Math.random() / 2);
      await this.#keep(turns);
    }
  }

  /** Resolves with the turns that the store knows: of those it has the pieces. */
  async #send(turns: readonly LiveTurn[], pieces: readonly Piece[]): Promise<ReadonlySet<string>> {
    const ids = turns.map(({ id }) => id);
    const stored = turns.filter(({ run }) => run.isStored);
    const { known, stop } = await this.#records.saveProgress(ids, pieces);
    for (const { turnId, position, text } of pieces) {
      const turn = this.#turns.get(turnId);
      if (turn === undefined || !known.has(turnId)) continue;
      turn.storedPosition = position + Buffer.byteLength(text);
      turn.safePosition = Math.max(turn.safePosition, turn.storedPosition);
    }
    for (const id of stop) void this.#turns.get(id)?.stop();
    for (const turn of turns) if (known.has(turn.id)) turn.run.isStored = true;
    // Deleted with its conversation: it is counted as if it had ended then, and nobody will read the rest.
    for (const turn of stored) if (!known.has(turn.id)) void turn.stop();
    return known;
  }

  /** The store will never take one of the pieces, which must not keep it from the others, nor from the signs of life. */
  async #sendEach(turns: readonly LiveTurn[], pieces: readonly Piece[]): Promise<void> {
    for (const piece of pieces) {
      const turn = turns.filter(({ id }) => id === piece.turnId);
      await this.#send(turn, [piece]).catch((error: unknown) => {
        if (toAppError(error).code === "write_rejected") this.#unsavable.add(piece.turnId);
      });
    }
  }

  async #keep(turns: readonly LiveTurn[]): Promise<void> {
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    // Not those that have ended meanwhile: their whole text is safe.
    const running = turns.filter(({ id }) => this.#turns.has(id));
    const pieces = collectPieces(running, ({ safePosition }) => safePosition);
    try {
      await this.#records.keepProgress(pieces);
      for (const { turnId, position, text } of pieces) {
        const turn = this.#turns.get(turnId);
        if (turn !== undefined) turn.safePosition = position + Buffer.byteLength(text);
      }
    } catch {
      // Neither store nor journal: the text is in memory, and is offered again with the next tick.
    } finally {
      this.#isKeeping = false;
    }
  }
}

/** Returns the text that each turn has after the position that `from` names. */
function collectPieces(turns: readonly LiveTurn[], from: (turn: LiveTurn) => number): readonly Piece[] {
  const pieces: Piece[] = [];
  let length = 0;
  for (const turn of turns) {
    const position = from(turn);
    if (turn.log.position <= position || length > maxCallLength) continue;
    const text = turn.log.textAfter(position);
    length += text.length;
    pieces.push({ turnId: turn.id, position, text });
  }
  return pieces;
}
