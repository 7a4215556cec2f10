/** Saves the text and the items of running turns, all of them in one call a tick. */
import { toAppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { LiveBus, Piece, TurnRecovery } from "../turn/records.ts";
import type { Place } from "../turn/turn-event.ts";
import type { LiveTurn } from "./live-turn.ts";

const tickMs = 500;
/** The longest delay between two attempts while the bus is unavailable. */
const maxRetryMs = 5_000;
/** The most text and items in one call, in UTF-16 code units; the rest follows with the next. */
const maxCallLength = 4 * 1024 * 1024;

/** The dependencies of a saver. */
export interface ProgressSaverOptions {
  readonly bus: LiveBus;
  readonly recovery: TurnRecovery;
  readonly clock: Clock;
  /** The running turns, in order of their start. */
  readonly turns: ReadonlyMap<string, LiveTurn>;
}

/**
 * Saves every tick: to the bus or, while a call to it is pending or has failed, to the journal, so that a
 * crash loses at most two ticks of text. Also learns which turns to stop.
 */
export class ProgressSaver {
  readonly #bus: LiveBus;
  readonly #recovery: TurnRecovery;
  readonly #clock: Clock;
  readonly #turns: ReadonlyMap<string, LiveTurn>;
  /** Running turns whose text is permanently rejected. */
  readonly #unsavable = new Set<string>();
  #isTicking = false;
  #isSaving = false;
  #isKeeping = false;
  #failures = 0;
  #retryAtMs = 0;

  constructor({ bus, recovery, clock, turns }: ProgressSaverOptions) {
    this.#bus = bus;
    this.#recovery = recovery;
    this.#clock = clock;
    this.#turns = turns;
  }

  /** Called when a turn starts. Ticks until there is no turn left. */
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
      ({ storedPosition, storedItem }) => [storedPosition, storedItem],
    );
    try {
      const known = await this.#send(turns, pieces);
      this.#failures = 0;
      // A turn that the bus does not know yet began while it was unavailable.
      await this.#keep(turns.filter(({ id }) => !known.has(id)));
    } catch (error) {
      if (toAppError(error).code === "write_rejected") return await this.#sendEach(turns, pieces);
      this.#failures += 1;
      const delayMs = Math.min(maxRetryMs, tickMs * 2 ** this.#failures);
      this.#retryAtMs = this.#clock.monotonicMs() + delayMs * (0.5 + Math.random() / 2);
      await this.#keep(turns);
    }
  }

  /** Resolves with the turns that the bus knows, and whose pieces it now has. */
  async #send(turns: readonly LiveTurn[], pieces: readonly Piece[]): Promise<ReadonlySet<string>> {
    const ids = turns.map(({ id }) => id);
    const stored = turns.filter(({ run }) => run.isStored);
    const { known, stop } = await this.#bus.publish(ids, pieces);
    for (const { turnId, position, text, items } of pieces) {
      const turn = this.#turns.get(turnId);
      if (turn === undefined || !known.has(turnId)) continue;
      turn.storedPosition = position + Buffer.byteLength(text);
      turn.safePosition = Math.max(turn.safePosition, turn.storedPosition);
      turn.storedItem = items?.at(-1) ?? turn.storedItem;
      turn.safeItem = toLater(turn.safeItem, turn.storedItem);
    }
    for (const id of stop) void this.#turns.get(id)?.stop();
    for (const turn of turns) if (known.has(turn.id)) turn.run.isStored = true;
    // Deleted with its conversation: it counts as ended then, and its further text has no reader.
    for (const turn of stored) if (!known.has(turn.id)) void turn.stop();
    return known;
  }

  /** One piece is permanently rejected: send each alone, so that the others and the signs of life arrive. */
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
    // Not turns that have ended meanwhile: their whole text is safe.
    const running = turns.filter(({ id }) => this.#turns.has(id));
    const pieces = collectPieces(running, ({ safePosition, safeItem }) => [safePosition, safeItem]);
    try {
      await this.#recovery.keepPieces(pieces);
      for (const { turnId, position, text, items } of pieces) {
        const turn = this.#turns.get(turnId);
        if (turn === undefined) continue;
        turn.safePosition = position + Buffer.byteLength(text);
        turn.safeItem = items?.at(-1) ?? turn.safeItem;
      }
    } catch {
      // Neither bus nor journal: the text stays in memory, and is sent again with the next tick.
    } finally {
      this.#isKeeping = false;
    }
  }
}

/** Returns the text and the items of each turn after the places that `from` returns. */
function collectPieces(
  turns: readonly LiveTurn[],
  from: (turn: LiveTurn) => readonly [position: number, item: Place | undefined],
): readonly Piece[] {
  const pieces: Piece[] = [];
  let length = 0;
  for (const turn of turns) {
    const [position, item] = from(turn);
    const { log } = turn;
    const hasItems = isLater(log.savedPlace, item);
    if ((log.position <= position && !hasItems) || length > maxCallLength) continue;
    const text = log.textAfter(position);
    const items = hasItems ? log.itemsAfter(item) : undefined;
    length += text.length + (items === undefined ? 0 : JSON.stringify(items).length);
    pieces.push({ turnId: turn.id, position, text, ...(items !== undefined && { items }) });
  }
  return pieces;
}

/** Whether the place `one` comes after `other`. */
function isLater(one: Place | undefined, other: Place | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.position === other.position ? one.ordinal > other.ordinal : one.position > other.position;
}

function toLater(one: Place | undefined, other: Place | undefined): Place | undefined {
  return isLater(one, other) ? one : other;
}
