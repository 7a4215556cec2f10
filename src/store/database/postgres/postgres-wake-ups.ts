/** Wakes other servers of the same database, and is woken by them, through its `LISTEN` and `NOTIFY`. */
import { Client, type ClientConfig, type Notification } from "pg";
import { z } from "zod";
import { AppError } from "../../../base/errors.ts";
import { createId } from "../../../base/create-id.ts";
import { pause, type Clock, type Timer } from "../../../base/clock.ts";
import { settleWithin } from "../../../base/deadline.ts";
import { wakeUpKinds, type BusListener, type LiveBus, type WakeUpKind } from "../../../turn/records.ts";
import { callDeadlineMs, type OnDatabaseTrouble } from "../database.ts";
import type { PostgresOptions } from "./postgres.ts";
import { toClientConfig, toConnectionSettings, type ConnectionSettings } from "./postgres-url.ts";

const channel = "foreword";
/** The shortest time between two notifications: each locks the commits of all others for a moment. */
const gapMs = 50;
/** The most turns in a notification, whose payload must stay below 8,000 bytes: 39 bytes each. */
const maxTurns = 180;
/** How long a notification of our own may take to arrive. */
const testMs = 3_000;
/** How often the connection is checked while nothing is sent. */
const checkMs = 45_000;
/** The delays before new connections, in milliseconds, and how long one must last to begin with the first. */
const reconnectMs = [0, 1_000, 2_000, 5_000, 10_000, 30_000] as const;
const stableMs = 10_000;
/** The same if notifications are swallowed, as a pooler does until someone changes it. */
const swallowedMs = 90_000;

/** How long the last notification may take when this closes, in milliseconds. */
const closeTimeoutMs = 500;

/** How to make wake-ups arrive. */
export const wakeUpAdvice =
  "connect directly, or through a pooler in session mode; or set DATABASE_WAKE_UPS=false";

const Payload = z.object({
  from: z.string(),
  followed: z.array(z.string()).default([]),
  saved: z.array(z.string()).default([]),
});

/** What ended a connection. */
type Ending = "lost" | "swallowed";

/** Listens on a connection of its own, outside of the pool. */
export class PostgresWakeUps implements LiveBus {
  readonly carrier = "postgres";
  readonly #settings: ConnectionSettings;
  readonly #clock: Clock;
  readonly #onTrouble: OnDatabaseTrouble;
  /** Names this process in its notifications, which it gets as well. */
  readonly #id = createId();
  readonly #closing = new AbortController();
  readonly #pending: Readonly<Record<WakeUpKind, Set<string>>> = { followed: new Set(), saved: new Set() };
  readonly #running: Promise<void>;
  /** The connection, once its notifications have arrived. */
  #client: Client | undefined;
  #listener: BusListener | undefined;
  #timer: Timer | undefined;
  #isSending = false;
  #sentAtMs = Number.NEGATIVE_INFINITY;

  /**
   * Connects, and connects again until it is closed.
   * @param onTrouble told once that notifications are swallowed.
   * @throws AppError `store_unavailable` for a TLS setting that cannot be used.
   */
  constructor(options: PostgresOptions, clock: Clock, onTrouble: OnDatabaseTrouble) {
    this.#settings = toConnectionSettings(options.url, options.authorities);
    this.#clock = clock;
    this.#onTrouble = onTrouble;
    this.#running = this.#run();
  }

  get isUp(): boolean {
    return this.#client !== undefined;
  }

  listen(listener: BusListener): void {
    this.#listener = listener;
  }

  send(kind: WakeUpKind, turnIds: readonly string[]): void {
    if (!this.isUp || turnIds.length === 0) return;
    for (const id of turnIds) this.#pending[kind].add(id);
    this.#sendSoon();
  }

