/** Carries wake-ups, and texts of turns that are followed elsewhere, through streams of Redis or Valkey. */
import type { ChainableCommander, Redis } from "ioredis";
import { createId } from "../../base/create-id.ts";
import type { Clock } from "../../base/clock.ts";
import { Repeating } from "../../base/repeating.ts";
import {
  wakeUpKinds,
  type BusListener,
  type BusTurn,
  type LiveBus,
  type LivePiece,
  type LiveTexts,
  type WakeUpKind,
} from "../../turn/records.ts";
import type { Place } from "../../turn/turn-event.ts";
import { toEntry, toLogKey } from "./log-entry.ts";
import { closedReason, connectRedis, type RedisOptions } from "./redis-client.ts";
import { StreamReader, wakeUpKey } from "./stream-reader.ts";

/** How long a stream is kept after its last entry, and after the end of its turn, in seconds. */
const keepSeconds = 600;
const keepEndedSeconds = 10;
/** About how many entries of a stream are kept: a follower that is further behind reads the rows. */
const maxEntries = 1_000;
/** How often a write is tried while there is nothing to send: if the server accepts writes, and if not. */
const probeMs = 4_500;
const retryMs = 1_000;

/** Told when the bus is lost, with the reason, and when it is back. */
export type OnBusChange = (trouble: string | undefined) => void;

/** A Redis as the bus of several processes. Its failure delays text, and loses none. */
export class RedisBus implements LiveBus, LiveTexts {
  readonly carrier = "redis";
  readonly texts: LiveTexts = this;
  readonly #clock: Clock;
  readonly #onChange: OnBusChange;
  /** Names this process in its wake-ups, which it gets as well. */
  readonly #id = createId();
  readonly #writer: Redis;
  readonly #reader: StreamReader;
  readonly #probing: Repeating;
  readonly #pending: Readonly<Record<WakeUpKind, Set<string>>> = { followed: new Set(), saved: new Set() };
  #listener: BusListener | undefined;
  /** Whether the last write succeeded. */
  #isWritable = false;
  #isClosed = false;
  /** Whether wake-ups are to be sent, which may be empty: one makes the own reader look at its streams. */
  #isDue = false;
  /** Settles when all wake-ups are sent. */
  #sending: Promise<void> | undefined;
  #trouble: unknown;
  /** When a write failed last, in monotonic time. */
  #suspendedAtMs = Number.NEGATIVE_INFINITY;
  /** The state that was told last; `undefined` before the first. */
  #toldUp: boolean | undefined;

