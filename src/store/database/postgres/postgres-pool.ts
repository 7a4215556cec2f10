/**
 * A pool of Postgres connections: each is alive when used, and none is given up while its backend is busy.
 */
import { DatabaseError, Pool, type PoolClient, type PoolConfig } from "pg";
import { AppError, toAppError } from "../../../base/errors.ts";
import { settleWithin } from "../../../base/deadline.ts";
import type { Clock } from "../../../base/clock.ts";
import type { PoolState } from "../../../base/semaphore.ts";
import { callDeadlineMs } from "../database.ts";
import { readOnlyCode } from "../sql-failure.ts";
import { FunctionCall } from "./function-call.ts";
import { cancelQuery, isBackendBusy } from "./postgres-cancel.ts";
import { SessionClient } from "./session-client.ts";

/** After so much silence a connection is probed before it gets a call. */
const maxSilenceMs = 5_000;
const checkTimeoutMs = 1_000;
/** How long an unused connection stays open. */
const idleTimeoutMs = 10_000;
/** How long a cancelled query may take to end. */
const cancelGraceMs = 1_000;
/** How long a backend that cannot be interrupted keeps its place in the pool, and how often it is checked. */
const maxBusyMs = 60_000;
const busyLookMs = 1_000;
/** A connection that accepts no writes is replaced once it has been open for so long. */
const minReadOnlyMs = 2_000;

/** One attempt at a call. */
export interface PooledCall {
  /** The function. */
  readonly name: string;
  /** Returns its argument as JSON; resolves with its bytes if it is long. A waiting call holds none. */
  readonly toArgument: () => string | Promise<Buffer>;
  /** Its deadline, in the clock's monotonic time. */
  readonly dueMs: number;
  /** Aborted when no result is awaited any more. */
  readonly signal: AbortSignal;
  /** Only a connection that has responded since then qualifies. */
  readonly heardSinceMs: number;
}

/** Whether the session of a call accepts no writes. */
function isReadOnly(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === readOnlyCode;
}

/** The connection was lost during a call, which may or may not have been done. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/**
 * A pool that counts backends, not sockets: an abandoned query is cancelled, and its connection keeps its
 * place until the server reports the end. So at most `max` backends are ever busy for us.
 */
export class PostgresPool {
  readonly #pool: Pool;
  readonly #config: PoolConfig;
  readonly #clock: Clock;
  readonly #heardMs = new WeakMap<PoolClient, number>();
  readonly #openedMs = new WeakMap<PoolClient, number>();
  /** Connections last heard from before then may have died with one that did. */
  #suspectMs = Number.NEGATIVE_INFINITY;
  /** Connections opened before then may lead to a database that was the primary once. */
  #obsoleteMs = Number.NEGATIVE_INFINITY;
  /** Whether a write was refused as read-only, and no connection opened since then accepts any. */
  #isRefused = false;
  readonly #closing = Promise.withResolvers<void>();
  #closed: Promise<void> | undefined;