  #sendSoon(): void {
    if (this.#timer !== undefined || this.#isSending) return;
    const waitMs = this.#sentAtMs + gapMs - this.#clock.monotonicMs();
    if (waitMs <= 0) return void this.#flush();
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      void this.#flush();
    });
  }

  /** Sends what is left, unless that takes long, and ends its connection. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await settleWithin(this.#clock, this.#flush(), closeTimeoutMs);
    this.#closing.abort();
    await this.#running;
  }

  /** Sends everything in one transaction, one at a time. Never rejects. */
  async #flush(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    this.#sentAtMs = this.#clock.monotonicMs();
    const payloads = wakeUpKinds.flatMap((kind) => {
      const turnIds = [...this.#pending[kind]];
      this.#pending[kind].clear();
      return chunk(turnIds).map((ids) => JSON.stringify({ from: this.#id, [kind]: ids }));
    });
    if (payloads.length > 0) await this.#query(client, notify(client, payloads));
  }

  /** Resolves once a query has ended; a connection that does not respond is ended as well. */
  async #query(client: Client, query: Promise<unknown>): Promise<void> {
    this.#isSending = true;
    await query.catch(() => client.connection.stream.destroy());
    this.#isSending = false;
    if (wakeUpKinds.some((kind) => this.#pending[kind].size > 0)) this.#sendSoon();
  }

  async #run(): Promise<void> {
    let hasToldTrouble = false;
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const startMs = this.#clock.monotonicMs();
      const ending = await this.#connect().catch((): Ending => "lost"); // the pool's calls tell why
      if (ending === "swallowed" && !hasToldTrouble) {
        hasToldTrouble = true;
        this.#onTrouble(toSwallowedError());
      }
      if (this.#clock.monotonicMs() - startMs > stableMs) attempt = 0;
      const waitMs = ending === "swallowed" ? swallowedMs : (reconnectMs[attempt] ?? 30_000);
      await pause(this.#clock, waitMs, signal);
    }
  }

  /** Connects, and resolves once that connection is no more, or of no use. */
  async #connect(): Promise<Ending> {
    const config = toListenConfig(await toClientConfig(this.#settings));
    const { client, ended } = await openClient(config, this.#closing.signal);
    try {
      const result = await testNotifications(client, { config, clock: this.#clock, id: this.#id, ended });
      if (result !== "arrived") return result;
      client.on("notification", ({ payload }) => this.#take(payload));
      this.#client = client;
      this.#listener?.onChange();
      const check = this.#check(client);
      await ended;
      check.cancel();
      return "lost";
    } finally {
      this.#forget();
      client.connection.stream.destroy();
    }
  }

  /** Queries now and then: a connection may die without a word. */
  #check(client: Client): Timer {
    const timer = this.#clock.after(checkMs, () => {
      timer.refresh();
      if (!this.#isSending) void this.#query(client, client.query("select 1"));
    });
    return timer;
  }

  #forget(): void {
    if (this.#client === undefined) return;
    this.#client = undefined;
    this.#sentAtMs = Number.NEGATIVE_INFINITY;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const kind of wakeUpKinds) this.#pending[kind].clear();
    if (!this.#closing.signal.aborted) this.#listener?.onChange();
  }

  #take(payload: string | undefined): void {
    const data = toWakeUps(payload);
    if (data === undefined || data.from === this.#id) return;
    if (data.followed.length > 0) this.#listener?.onFollowed(data.followed);
    if (data.saved.length > 0) this.#listener?.onSaved(data.saved);
  }
}

/**
 * Resolves with whether notifications arrive through `options`, and rejects if there is no connection. A
 * pooler in transaction mode accepts `LISTEN`, and swallows them.
 */
export async function findWhetherWoken(options: PostgresOptions, clock: Clock): Promise<boolean> {
  const settings = toConnectionSettings(options.url, options.authorities);
  const config = toListenConfig(await toClientConfig(settings));
  const { client, ended } = await openClient(config);
  try {
    const result = await testNotifications(client, { config, clock, id: createId(), ended });
    return result === "arrived";
  } finally {
    client.connection.stream.destroy();
  }
}

/** The parts of a test. */
interface NotificationTest {
  /** For a second connection. */
  readonly config: ClientConfig;
  readonly clock: Clock;
  readonly id: string;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<"lost">;
}

/**
 * Listens, and sends a notification through another connection: a pooler may pass on what a connection sends
 * itself, and nothing else. Rejects if a connection fails.
 */
async function testNotifications(
  client: Client,
  { config, clock, id, ended }: NotificationTest,
): Promise<"arrived" | Ending> {
  const arrived = Promise.withResolvers<"arrived">();
  const late = Promise.withResolvers<"swallowed">();
  const timer = clock.after(testMs, () => late.resolve("swallowed"));
  const take = ({ payload }: Notification): void => {
    if (toWakeUps(payload)?.from === id) arrived.resolve("arrived");
  };
  client.on("notification", take);
  const run = async (): Promise<"arrived"> => {
    await client.query(`listen ${channel}`);
    const { client: other } = await openClient(config);
    await notify(other, [JSON.stringify({ from: id })]).finally(() => other.connection.stream.destroy());
    return await arrived.promise;
  };
  try {
    return await Promise.race([run(), late.promise, ended]);
  } finally {
    timer.cancel();
    client.off("notification", take);
  }
}

/** Opens a connection, which ends when `signal` is aborted, also while it is being opened. */
async function openClient(
  config: ClientConfig,
  signal?: AbortSignal,
): Promise<{ readonly client: Client; readonly ended: Promise<"lost"> }> {
  signal?.throwIfAborted();
  const client = new Client(config);
  const { promise, resolve } = Promise.withResolvers<"lost">();
  const end = (): void => void client.connection.stream.destroy();
  signal?.addEventListener("abort", end, { once: true });
  client.on("error", () => resolve("lost"));
  client.on("end", () => {
    signal?.removeEventListener("abort", end);
    resolve("lost");
  });
  await client.connect();
  return { client, ended: promise };
}

async function notify(client: Client, payloads: readonly string[]): Promise<void> {
  await client.query("select pg_notify($1, payload) from unnest($2::text[]) payload", [channel, payloads]);
}

function toListenConfig(config: ClientConfig): ClientConfig {
  return {
    ...config,
    application_name: "foreword wake-ups",
    connectionTimeoutMillis: callDeadlineMs,
    query_timeout: callDeadlineMs,
    keepAlive: true,
  };
}

/** Returns the error for an operator whose wake-ups do not arrive. */
function toSwallowedError(): AppError {
  return new AppError(
    "store_unavailable",
    `notifications of the database do not arrive, so turns of other servers are read every 0.25 to 2 s; ${wakeUpAdvice}`,
  );
}

function chunk(ids: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(ids.length / maxTurns);
  return Array.from({ length: count }, (_, index) => ids.slice(index * maxTurns, (index + 1) * maxTurns));
}

/** Returns what a payload says; `undefined` for another program's. */
function toWakeUps(payload: string | undefined): z.infer<typeof Payload> | undefined {
  try {
    return Payload.safeParse(JSON.parse(payload ?? "")).data;
  } catch {
    return undefined;
  }
}
