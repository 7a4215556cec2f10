/** `foreword serve`: starts, listens, and stops gracefully. */
import type { AppOptions } from "../app.ts";
import type { AppError } from "../base/errors.ts";
import { combine } from "../turn/observer.ts";
import { createLogObserver } from "../observe/log-observer.ts";
import { loadTracing } from "../observe/tracing/load-tracing.ts";
import type { MetricsAddress } from "../observe/metrics/metrics-endpoint.ts";
import type { ServerMetrics } from "../observe/metrics/server-metrics.ts";
import { openStore } from "../store/open-store.ts";
import { systemClock } from "../base/clock.ts";
import { toServerUrl } from "../observe/server-url.ts";
import { checkAddress } from "./address-check.ts";
import { openLogger, type LogFormat } from "../observe/logger.ts";
import { toStartBlock } from "./start-block.ts";
import { isFirst, isWorker, runWorkers, untilStopped } from "./workers.ts";

/** How long the first check of the store may take, in milliseconds. */
const checkTimeoutMs = 2_000;
/** How long the start waits for the servers of tools, in milliseconds. They are tried again afterwards. */
const toolsTimeoutMs = 5_000;

/** The options of a serving process. */
export interface ServeOptions {
  readonly version: string;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
  /** Sentences about the configuration, printed before anything else. */
  readonly warnings: readonly string[];
  readonly secrets: readonly string[];
  readonly drainMs: number;
  /** Where metrics are served; `undefined` if they are not. */
  readonly metrics: MetricsAddress | undefined;
  /** The number of serving processes. */
  readonly workerCount: number;
  readonly app: AppOptions;
}

/**
 * Serves until SIGTERM or SIGINT; then resolves with the exit code.
 * @throws AppError, or an error of Node's, if it cannot start.
 */
export async function serve(options: ServeOptions): Promise<number> {
  if (!isWorker) {
    for (const warning of options.warnings) process.stderr.write(`Warning: ${warning}\n`);
    await checkAddress(options.host, options.port);
    const { metrics: own } = options;
    if (own !== undefined) await checkAddress(own.host, own.port, "METRICS_");
  }
  const { logLevel: level, logFormat: format, secrets } = options;
  const logger = await openLogger({ level, format, secrets });
  const metrics = await openMetrics(options);
  if (options.workerCount > 1 && !isWorker) return await runWorkers(options.workerCount, logger);
  const stopping = isWorker ? untilStopped() : nextSignal();
  if (options.app.store.type === "embedded") {
    process.stderr.write("Opening the embedded database (the first time takes a few seconds) …\n");
  }
  const logged = createLogObserver(logger, options.app.logsContent, systemClock);
  const observe = metrics === undefined ? logged : combine(logged, metrics.observe);
  // The embedded database opens in its own thread; the rest of the server is loaded meanwhile.
  const [store, { createApp }] = await Promise.all([
    openStore(options.app.store, systemClock, observe),
    import("../app.ts"),
  ]);
  const tracing = await loadTracing(options.version, systemClock, (sentence) => logger.warn(sentence));
  const measured = { measuresCalls: metrics !== undefined, tracing };
  const app = await createApp(options.app, store, { clock: systemClock, logger, observe, ...measured });
  metrics?.watch(app.readState);
  let storeTrouble: AppError | undefined;
  try {
    await Promise.all([store.database?.opened, app.http.ready()]);
    [storeTrouble] = await Promise.all([store.findTrouble(checkTimeoutMs), app.tools?.ready(toolsTimeoutMs)]);
    await app.http.listen({ host: options.host, port: options.port, listenTextResolver: () => "listening" });
  } catch (error) {
    await app.close(0);
    throw error;
  }
  if (isFirst) {
    const { version, workerCount, app: appOptions } = options;
    const { page } = app;
    const { journal } = app.store;
    const toolServers = app.tools?.servers;
    const address = toServerUrl(app.http.server);
    process.stderr.write(
      toStartBlock({
        version,
        address,
        workerCount,
        app: appOptions,
        page,
        storeTrouble,
        journal,
        toolServers,
      }),
    );
  }
  const signal = await stopping;
  logger.info({ signal, drainMs: options.drainMs }, "stopping");
  if (!isWorker) process.once("SIGTERM", () => process.exit(1)).once("SIGINT", () => process.exit(1));
  await app.close(options.drainMs);
  await tracing?.flush();
  return 0;
}

async function nextSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.once("SIGTERM", resolve).once("SIGINT", resolve);
  return await promise;
}

/**
 * Starts to measure this process, and serves the metrics, unless it is a worker: the primary process then
 * asks for them. Resolves with `undefined` if metrics are off: then nothing is loaded.
 */
async function openMetrics({
  version,
  metrics: address,
  workerCount,
}: ServeOptions): Promise<ServerMetrics | undefined> {
  if (address === undefined) return undefined;
  const { ServerMetrics } = await import("../observe/metrics/server-metrics.ts");
  const metrics = new ServerMetrics(version, workerCount === 1);
  if (workerCount > 1) {
    const { sendMetrics, WorkerMetrics } = await import("./worker-metrics.ts");
    if (isWorker) sendMetrics(metrics);
    else await serveMetrics(address, new WorkerMetrics(metrics, systemClock));
  } else await serveMetrics(address, metrics);
  return metrics;
}

async function serveMetrics(address: MetricsAddress, metrics: Pick<ServerMetrics, "read">): Promise<void> {
  const { MetricsEndpoint } = await import("../observe/metrics/metrics-endpoint.ts");
  const { url } = await MetricsEndpoint.open(address, async () => await metrics.read());
  process.stderr.write(`Metrics are served at ${url}\n`);
}
