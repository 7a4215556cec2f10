/**
 * A turn of another process: its text comes from the bus, or is read from the rows when that wakes us, or
 * again and again.
 */
import { toAppError, type ErrorCode } from "../../base/errors.ts";
import { BodyReader } from "../../turn/body.ts";
import { cutOverlaps, findPendingApprovals, interleave } from "../../turn/items/items.ts";
import { toMissingResults } from "../../turn/items/tool-parts.ts";
import type { Place, SavedItem } from "../../turn/turn-event.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Message } from "../../turn/message.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Caller } from "../../base/caller.ts";
import type { LiveBus, LivePiece, StoredTurn, TextSpill, TurnProgress } from "../../turn/records.ts";
import type { FollowedTurn } from "../live-turn.ts";
import { isLater } from "../pieces.ts";
import { TurnLog } from "../log/turn-log.ts";

/** The delay before the next read: initially, and at most, while no text arrives. */
const minDelayMs = 250;
const maxDelayMs = 2_000;
/** How long a wake-up shows that the turn's owner sends them; meanwhile there is a read only each 2 s. */
const wakeUpMs = 5_000;
/** How long reads of a turn may fail before its followers are told, in milliseconds. They may resume. */
const patienceMs = 60_000;

/** The dependencies of a followed turn. */
export interface FollowingOptions {
  readonly progress: TurnProgress;
  /** `undefined` if nothing tells at once of new text. */
  readonly bus: LiveBus | undefined;
  readonly clock: Clock;
  /** Absent if logs stay in memory. */
  readonly spill?: TextSpill | undefined;
  /** Takes over a turn that waits, to stop it; resolves with it. */
  readonly claim: (turnId: string, reason: "stop") => Promise<FollowedTurn | undefined>;
  /** Tells the owner of a turn that it is followed. */
  readonly tellOwner: (turnId: string) => void;
}

/** A turn of another process, for all its followers here. */
export class RemoteTurn implements FollowedTurn {
  readonly id: string;
  readonly caller: Caller;
  readonly extendsReply: Message | undefined;
  readonly request: JsonObject | undefined;
  log: TurnLog;
  readonly #startedAt: Date;
  readonly #options: FollowingOptions;
  readonly #followed: Map<string, RemoteTurn>;
  readonly #reader = new BodyReader();
  /** Items whose text before them has not been read yet. */
  #items: readonly SavedItem[] = [];
  #lastItem: Place | undefined;
  #followers = 0;
  #delayMs = minDelayMs;
  #timer: Timer | undefined;
  #isReading = false;
  /** Whether the read in progress may have come too early. */
  #isWoken = false;
  #wokenAtMs = Number.NEGATIVE_INFINITY;
  /** When the turn was last read, or had text from the bus. */
  #readAtMs: number;
  /** Ends the texts of the bus, while they are taken. */
  #leaveBus: (() => void) | undefined;

  constructor(
    id: string,
    caller: Caller,
    stored: StoredTurn,
    options: FollowingOptions,
    followed: Map<string, RemoteTurn>,
  ) {
    this.id = id;
    this.caller = caller;
    this.#options = options;
    this.#followed = followed;
    this.#readAtMs = options.clock.monotonicMs();
    this.log = new TurnLog(options.spill);
    this.extendsReply = stored.extendsReply;
    this.request = stored.request;
    const { conversationId, model, startedAt } = stored;
    this.#startedAt = startedAt;
    this.log.append({ type: "turn-start", turnId: id, conversationId, model, startedAt });
    this.#take(stored);
  }

  get followers(): number {
    return this.#followers;
  }

