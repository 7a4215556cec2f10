/** Work in the background that is done until none is left, and looked for again after a pause. */
import { pause, type Clock, type Timer } from "../base/clock.ts";
import { settleWithin } from "../base/deadline.ts";
import { toAppError, type AppError, type ErrorCode } from "../base/errors.ts";
import type { Observer } from "../turn/observer.ts";

/** How long a process that ends waits for the work in progress. */
const closeTimeoutMs = 2_000;
/** The longest rest after a write, which is as long as the write took: turns get half of a database. */
const maxRestMs = 500;

/** What a piece of work has found: one that is done, nothing to do, or a reason to wait so long. */
export type WorkResult = "done" | "nothing" | { readonly waitMs: number };

/** The settings of {@link BackgroundWork}. */
export interface BackgroundWorkOptions {
  readonly clock: Clock;
  /** Told of a failure that readiness does not report, once until work succeeds again. */
  readonly observe: Observer;
  /** The pause between looks for work that other processes have left: doubled each time there is none. */
  readonly idleMs: { readonly first: number; readonly most: number };
  /**
   * Does one piece of work. It may reject: it is tried again after the longest pause.
   * @param signal aborted by {@link BackgroundWork.close}.
   */
  readonly work: (signal: AbortSignal) => Promise<WorkResult>;
}

/** Works until closed, one piece at a time. */
export class BackgroundWork {
  readonly #options: BackgroundWorkOptions;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #idleMs: number;
  #running: Promise<void> | undefined;
  /** Whether work came while this was running. */
  #mustLookAgain = false;
  /** The failure that was told last, if no work has succeeded since. */
  #told: ErrorCode | undefined;

  constructor(options: BackgroundWorkOptions) {
    this.#options = options;
    this.#idleMs = options.idleMs.first;
    this.#schedule();
  }

  /** Looks for work at once. */
  nudge(): void {
    this.#idleMs = this.#options.idleMs.first;
    this.#mustLookAgain = true;
    this.#start();
  }

  /** Starts no more work, and waits for a moment until the current one has ended. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    if (this.#running !== undefined) await settleWithin(this.#options.clock, this.#running, closeTimeoutMs);
  }

  /** Waits after a write that began at `startMs`, or until this is closed. */
  async rest(startMs: number): Promise<void> {
    const { clock } = this.#options;
    await pause(clock, Math.min(clock.monotonicMs() - startMs, maxRestMs), this.#closing.signal);
  }

  #schedule(waitMs?: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(waitMs ?? this.#idleMs, () => this.#start());
    if (waitMs === undefined) this.#idleMs = Math.min(this.#idleMs * 2, this.#options.idleMs.most);
  }

  #start(): void {
    if (this.#running !== undefined || this.#closing.signal.aborted) return;
    this.#running = this.#workAll().then((waitMs) => {
      this.#running = undefined;
      if (this.#mustLookAgain) this.#start();
      else this.#schedule(waitMs);
    });
  }

  /** Resolves with how long to wait before the next look; `undefined` for the usual pause. */
  async #workAll(): Promise<number | undefined> {
    const { work, idleMs } = this.#options;
    const { signal } = this.#closing;
    this.#mustLookAgain = false;
    try {
      while (!signal.aborted) {
        const result = await work(signal);
        this.#told = undefined;
        if (result === "nothing") break;
        if (result !== "done") {
          this.#mustLookAgain = false;
          return result.waitMs;
        }
        this.#idleMs = idleMs.first;
      }
    } catch (error) {
      this.#mustLookAgain = false;
      this.#idleMs = idleMs.most;
      if (!signal.aborted) this.#tell(toAppError(error));
    }
    return undefined;
  }

  #tell(error: AppError): void {
    if (error.code === this.#told) return;
    this.#told = error.code;
    if (!isReported(error)) this.#options.observe({ type: "store-trouble", error });
  }
}

/** Whether readiness reports a failure: the database is away, or must be upgraded. */
export function isReported({ code }: AppError): boolean {
  return code === "store_unavailable" || code === "store_schema_missing" || code === "store_schema_mismatch";
}
