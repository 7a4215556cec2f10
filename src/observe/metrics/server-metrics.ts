/** The metrics of a serving process: its events, its state, and the process itself. */
import type { Observer } from "../../turn/observer.ts";
import type { BusCarrier } from "../../turn/records.ts";
import { Metrics, type MetricsSnapshot } from "./metrics.ts";
import { createMetricsObserver } from "./metrics-observer.ts";
import { ProcessMetrics } from "./process-metrics.ts";

/** The state of a server, as it is now. */
export interface ServerState {
  /** Turns that run here. */
  readonly running: number;
  /** Readers of turns that run here, and of those that run elsewhere. */
  readonly followers: { readonly local: number; readonly remote: number };
  /** Calls to the database; `undefined` without one. */
  readonly pool: { readonly max: number; readonly available: number; readonly waiting: number } | undefined;
  /** `undefined` without a journal. */
  readonly journal:
    | { readonly queued: number; readonly rejected: number; readonly bytes: number }
    | undefined;
  /** `undefined` if nothing carries what servers tell each other. */
  readonly bus: { readonly carrier: BusCarrier; readonly isUp: boolean } | undefined;
}

/** Reads the state of a server. */
export type ReadState = () => Promise<ServerState>;

/** Counts from its creation until it is closed. */
export class ServerMetrics {
  readonly #metrics = new Metrics();
  readonly #process = new ProcessMetrics(this.#metrics);
  #readState: ReadState | undefined;
  /** Counts every event that it is told. */
  readonly observe: Observer = createMetricsObserver(this.#metrics);

  /** @param isAlone whether no other process serves beside this one. */
  constructor(version: string, isAlone: boolean) {
    this.#metrics.set("foreword_info", { version }, 1);
    if (!isAlone) return;
    this.#metrics.set("foreword_workers", {}, 1);
    this.#metrics.set("foreword_workers_missing", {}, 0);
  }

  /** From now on snapshots hold the state of the server. */
  watch(readState: ReadState): void {
    this.#readState = readState;
  }

  /** Resolves with all metrics, as they are now. */
  async read(): Promise<MetricsSnapshot> {
    const [state] = await Promise.all([this.#readState?.(), this.#process.read()]);
    if (state !== undefined) setState(this.#metrics, state);
    return this.#metrics.toSnapshot();
  }

  /** Counts no more. */
  close(): void {
    this.#process.close();
  }
}

function setState(metrics: Metrics, { running, followers, pool, journal, bus }: ServerState): void {
  metrics.set("foreword_turns_running", {}, running);
  metrics.set("foreword_followers", { remote: "false" }, followers.local);
  metrics.set("foreword_followers", { remote: "true" }, followers.remote);
  if (pool !== undefined) {
    metrics.set("foreword_db_pool_max", {}, pool.max);
    metrics.set("foreword_db_pool_available", {}, pool.available);
    metrics.set("foreword_db_pool_waiting", {}, pool.waiting);
  }
  if (bus !== undefined) metrics.set("foreword_bus_up", { carrier: bus.carrier }, bus.isUp ? 1 : 0);
  if (journal === undefined) return;
  metrics.set("foreword_journal_queued", {}, journal.queued);
  metrics.set("foreword_journal_rejected", {}, journal.rejected);
  metrics.set("foreword_journal_bytes", {}, journal.bytes);
}
