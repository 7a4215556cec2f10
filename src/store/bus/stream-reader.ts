/** Reads the streams of all followed turns, and the one of wake-ups, by one blocking connection. */
import type { Redis } from "ioredis";
import { pause, type Clock } from "../../base/clock.ts";
import type { BusTurn, LivePiece } from "../../turn/records.ts";
import type { Place } from "../../turn/turn-event.ts";
import { parseEntry, toEntryId, toFields, toLogKey } from "./log-entry.ts";
import { closedReason, connectRedis, type RedisOptions } from "./redis-client.ts";

/** The stream of wake-ups. */
export const wakeUpKey = "fw:wake-ups";
/** How long a read waits for news, in milliseconds: a server that is gone is noticed that much later. */
const blockMs = 2_000;
/** The most entries of a stream in one response. */
const maxEntries = 100;
/** The pause after a refused read, in milliseconds. */
const pauseMs = 1_000;

/** The tools of a reader. */
export interface StreamReaderOptions {
  readonly redis: RedisOptions;
  readonly clock: Clock;
  /** Takes the fields of a wake-up. */
  readonly onWakeUp: (fields: Readonly<Record<string, string>>) => void;
  /** Called when it begins to read, and with the reason when it no longer does. */
  readonly onChange: (trouble?: unknown) => void;
}

/** A followed turn: the id of the last entry that was taken, and the function that takes the next. */
interface Followed {
  readonly turn: BusTurn;
  id: string;
  readonly take: (piece: LivePiece) => void;
}

/** Reads until it is closed. */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #redis: Redis;
  readonly #followed = new Map<string, Followed>();
  readonly #closing = new AbortController();
  #trouble: unknown;

  /** Whether it gets what is written now. */
  isReading = false;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#redis = connectRedis(options.redis, blockMs);
    this.#redis.on("error", (error) => (this.#trouble = error));
    void this.#run();
  }

  /** Hands over a turn's pieces after a place, from the next read on; returns a function that ends that. */
  follow(turn: BusTurn, after: Place, take: (piece: LivePiece) => void): () => void {
    const { turnId } = turn;
    const followed = { turn, id: toEntryId(after), take };
    this.#followed.set(turnId, followed);
    return () => {
      if (this.#followed.get(turnId) === followed) this.#followed.delete(turnId);
    };
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  close(): void {
    this.#closing.abort();
    this.#redis.disconnect();
  }

  async #run(): Promise<void> {
    let lastId: string | undefined;
    let failures = 0;
    while (!this.#isClosed) {
      await this.#untilReady();
      try {
        lastId ??= await this.#findLastId();
        for (; !this.#isClosed; failures = 0) {
          if (failures === 0) this.#startReading();
          lastId = await this.#read(lastId);
        }
      } catch (error) {
        const isLost = this.#redis.status !== "ready";
        if (isLost) lastId = undefined;
        failures = isLost ? 0 : failures + 1;
        // Once more, if it is there: this process may have been too busy to read a response in time.
        if (isLost || failures > 1)
          await this.#stopReading(isLost ? (this.#trouble ?? closedReason) : error, isLost);
      }
    }
  }

  #startReading(): void {
    if (this.isReading) return;
    this.isReading = true;
    this.#options.onChange();
  }

  async #stopReading(trouble: unknown, isLost: boolean): Promise<void> {
    this.isReading = false;
    this.#trouble = undefined;
    if (this.#isClosed) return;
    this.#options.onChange(trouble);
    if (!isLost) await pause(this.#options.clock, pauseMs, this.#closing.signal);
  }

  /** Resolves once it is connected, or closed. */
  async #untilReady(): Promise<void> {
    if (this.#redis.status === "ready" || this.#isClosed) return;
    const { signal } = this.#closing;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    this.#redis.once("ready", end);
    signal.addEventListener("abort", end, { once: true });
    await promise;
    this.#redis.off("ready", end);
    signal.removeEventListener("abort", end);
  }

  async #findLastId(): Promise<string> {
    const [last] = await this.#redis.xrevrange(wakeUpKey, "+", "-", "COUNT", 1);
    return last?.[0] ?? "0-0";
  }

  /** Waits for entries, and hands them over; resolves with the id of the last wake-up. */
  async #read(lastId: string): Promise<string> {
    const turns = Array.from(this.#followed.values(), (followed) => ({
      followed,
      key: toLogKey(followed.turn),
    }));
    const keys = [wakeUpKey, ...turns.map(({ key }) => key)];
    const ids = [lastId, ...turns.map(({ followed }) => followed.id)];
    const bounds = ["COUNT", maxEntries, "BLOCK", blockMs] as const;
    const streams = (await this.#redis.xread(...bounds, "STREAMS", ...keys, ...ids)) ?? [];
    const entries = new Map(streams);
    for (const { followed, key } of turns) {
      const { turn, take } = followed;
      for (const [id, fields] of entries.get(key) ?? []) {
        if (this.#followed.get(turn.turnId) !== followed) break;
        followed.id = id;
        const piece = parseEntry(turn, fields);
        if (piece !== undefined) take(piece);
      }
    }
    const wakeUps = entries.get(wakeUpKey) ?? [];
    for (const [, fields] of wakeUps) this.#options.onWakeUp(toFields(fields));
    return wakeUps.at(-1)?.[0] ?? lastId;
  }
}