  /** Connects, and connects again until it is closed. */
  constructor(redis: RedisOptions, clock: Clock, onChange: OnBusChange) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#writer = connectRedis(redis);
    this.#writer.on("error", (error) => (this.#trouble = error));
    this.#writer.on("close", () => this.#fail(this.#trouble ?? closedReason));
    this.#writer.on("ready", () => void this.#probe());
    this.#reader = new StreamReader({
      redis,
      clock,
      onWakeUp: (fields) => this.#take(fields),
      onChange: (trouble) => this.#tell(trouble),
    });
    this.#probing = new Repeating(clock, async () => {
      await this.#probe();
      return this.#isWritable ? probeMs : retryMs;
    });
  }

  get isUp(): boolean {
    return this.#isWritable && this.#reader.isReading;
  }

  listen(listener: BusListener): void {
    this.#listener = listener;
  }

  send(kind: WakeUpKind, turnIds: readonly string[]): void {
    if (!this.#isWritable || turnIds.length === 0) return;
    for (const id of turnIds) this.#pending[kind].add(id);
    this.#sendSoon();
  }

  async add(pieces: readonly LivePiece[]): Promise<ReadonlySet<string>> {
    if (!this.#isWritable) return new Set();
    const results = await this.#write((pipeline) => {
      for (const piece of pieces) {
        const key = toLogKey(piece);
        const [id, ...fields] = toEntry(piece);
        pipeline.xadd(key, "MAXLEN", "~", maxEntries, id, ...fields);
        pipeline.expire(key, keepSeconds);
      }
    });
    return new Set(pieces.filter((_, index) => results[2 * index] === undefined).map(({ turnId }) => turnId));
  }

  follow(turn: BusTurn, after: Place, take: (piece: LivePiece) => void): () => void {
    const end = this.#reader.follow(turn, after, take);
    if (this.#isWritable) this.#sendSoon();
    return end;
  }

  end(turn: BusTurn): void {
    if (this.#isWritable) void this.#write((pipeline) => pipeline.expire(toLogKey(turn), keepEndedSeconds));
  }

  /** Sends what is left, and ends its connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#probing.close();
    this.#reader.close();
    await this.#sending;
    this.#writer.disconnect();
  }

  /** Sends all wake-ups of this tick together. */
  #sendSoon(): void {
    this.#isDue = true;
    this.#sending ??= Promise.resolve().then(async () => await this.#flush());
  }

  /** Sends all wake-ups, one entry at a time. Never rejects. */
  async #flush(): Promise<void> {
    while (this.#isDue && this.#isWritable) {
      this.#isDue = false;
      const news = wakeUpKinds.flatMap((kind) => [kind, [...this.#pending[kind]].join(",")]);
      for (const kind of wakeUpKinds) this.#pending[kind].clear();
      await this.#write((pipeline) => {
        pipeline.xadd(wakeUpKey, "MAXLEN", "~", maxEntries, "*", "from", this.#id, ...news);
        pipeline.expire(wakeUpKey, keepSeconds);
      });
    }
    this.#sending = undefined;
  }

  /**
   * Finds out whether the server accepts writes, which one that is full does not. It is asked twice: this
   * process may have been too busy to read its response in time.
   */
  async #probe(): Promise<void> {
    let trouble: unknown;
    for (let attempt = 0; attempt < 2 && this.#writer.status === "ready"; attempt += 1) {
      [trouble] = await this.#run((pipeline) => {
        const key = `fw:{${this.#id}}:probe`;
        pipeline.xadd(key, "MAXLEN", "~", 1, "*", "from", this.#id);
        pipeline.expire(key, keepSeconds);
      });
      if (trouble === undefined) return this.#resume();
    }
    if (trouble !== undefined) this.#fail(trouble);
  }

  /** Runs commands; resolves with the error of each. After one, nothing is sent until a probe succeeds. */
  async #write(fill: (pipeline: ChainableCommander) => void): Promise<readonly (Error | undefined)[]> {
    const errors = await this.#run(fill);
    const trouble = errors.find((error) => error !== undefined);
    if (trouble === undefined || !this.#isWritable) return errors;
    const nowMs = this.#clock.monotonicMs();
    const isFirst = nowMs - this.#suspendedAtMs >= retryMs;
    this.#suspendedAtMs = nowMs;
    if (!isFirst) this.#fail(trouble);
    else {
      this.#suspend();
      void this.#probe();
    }
    return errors;
  }

  /** Resolves with the error of each command. Never rejects. */
  async #run(fill: (pipeline: ChainableCommander) => void): Promise<readonly (Error | undefined)[]> {
    const pipeline = this.#writer.pipeline();
    fill(pipeline);
    const count = pipeline.length;
    return await pipeline.exec().then(
      (results) => (results ?? []).map(([error]) => toFailure(error)),
      (error: Error) => Array.from({ length: count }, () => error),
    );
  }

  #suspend(): void {
    this.#isWritable = false;
    for (const kind of wakeUpKinds) this.#pending[kind].clear();
  }

  #fail(trouble: unknown): void {
    this.#suspend();
    this.#trouble = undefined;
    this.#tell(trouble);
  }

  #resume(): void {
    if (this.#isWritable) return;
    this.#isWritable = true;
    if (this.#toldUp === true && this.isUp) this.#listener?.onChange();
    else this.#tell();
  }

  /** Tells of a changed state. @param trouble the reason, if it is not up. */
  #tell(trouble?: unknown): void {
    const { isUp } = this;
    if (this.#isClosed || this.#toldUp === isUp || (!isUp && trouble === undefined)) return;
    if (isUp && this.#toldUp === false) this.#onChange(undefined);
    if (!isUp) this.#onChange(toReason(trouble));
    this.#toldUp = isUp;
    this.#listener?.onChange();
  }

  #take({ from, followed = "", saved = "" }: Readonly<Record<string, string>>): void {
    if (from === this.#id) return;
    if (followed !== "") this.#listener?.onFollowed(followed.split(","));
    if (saved !== "") this.#listener?.onSaved(saved.split(","));
  }
}

/** Returns why Redis cannot be used. A host with several addresses fails with one error each. */
function toReason(trouble: unknown): string {
  if (trouble instanceof AggregateError) return trouble.errors.map(toReason).join("; ");
  return trouble instanceof Error ? trouble.message : String(trouble);
}

/** Returns the failure of a command; `undefined` for none, and for an entry that is there already. */
function toFailure(error: Error | null | undefined): Error | undefined {
  return error === null || /equal or smaller than/.test(error?.message ?? "") ? undefined : error;
}
