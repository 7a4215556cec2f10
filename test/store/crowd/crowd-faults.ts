/** Faults in a database under a crowd: cancelled queries, ended connections, locked rows and tables. */
import { Client } from "pg";
import { z } from "zod";
import { callDeadlineMs } from "../../../src/store/database/database.ts";
import { systemClock, type Clock, type Timer } from "../../../src/base/clock.ts";
import type { SeededRandom } from "../../support/model/seeded-reply.ts";
import type { Tally } from "./crowd-client.ts";

/** How long a crowd's statement may take, and a write may wait for a lock, in milliseconds. */
export const statementTimeoutMs = 400;
const lockTimeoutMs = 60;
const rowLockSeconds = 0.12;
const tableLockSeconds = 0.6;
/** For one call in so many the deadline passes at once. */
const deadlineOneIn = 60;

/** Shortens the functions' lock timeouts, so that a test need not wait for them. */
export const impatienceSql = `
do $$
declare
  v_function regprocedure;
begin
  for v_function in select oid from pg_proc where pronamespace = 'public'::regnamespace and 'lock_timeout=4s' = any (proconfig) loop
    execute format('alter function %s set lock_timeout = ${lockTimeoutMs}', v_function);
  end loop;
end $$`;

const Rows = z.object({ rowCount: z.number().nullable() });

/** A clock whose database deadline sometimes passes at once, while the call continues. */
export class HastyClock implements Clock {
  /** Whether deadlines may pass at once; `false` until the app has started. */
  isHasty = false;
  readonly #random: SeededRandom;
  readonly #tally: Tally;

  constructor(random: SeededRandom, tally: Tally) {
    this.#random = random;
    this.#tally = tally;
  }

  now(): Date {
    return systemClock.now();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    const passes = this.isHasty && delayMs === callDeadlineMs && this.#random.isOneIn(deadlineOneIn);
    if (passes) this.#tally.add("deadlines");
    return systemClock.after(passes ? 1 : delayMs, callback);
  }
}

/** Breaks and blocks the connections of a pool. */
export class Faults {
  readonly #killer: Client;
  readonly #locker: Client;
  readonly #backends: string;
  readonly #tally: Tally;
  #killing = Promise.resolve();
  #locking = Promise.resolve();
  #callCount = 0;
  #isOver = false;

  private constructor(url: string, backends: string, tally: Tally) {
    this.#killer = new Client({ connectionString: url });
    this.#locker = new Client({ connectionString: url });
    this.#backends = backends;
    this.#tally = tally;
  }

  /**
   * Connects.
   * @param url the superuser's URL.
   * @param backends a condition for the pool's rows of pg_stat_activity.
   */
  static async start(url: string, backends: string, tally: Tally): Promise<Faults> {
    const faults = new Faults(url, backends, tally);
    await Promise.all([faults.#killer.connect(), faults.#locker.connect()]);
    return faults;
  }

  /** Causes a fault every so many calls; `conversation` is one that may be locked. */
  strike(conversation: string | undefined): void {
    if (this.#isOver) return;
    this.#callCount += 1;
    const isEach = (count: number): boolean => this.#callCount % count === 0;
    if (isEach(60)) this.#kill("pg_terminate_backend", "true");
    else if (isEach(12)) this.#kill("pg_cancel_backend", "state = 'active'");
    if (isEach(2_000))
      this.#lock("lock table public.messages in access exclusive mode", tableLockSeconds, "table locks");
    else if (isEach(500))
      this.#lock("lock table public.conversations in share mode", rowLockSeconds, "write locks");
    else if (isEach(80) && conversation !== undefined)
      this.#lock(
        `select from public.conversations where id = '${conversation}' for update`,
        rowLockSeconds,
        "row locks",
      );
  }

  /** Resolves when all faults are over. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all([this.#killing, this.#locking]);
    await Promise.all([this.#killer.end(), this.#locker.end()]);
  }

  #kill(how: "pg_cancel_backend" | "pg_terminate_backend", which: string): void {
    const sql = `select ${how}(pid) from (
      select pid from pg_stat_activity where ${this.#backends} and ${which} order by random() limit 1) victims`;
    // One after the other: a slow one must not swallow the next.
    this.#killing = this.#killing.then(async () => {
      const result = await this.#killer.query(sql);
      this.#tally.add(how, Rows.parse(result).rowCount ?? 0);
    });
  }

  /** Takes one lock after the other. */
  #lock(how: string, seconds: number, kind: string): void {
    this.#locking = this.#locking.then(async () => {
      await this.#locker.query(`begin; ${how}; select pg_sleep(${seconds}); commit`);
      this.#tally.add(kind);
    });
  }
}
