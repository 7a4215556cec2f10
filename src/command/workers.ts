/**
 * The processes that serve together on one port: the workers, and the primary process that supervises them.
 */
import cluster, { type Worker } from "node:cluster";

/** A worker that ran for less than this, in milliseconds, is replaced after a delay. */
const shortLifeMs = 5_000;
const restartDelayMs = 1_000;

const stopMessage = "stop";

/** A log for events of the workers. */
export interface WorkersLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** Whether this process is one of several workers, not the primary process. */
export const { isWorker } = cluster;
/** Whether it speaks for all workers, so that facts about the server are logged once. */
export const isFirst = (cluster.worker?.id ?? 1) === 1;

/**
 * Resolves when a worker must stop. Only the primary process tells it to: a terminal sends its signals to all
 * processes at once.
 */
export async function untilStopped(): Promise<string> {
  process.on("SIGTERM", () => {}).on("SIGINT", () => {});
  const { promise, resolve } = Promise.withResolvers<string>();
  process.on("message", (message) => {
    if (message === stopMessage) resolve(stopMessage);
  });
  return await promise;
}

/**
 * Runs `count` workers, which receive connections in turn. A worker that exits is replaced. Resolves with the
 * exit code once all have ended after SIGTERM or SIGINT; or with that of the first worker that could not
 * start, which has reported the reason.
 */
export async function runWorkers(count: number, log: WorkersLog): Promise<number> {
  const { promise: over, resolve } = Promise.withResolvers<number>();
  /** Running workers, and when they started. (`cluster.workers` also holds exited ones for a while.) */
  const living = new Map<Worker, number>();
  let isStopping = false;
  let hasServed = false;
  let exitCode = 0;

  const start = (): void => void living.set(cluster.fork(), performance.now());
  const settle = (): void => {
    if (living.size === 0) resolve(exitCode);
  };
  const stop = (): void => {
    if (isStopping) return process.exit(1); // the second signal
    isStopping = true;
    for (const worker of living.keys()) if (worker.isConnected()) worker.send(stopMessage);
    settle();
  };
  const replace = (worker: Worker, code: number | null, signal: string | null): void => {
    const lifeMs = performance.now() - (living.get(worker) ?? 0);
    living.delete(worker);
    if (isStopping || !hasServed) {
      exitCode ||= code ?? 1;
      if (!isStopping) stop();
      return settle();
    }
    log.warn({ pid: worker.process.pid, code, signal }, "worker exited; starting a replacement");
    setTimeout(() => isStopping || start(), lifeMs < shortLifeMs ? restartDelayMs : 0);
  };

  cluster.on("exit", replace).on("listening", (worker) => {
    hasServed = true;
    if (isStopping) worker.send(stopMessage); // it was starting, and missed the message
  });
  process.on("SIGTERM", stop).on("SIGINT", stop);
  for (let index = 0; index < count; index += 1) start();
  const code = await over;
  log.info({ code }, "all workers have exited");
  return code;
}
