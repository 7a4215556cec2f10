/** Owns the processes that serve together on one port: one for each worker, and the one that looks after them. */
import cluster, { type Worker } from "node:cluster";

/** A worker that lived for less than this, in milliseconds, is not replaced at once. */
const shortLifeMs = 5_000;
const restartDelayMs = 1_000;

const stopMessage = "stop";

/** Who is told of what becomes of the workers. */
export interface WorkersLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** Whether this process is one of several that serve, and not the one that looks after them. */
export const { isWorker } = cluster;
/** Whether it speaks for all that serve: what is said of the server is said once. */
export const isFirst = (cluster.worker?.id ?? 1) === 1;

/**
 * Resolves when a worker is to stop. It hears that from the process that looks after it alone: a signal may be sent to all of them at
 * once, as a terminal does.
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
 * Runs `count` processes like this one, each of which serves on its own; the system's connections go to them in turn. One that dies is
 * replaced. Resolves, once all have ended after SIGTERM or SIGINT, with the exit code; or with that of the first worker that
 * could not start, which has said why.
 */
export async function runWorkers(count: number, log: WorkersLog): Promise<number> {
  const { promise: over, resolve } = Promise.withResolvers<number>();
  /** Those that live, and since when. (`cluster.workers` has a dead one for as long as its channel is open.) */
  const living = new Map<Worker, number>();
  let isStopping = false;
  let hasServed = false;
  let exitCode = 0;

  const start = (): void => void living.set(cluster.fork(), performance.now());
  const settle = (): void => {
    if (living.size === 0) resolve(exitCode);
  };
  const stop = (): void => {
    if (isStopping) return process.exit(1); // asked twice
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
    log.warn({ pid: worker.process.pid, code, signal }, "a worker has died; another takes its place");
    setTimeout(() => isStopping || start(), lifeMs < shortLifeMs ? restartDelayMs : 0);
  };

  cluster.on("exit", replace).on("listening", (worker) => {
    hasServed = true;
    if (isStopping) worker.send(stopMessage); // one that was starting has not heard it
  });
  process.on("SIGTERM", stop).on("SIGINT", stop);
  for (let index = 0; index < count; index += 1) start();
  const code = await over;
  log.info({ code }, "all workers have ended");
  return code;
}