  constructor(config: PoolConfig, clock: Clock, onTrouble: (error: Error) => void) {
    this.#clock = clock;
    this.#config = {
      ...config,
      connectionTimeoutMillis: callDeadlineMs,
      idleTimeoutMillis: idleTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: maxSilenceMs,
    };
    this.#pool = new Pool({ ...this.#config, Client: SessionClient });
    this.#pool.on("error", onTrouble);
    this.#pool.on("connect", (client) => {
      const nowMs = this.#clock.monotonicMs();
      if (this.#isRefused && client instanceof SessionClient && client.isWritable) this.#replaceOlder(nowMs);
      this.#hear(client);
      this.#openedMs.set(client, nowMs);
      client.on("error", () => {}); // its call, or the pool, gets the error as well
    });
  }

  /** A connection whose abandoned call still runs counts as used. */
  get state(): PoolState {
    const max = this.#pool.options.max;
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { max, available: max - totalCount + idleCount, waiting: waitingCount };
  }

  /**
   * Resolves with the call's result. @throws DatabaseError, {@link ConnectionLost}, or the reason why there
   * is no connection.
   */
  async run(call: PooledCall): Promise<string> {
    const client = await this.#acquire(call);
    const argument = await this.#makeArgument(call, client);
    const startMs = this.#clock.monotonicMs();
    const leftMs = Math.max(1, Math.floor(call.dueMs - startMs));
    const query = new FunctionCall(call.name, argument, leftMs);
    const isAborted = Promise.withResolvers<"aborted">();
    const abort = (): void => isAborted.resolve("aborted");
    call.signal.addEventListener("abort", abort, { once: true });
    if (call.signal.aborted) abort();
    client.query(query);
    const { result } = query;
    void this.#giveBack(client, result, isAborted.promise, startMs).finally(() =>
      call.signal.removeEventListener("abort", abort),
    );
    return await result.catch((error: unknown) => {
      if (error instanceof DatabaseError) throw error;
      throw new ConnectionLost("the connection was lost", { cause: error });
    });
  }

  /** Ends all connections after their calls; does not wait for abandoned ones. */
  async close(): Promise<void> {
    this.#closing.resolve();
    this.#closed ??= this.#pool.end();
    await this.#closed;
  }

  /** Resolves with the argument, or gives the connection back. @throws AppError if it cannot be made. */
  async #makeArgument({ toArgument, signal }: PooledCall, client: PoolClient): Promise<string | Buffer> {
    try {
      const argument = await toArgument();
      if (signal.aborted) throw new AppError("store_unavailable", "gave up before the call was made");
      return argument;
    } catch (error) {
      client.release();
      throw toAppError(error);
    }
  }

  async #acquire({ signal, heardSinceMs }: PooledCall): Promise<PoolClient> {
    for (;;) {
      const client = await this.#pool.connect();
      if (signal.aborted) {
        client.release();
        throw new AppError("store_unavailable", "gave up before a connection was free");
      }
      if (await this.#isAlive(client, heardSinceMs)) return client;
      client.connection.stream.destroy(); // a graceful end would wait for a response as well
      client.release(true);
    }
  }

  async #isAlive(client: PoolClient, heardSinceMs: number): Promise<boolean> {
    const heardMs = this.#heardMs.get(client) ?? 0;
    if (heardMs < Math.max(heardSinceMs, this.#suspectMs)) return false;
    if ((this.#openedMs.get(client) ?? 0) < this.#obsoleteMs) return false;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - heardMs <= maxSilenceMs) return true;
    const check = await settleWithin(this.#clock, client.query("select 1"), checkTimeoutMs);
    if (check.type === "value") this.#hear(client);
    else this.#suspectMs = nowMs;
    return check.type === "value";
  }

  /** Returns a connection to the pool after its query, which is cancelled if abandoned. Never rejects. */
  async #giveBack(
    client: PoolClient,
    result: Promise<string>,
    aborted: Promise<"aborted">,
    startMs: number,
  ): Promise<void> {
    const over = result.then(
      () => this.#hear(client),
      (error: unknown) => {
        if (error instanceof DatabaseError) this.#hear(client);
        if (isReadOnly(error)) this.#noteRefusal(client);
      },
    );
    const isOver = await Promise.race([over.then(() => true), aborted.then(() => false)]);
    if (isOver) {
      client.release(!this.#isSound(client, startMs));
      return;
    }
    const grace = Promise.race([settleWithin(this.#clock, over, cancelGraceMs), this.#closing.promise]);
    await Promise.all([cancelQuery(client, this.#config.ssl), grace]);
    if (!this.#isSound(client, startMs)) {
      this.#suspectMs = Math.max(this.#suspectMs, startMs);
      client.connection.stream.destroy();
      await Promise.race([this.#untilIdle(client), this.#closing.promise]);
    }
    // Never reuse it, whatever it reports: a late cancel request would hit the next call.
    client.release(true);
  }

  /** Resolves once the backend of a closed connection is idle, or cannot be checked. */
  async #untilIdle(client: PoolClient): Promise<void> {
    for (let waitedMs = 0; waitedMs < maxBusyMs; waitedMs += busyLookMs) {
      if (!(await isBackendBusy(client, this.#config))) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#clock.after(busyLookMs, resolve);
      await promise;
    }
  }

  #hear(client: PoolClient): void {
    this.#heardMs.set(client, this.#clock.monotonicMs());
  }

  /**
   * Notes that a connection accepts no writes. An old one may lead to a database that was the primary once; a
   * new one tells that the database itself is read-only.
   */
  #noteRefusal(client: PoolClient): void {
    const nowMs = this.#clock.monotonicMs();
    const openedMs = this.#openedMs.get(client) ?? 0;
    if (openedMs < this.#obsoleteMs) return;
    this.#isRefused = true;
    if (nowMs - openedMs >= minReadOnlyMs) this.#replaceOlder(nowMs);
  }

  /** Replaces the connections opened before `openedMs` as they become free. */
  #replaceOlder(openedMs: number): void {
    this.#obsoleteMs = openedMs;
    this.#isRefused = false;
  }

  #isSound(client: PoolClient, startMs: number): boolean {
    return (this.#heardMs.get(client) ?? 0) >= startMs;
  }
}
