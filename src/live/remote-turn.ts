/** Follows turns of other processes: their text is read from the bus, when it wakes us or again and again. */
import { toAppError, type ErrorCode } from "../base/errors.ts";
import { BodyReader } from "../turn/body.ts";
import { findPendingApprovals, interleave } from "../turn/items/items.ts";
import { toMissingResults } from "../turn/items/tool-parts.ts";
import type { Place, SavedItem } from "../turn/turn-event.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Message } from "../turn/message.ts";
import type { JsonObject } from "../base/json.ts";
import type { Caller } from "../base/caller.ts";
import type { LiveBus, StoredTurn } from "../turn/records.ts";
import type { FollowedTurn } from "./live-turn.ts";
import { TurnLog } from "./turn-log.ts";

/** The delay before the next read: initially, and at most, while no text arrives. */
const minDelayMs = 250;
const maxDelayMs = 2_000;
/** How often the owners of followed turns are told that they are, in milliseconds. */
const tellOwnersMs = 1_900;
/** How long a wake-up shows that the turn's owner sends them; meanwhile there is a read only each 2 s. */
const wakeUpMs = 5_000;
/** How long reads of a turn may fail before its followers are told, in milliseconds. They may resume. */
const patienceMs = 60_000;

/** The dependencies of remote turns. */
export interface RemoteTurnOptions {
  readonly bus: LiveBus;
  readonly clock: Clock;
  /** Takes over a turn that waits, to stop it; resolves with it. */
  readonly claim: (turnId: string, reason: "stop") => Promise<FollowedTurn | undefined>;
}

/** The turns of other processes that are followed here: each is read once, for all its followers. */
export class RemoteTurns {
  readonly #options: RemoteTurnOptions & { readonly tellOwner: (turnId: string) => void };
  readonly #followed = new Map<string, RemoteTurn>();
  #isTelling = false;

  constructor(options: RemoteTurnOptions) {
    this.#options = { ...options, tellOwner: (turnId) => this.#tellOwners([turnId]) };
  }

  /**
   * Resolves with the caller's turn; `undefined` if there is none. @throws AppError with a `store_…` code.
   */
  async find(turnId: string, caller: Caller): Promise<FollowedTurn | undefined> {
    const followed = this.#followed.get(turnId);
    // One that waited may have gone on since, though a slow follower still reads.
    if (followed !== undefined && followed.log.last?.type !== "turn-waiting")
      return followed.caller.userId === caller.userId ? followed : undefined;
    const stored = await this.#options.bus.read(turnId, caller, 0);
    if (stored === undefined) return undefined;
    return new RemoteTurn(turnId, caller, stored, this.#options, this.#followed);
  }

  /** The number of all followers. */
  get followers(): number {
    return Array.from(this.#followed.values()).reduce((sum, { followers }) => sum + followers, 0);
  }

  /** Reads turns at once: their owners say that there is more. */
  wake(turnIds: readonly string[]): void {
    for (const id of turnIds) this.#followed.get(id)?.wake();
  }

  /** Reads all turns at once: wake-ups may have been lost. */
  readAll(): void {
    for (const turn of this.#followed.values()) turn.readNow();
    this.#tellOwners([...this.#followed.keys()]);
  }

  /** Tells the owners of turns that they are followed: at once, and as long as any is. */
  #tellOwners(turnIds: readonly string[]): void {
    const { bus, clock } = this.#options;
    if (bus.wakeUps === undefined || this.#followed.size === 0) return;
    bus.wakeUps.send("followed", turnIds);
    if (this.#isTelling) return;
    this.#isTelling = true;
    clock.after(tellOwnersMs, () => {
      this.#isTelling = false;
      const running = Array.from(this.#followed.values()).filter(({ log }) => log.last === undefined);
      this.#tellOwners(running.map(({ id }) => id));
    });
  }

  /** Tells all followers that this process is shutting down: they may resume elsewhere. */
  close(): void {
    for (const turn of this.#followed.values()) turn.abandon();
  }
}

class RemoteTurn implements FollowedTurn {
  readonly id: string;
  readonly caller: Caller;
  readonly extendsReply: Message | undefined;
  readonly request: JsonObject | undefined;
  log = new TurnLog();
  readonly #options: RemoteTurnOptions & { readonly tellOwner: (turnId: string) => void };
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
  /** When the turn was last read. */
  #readAtMs: number;

  constructor(
    id: string,
    caller: Caller,
    stored: StoredTurn,
    options: RemoteTurnOptions & { readonly tellOwner: (turnId: string) => void },
    followed: Map<string, RemoteTurn>,
  ) {
    this.id = id;
    this.caller = caller;
    this.#options = options;
    this.#followed = followed;
    this.#readAtMs = options.clock.monotonicMs();
    this.extendsReply = stored.extendsReply;
    this.request = stored.request;
    const { conversationId, model, startedAt } = stored;
    this.log.append({ type: "turn-start", turnId: id, conversationId, model, startedAt });
    this.#take(stored);
  }

  get followers(): number {
    return this.#followers;
  }

  follow(): () => void {
    this.#followers += 1;
    if (this.#followers === 1) {
      this.#followed.set(this.id, this);
      this.#readAtMs = this.#options.clock.monotonicMs();
      if (this.log.last === undefined) {
        this.#schedule();
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
    const { bus, claim } = this.#options;
    await bus.requestStop(this.id, this.caller);
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
    this.#forget();
    if (this.log.end === undefined) this.#end("interrupted", "server_stopping");
  }

  #forget(): void {
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
    return bus.wakeUps?.isOn === true && clock.monotonicMs() - this.#wokenAtMs < wakeUpMs;
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
      const stored = await this.#options.bus.read(this.id, this.caller, before, this.#lastItem);
      if (this.log.end !== undefined) return;
      this.#readAtMs = this.#options.clock.monotonicMs();
      if (stored === undefined) this.#end("interrupted", "not_found");
      else this.#take(stored);
    } catch (error) {
      // The turn may still be running, and is read again later; but followers must not wait forever without a
      // word.
      const { code } = toAppError(error);
      const silentMs = this.#options.clock.monotonicMs() - this.#readAtMs;
      if (this.log.end === undefined && silentMs >= patienceMs) {
        this.#forget(); // a follower that resumes starts a new read
        this.#end("interrupted", code);
      }
    }
    const isIdle = this.log.position === before && this.#lastItem === itemBefore;
    this.#delayMs = isIdle ? Math.min(maxDelayMs, this.#delayMs * 1.5) : minDelayMs;
  }

  /** Adds new text and items. What comes after a gap waits until the gap is filled. */
  #take(stored: StoredTurn): void {
    this.#items = [...this.#items, ...stored.items];
    this.#lastItem = this.#items.at(-1) ?? this.#lastItem;
    const known = this.#reader.position - stored.position;
    const text = known <= 0 ? stored.text : Buffer.from(stored.text).subarray(known).toString();
    const { events, rest } = interleave(this.#reader, known >= 0 ? text : "", this.#items);
    for (const event of events) this.log.append(event);
    this.#items = rest;
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

  #end(outcome: "interrupted", code: ErrorCode): void {
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
