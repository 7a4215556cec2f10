/** Owns the processes that serve together on one port: one for each worker, and the one that looks after them. */
import cluster, { type Worker } from "node:cluster";

/** A worker that lived for less than this, in milliseconds, is not replaced at once. */
const shortLifeMs = 5_000;
const restartDelayMs = 1_000;

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
 * Runs `count` processes like this one, each of which serves on its own; the system's connections go to them in turn. One that dies is
 * replaced. Resolves, once all have ended after SIGTERM or SIGINT, with the exit code; or with that of the first worker that
 * could not start, which has said why.
 */
export async function runWorkers(count: number, log: WorkersLog): Promise<number> {
  const { promise: over, resolve } = Promise.withResolvers<number>();
  const startedAtMs = new Map<number, number>();
  let [isStopping, exitCode, hasServed] = [false, 0, false];

  const start = (): void => void startedAtMs.set(cluster.fork().id, performance.now());
  const settle = (): void => {
    if (Object.keys(cluster.workers ?? {}).length === 0) resolve(exitCode);
  };
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return process.exit(1); // asked twice
    isStopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
    settle();
  };
  const replace = (worker: Worker, code: number | null, signal: string | null): void => {
    const lifeMs = performance.now() - (startedAtMs.get(worker.id) ?? 0);
    startedAtMs.delete(worker.id);
    if (isStopping || !hasServed) {
      exitCode ||= code ?? 1;
      if (!isStopping) stop("SIGTERM");
      return settle();
    }
    log.warn({ pid: worker.process.pid, code, signal }, "a worker has died; another takes its place");
    setTimeout(() => isStopping || start(), lifeMs < shortLifeMs ? restartDelayMs : 0);
  };

  cluster.on("listening", () => (hasServed = true)).on("exit", replace);
  process.on("SIGTERM", stop).on("SIGINT", stop);
  for (let index = 0; index < count; index += 1) start();
  const code = await over;
  log.info({ code }, "all workers have ended");
  return code;
}