  follow(): () => void {
    this.#followers += 1;
    if (this.#followers === 1) {
      // If others have meanwhile begun to follow this turn by another object, this one reads for itself.
      const known = this.#followed.get(this.id);
      if (known === undefined || known.log.last !== undefined) this.#followed.set(this.id, this);
      this.#readAtMs = this.#options.clock.monotonicMs();
      if (this.log.last === undefined) {
        this.#schedule();
        this.#takeFromBus();
        this.#options.tellOwner(this.id);
      }
    }
    return () => {
      this.#followers -= 1;
      if (this.#followers === 0) this.#forget();
    };
  }

  async stop(): Promise<void> {
    if (this.log.end !== undefined) return;
    const { progress, claim } = this.#options;
    await progress.requestStop(this.id, this.caller);
    if (this.log.last !== undefined) {
      // It waits, so that no process would notice.
      this.log = (await claim(this.id, "stop"))?.log ?? this.log;
      return;
    }
    this.#delayMs = minDelayMs;
    if (this.#timer !== undefined) this.#schedule(minDelayMs);
  }

  /** Reads at once: the owner says that there is more. */
  wake(): void {
    this.#wokenAtMs = this.#options.clock.monotonicMs();
    this.readNow();
  }

  /** Reads at once, and again if a read is in progress. */
  readNow(): void {
    if (this.#isReading) this.#isWoken = true;
    else if (this.log.last === undefined && this.#followers > 0) void this.#poll();
  }

  abandon(): void {
    if (this.log.end === undefined) this.#end("interrupted", "server_stopping");
    else this.#forget();
  }

  #forget(): void {
    this.#leaveBus?.();
    this.#leaveBus = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#followed.get(this.id) === this) this.#followed.delete(this.id);
  }

  #schedule(delayMs = this.#hasWakeUps ? maxDelayMs : this.#delayMs): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => this.readNow());
  }

  /** Whether the owner is known to send wake-ups. */
  get #hasWakeUps(): boolean {
    const { bus, clock } = this.#options;
    if (bus?.texts !== undefined && this.#leaveBus === undefined) return false; // there is a gap to fill
    return bus?.isUp === true && clock.monotonicMs() - this.#wokenAtMs < wakeUpMs;
  }

  async #poll(): Promise<void> {
    this.#timer?.cancel();
    this.#isReading = true;
    do {
      this.#isWoken = false;
      await this.#read();
    } while (this.#isWoken && this.log.last === undefined && this.#followers > 0);
    this.#isReading = false;
    if (this.log.last === undefined && this.#followers > 0) this.#schedule();
  }

  /** Reads what is new, and chooses the delay before the next read. */
  async #read(): Promise<void> {
    const before = this.log.position;
    const itemBefore = this.#lastItem;
    try {
      const stored = await this.#options.progress.read(this.id, this.caller, before, itemBefore);
      if (this.log.end !== undefined) return;
      this.#readAtMs = this.#options.clock.monotonicMs();
      // Its id may be that of another one by now.
      if (stored?.startedAt.getTime() !== this.#startedAt.getTime()) this.#end("interrupted", "not_found");
      else this.#take(stored);
    } catch (error) {
      // The turn may still be running, and is read again later; but followers must not wait forever without a
      // word.
      const { code } = toAppError(error);
      const silentMs = this.#options.clock.monotonicMs() - this.#readAtMs;
      if (this.log.end === undefined && silentMs >= patienceMs) this.#end("interrupted", code);
    }
    const isIdle = this.log.position === before && this.#lastItem === itemBefore;
    this.#delayMs = isIdle ? Math.min(maxDelayMs, this.#delayMs * 1.5) : minDelayMs;
    if (!isIdle) this.#takeFromBus();
  }

  /** Takes the texts of the bus after those that are there. */
  #takeFromBus(): void {
    const { texts } = this.#options.bus ?? {};
    if (texts === undefined || this.#leaveBus !== undefined) return;
    if (this.log.last !== undefined || this.#followed.get(this.id) !== this) return;
    const { position } = this.log;
    const ordinal = this.#lastItem?.position === position ? this.#lastItem.ordinal : 0;
    const turn = { turnId: this.id, startedAt: this.#startedAt };
    this.#leaveBus = texts.follow(turn, { position, ordinal }, (piece) => this.#takePiece(piece));
  }

  /** Adds a piece from the bus. One after a gap is left for later: the rows fill the gap. */
  #takePiece({ position, text, items = [], afterItem }: LivePiece): void {
    if (this.log.last !== undefined) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.#wokenAtMs = nowMs;
    if (position > this.log.position || isLater(afterItem, this.#lastItem)) {
      this.#leaveBus?.();
      this.#leaveBus = undefined;
      this.readNow();
      return;
    }
    this.#readAtMs = nowMs;
    this.#add(position, text, items);
  }

  /** Adds the text from byte `position` on, and items, but for those that are there. */
  #add(position: number, text: string, items: readonly SavedItem[]): void {
    this.#items = [...this.#items, ...cutOverlaps(items, this.#lastItem)];
    this.#lastItem = this.#items.at(-1) ?? this.#lastItem;
    const known = this.#reader.position - position;
    const fresh = known <= 0 ? text : Buffer.from(text).subarray(known).toString();
    const { events, rest } = interleave(this.#reader, known >= 0 ? fresh : "", this.#items);
    for (const event of events) this.log.append(event);
    this.#items = rest;
  }

  /** Adds new text and items, and the end. What comes after a gap waits until the gap is filled. */
  #take(stored: StoredTurn): void {
    this.#add(stored.position, stored.text, stored.items);
    if (stored.status === "running") return;
    if (stored.status === "waiting") {
      const { position } = this.log;
      const approvals = findPendingApprovals(this.log.itemsAfter());
      this.log.append({ type: "turn-waiting", position, approvals, storage: "stored" });
      return;
    }
    for (const result of toMissingResults(this.log.itemsAfter(), this.log.position)) this.log.append(result);
    const { status, finishReason, usage, errorCode, model, attempts, context, durationMs, firstTextMs } =
      stored;
    const code = errorCode ?? (status === "complete" || status === "stopped" ? undefined : "interrupted");
    this.log.append({
      type: "turn-end",
      outcome: status,
      position: this.log.position,
      finishReason,
      usage,
      error: code && { code, retryAfterMs: undefined },
      model,
      ...(attempts !== undefined && { attempts }),
      ...(context !== undefined && { context }),
      durationMs,
      firstTextMs,
      storage: "stored",
    });
  }

  /** Ends it without its rows: a follower that resumes starts a new read. */
  #end(outcome: "interrupted", code: ErrorCode): void {
    this.#forget();
    this.log.append({
      type: "turn-end",
      outcome,
      position: this.log.position,
      finishReason: undefined,
      usage: undefined,
      error: { code, retryAfterMs: undefined },
      model: undefined,
      durationMs: undefined,
      firstTextMs: undefined,
      storage: "none",
    });
  }
}
