/** Saves the text and the items of running turns, all of them in one call a tick. */
import { toAppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { LiveBus, Piece, TurnProgress, TurnRecovery } from "../turn/records.ts";
import type { LiveTurn } from "./live-turn.ts";
import { collectPieces, hasNews, toLater } from "./pieces.ts";
import { TextSender } from "./remote/text-sender.ts";

const tickMs = 500;
/** The same for turns that other processes follow, while these have new text that no bus carries. */
const followedTickMs = 60;
/** How long a turn counts as followed by other processes after they have last said so. */
const followedMs = 6_000;
/** The longest delay between two attempts while the store is unavailable. */
const maxRetryMs = 5_000;

/** The dependencies of a saver. */
export interface ProgressSaverOptions {
  readonly progress: TurnProgress;
  readonly bus?: LiveBus | undefined;
  readonly recovery: TurnRecovery;
  readonly clock: Clock;
  /** The running turns, in order of their start. */
  readonly turns: ReadonlyMap<string, LiveTurn>;
}

/**
 * Saves every tick: to the store or, while a call to it is pending or has failed, to the journal, so that a
 * crash loses at most two ticks of text. Also learns which turns to stop. The text of turns that other
 * processes follow goes to them through the bus, or else is saved more often, and they are woken.
 */
export class ProgressSaver {
  readonly #progress: TurnProgress;
  readonly #bus: LiveBus | undefined;
  /** `undefined` if the bus carries no text. */
  readonly #sender: TextSender | undefined;
  readonly #recovery: TurnRecovery;
  readonly #clock: Clock;
  readonly #turns: ReadonlyMap<string, LiveTurn>;
  /** Running turns whose text is permanently rejected. */
  readonly #unsavable = new Set<string>();
  /** Turns that other processes follow, and until when that counts, in monotonic time. */
  readonly #followed = new Map<string, number>();
  /** Those of them whose followers are to be woken even if there is no new text. */
  readonly #asked = new Set<string>();
  #isTicking = false;
  #isTickingFollowed = false;
  /** When the pending save began. */
  #savingSinceMs: number | undefined;
  /** Whether all turns, or the followed ones, are to be saved after the pending save. */
  #isDue = false;
  #isFollowedDue = false;
  #isKeeping = false;
  #failures = 0;
  #retryAtMs = 0;

  constructor({ progress, bus, recovery, clock, turns }: ProgressSaverOptions) {
    this.#progress = progress;
    this.#bus = bus;
    this.#sender = bus?.texts && new TextSender({ bus, texts: bus.texts, clock });
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

  /**
   * Called when other processes say that they follow these turns, or have asked for their stop. Those that
   * run here are saved at once, and more often for a while.
   */
  attend(turnIds: readonly string[]): void {
    const untilMs = this.#clock.monotonicMs() + followedMs;
    for (const id of turnIds) {
      const turn = this.#turns.get(id);
      if (turn?.isKept !== true) continue;
      this.#sender?.attend(turn, untilMs);
      this.#followed.set(id, untilMs);
      this.#asked.add(id);
    }
    this.#saveFollowed();
    if (this.#sender === undefined) this.#wakeFollowed();
  }

  /** Called when the bus is up, or no longer. */
  resume(): void {
    this.#sender?.resume();
  }

  /** Called when a turn has ended, or waits for its user. @param isStored whether its rows tell so. */
  settle(turnId: string, isStored: boolean): void {
    this.#sender?.settle(turnId, isStored);
    if (this.#followed.delete(turnId) && isStored) this.#bus?.send("saved", [turnId]);
  }

  #wakeFollowed(): void {
    if (this.#isTickingFollowed || this.#followed.size === 0) return;
    this.#isTickingFollowed = true;
    this.#clock.after(followedTickMs, () => {
      this.#isTickingFollowed = false;
      this.#saveFollowed();
      this.#wakeFollowed();
    });
  }

  /** Saves the followed turns that have new text or items, or whose followers wait for a sign. */
  #saveFollowed(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, untilMs] of this.#followed) {
      if (untilMs > nowMs && this.#turns.has(id)) continue;
      this.#followed.delete(id);
      this.#asked.delete(id);
    }
    this.#isFollowedDue = this.#savingSinceMs !== undefined;
    if (this.#isFollowedDue || nowMs < this.#retryAtMs) return;
    const turns = Array.from(this.#followed.keys(), (id) => this.#turns.get(id))
      .filter((turn) => turn !== undefined)
      .filter((turn) => this.#asked.has(turn.id) || hasNews(turn, turn.storedPosition, turn.storedItem));
    if (turns.length > 0) this.#start(turns);
  }

  #start(turns: readonly LiveTurn[]): void {
    this.#savingSinceMs = this.#clock.monotonicMs();
    void this.#save(turns).finally(() => {
      this.#savingSinceMs = undefined;
      if (this.#isDue) this.#saveAll();
      else if (this.#isFollowedDue) this.#saveFollowed();
    });
  }

  #tick(): void {
    this.#isTicking = false;
    if (this.#turns.size === 0) return this.#unsavable.clear();
    this.wake();
    this.#saveAll();
  }

  #saveAll(): void {
    this.#isDue = false;
    const turns = Array.from(this.#turns.values()).filter(({ isKept }) => isKept);
    if (turns.length === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const savingMs = this.#savingSinceMs === undefined ? undefined : nowMs - this.#savingSinceMs;
    if (nowMs < this.#retryAtMs || (savingMs !== undefined && savingMs >= tickMs))
      return void this.#keep(turns);
    if (savingMs === undefined) this.#start(turns);
    else this.#isDue = true; // a save of followed turns, just begun
  }

  async #save(turns: readonly LiveTurn[]): Promise<void> {
    const pieces = collectPieces(
      turns.filter(({ id }) => !this.#unsavable.has(id)),
      ({ storedPosition, storedItem }) => [storedPosition, storedItem],
    );
    try {
      const known = await this.#send(turns, pieces);
      this.#failures = 0;
      // A turn that the store does not know yet began while it was unavailable.
      await this.#keep(turns.filter(({ id }) => !known.has(id)));
    } catch (error) {
      if (toAppError(error).code === "write_rejected") return await this.#sendEach(turns, pieces);
      this.#failures += 1;
      const delayMs = Math.min(maxRetryMs, tickMs * 2 ** this.#failures);
      this.#retryAtMs = this.#clock.monotonicMs() + delayMs * (0.5 + Math.random() / 2);
      await this.#keep(turns);
    }
  }

  /** Resolves with the turns that the store knows, and whose pieces it now has. */
  async #send(turns: readonly LiveTurn[], pieces: readonly Piece[]): Promise<ReadonlySet<string>> {
    const ids = turns.map(({ id }) => id);
    const stored = turns.filter(({ run }) => run.isStored);
    const asked = ids.filter((id) => this.#asked.delete(id));
    const { known, stop } = await this.#progress.save(ids, pieces);
    for (const { turnId, position, text, items } of pieces) {
      const turn = this.#turns.get(turnId);
      if (turn === undefined || !known.has(turnId)) continue;
      turn.storedPosition = position + Buffer.byteLength(text);
      turn.safePosition = Math.max(turn.safePosition, turn.storedPosition);
      turn.storedItem = items?.at(-1) ?? turn.storedItem;
      turn.safeItem = toLater(turn.safeItem, turn.storedItem);
    }
    // What the bus carries is not read.
    const news = this.#sender === undefined ? [...asked, ...pieces.map(({ turnId }) => turnId)] : asked;
    const woken = news.filter((id) => known.has(id) && this.#followed.has(id));
    if (woken.length > 0) this.#bus?.send("saved", woken);
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
      // Neither store nor journal: the text stays in memory, and is sent again with the next tick.
    } finally {
      this.#isKeeping = false;
    }
  }
}
