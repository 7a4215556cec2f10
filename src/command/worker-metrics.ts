/** The metrics of several workers: the primary process asks each of them, and adds them up. */
import cluster, { type Worker } from "node:cluster";
import type { Clock } from "../base/clock.ts";
import { settleWithin } from "../base/deadline.ts";
import { joinSnapshots, withoutGauges } from "../observe/metrics/join-snapshots.ts";
import { Metrics, type MetricsSnapshot } from "../observe/metrics/metrics.ts";
import { parseSnapshot } from "../observe/metrics/parse-snapshot.ts";
import type { ServerMetrics } from "../observe/metrics/server-metrics.ts";

/** How long a worker has to send its metrics, in milliseconds. */
const replyTimeoutMs = 1_000;
const request = "metrics";

/** Sends the metrics of this worker whenever the primary process asks for them. */
export function sendMetrics(metrics: ServerMetrics): void {
  process.on("message", (message) => {
    if (message !== request) return;
    void metrics
      .read()
      // The primary process may have gone meanwhile.
      .then((snapshot) => process.send?.({ metrics: snapshot }, undefined, undefined, () => {}))
      .catch(() => {}); // it counts as missing
  });
}

/** A worker that runs. */
interface LivingWorker {
  /** Its last metrics; `undefined` until it has sent some. */
  last: MetricsSnapshot | undefined;
  /** Settles when it has replied; a worker that does not respond is not asked again. */
  asked: PromiseWithResolvers<void> | undefined;
}

/**
 * The metrics of all workers. One that does not respond within a second is counted as missing, and does not
 * hold up the others: its last known counters are used, as are those of workers that have exited, so that no
 * sum ever falls.
 */
export class WorkerMetrics {
  readonly #clock: Clock;
  readonly #own: ServerMetrics;
  readonly #living = new Map<Worker, LivingWorker>();
  #exited: MetricsSnapshot = {};

  /** @param own the metrics of the primary process. */
  constructor(own: ServerMetrics, clock: Clock) {
    this.#own = own;
    this.#clock = clock;
    cluster.on("fork", (worker) => void this.#living.set(worker, { last: undefined, asked: undefined }));
    cluster.on("message", (worker, message: unknown) => this.#take(worker, message));
    cluster.on("exit", (worker) => this.#forget(worker));
  }

  /** Resolves with the sum of all, after a second at most. */
  async read(): Promise<MetricsSnapshot> {
    const [own, replies] = await Promise.all([
      this.#own.read(),
      Promise.all(
        Array.from(this.#living, async ([worker, living]) => {
          const isPresent = await this.#ask(worker, living);
          return { worker, living, isPresent };
        }),
      ),
    ]);
    // One that has exited meanwhile is among those that have exited: it counts once.
    const running = replies.filter(({ worker }) => this.#living.has(worker));
    const snapshots = running.map(({ living: { last = {} }, isPresent }) =>
      isPresent ? last : withoutGauges(last),
    );
    const counts = new Metrics();
    counts.set("foreword_workers", {}, running.length);
    counts.set("foreword_workers_missing", {}, running.filter(({ isPresent }) => !isPresent).length);
    return joinSnapshots([own, ...snapshots, this.#exited, counts.toSnapshot()]);
  }

  /** Resolves with whether a worker has replied in time. */
  async #ask(worker: Worker, living: LivingWorker): Promise<boolean> {
    if (!worker.isConnected()) return false;
    if (living.asked === undefined) {
      living.asked = Promise.withResolvers();
      worker.send(request, () => {}); // one that has just exited does not reply
    }
    const reply = await settleWithin(this.#clock, living.asked.promise, replyTimeoutMs);
    return reply.type === "value";
  }

  #take(worker: Worker, message: unknown): void {
    const living = this.#living.get(worker);
    const sent = typeof message === "object" && message !== null && "metrics" in message;
    const snapshot = sent ? parseSnapshot(message.metrics) : undefined;
    if (living === undefined || snapshot === undefined) return;
    living.last = snapshot;
    living.asked?.resolve();
    living.asked = undefined;
  }

  #forget(worker: Worker): void {
    const { last = {} } = this.#living.get(worker) ?? {};
    this.#living.delete(worker);
    this.#exited = joinSnapshots([this.#exited, withoutGauges(last)]);
  }
}
