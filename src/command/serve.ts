/** `foreword serve`: starts, listens, and stops gracefully. */
import type { App, AppOptions } from "../app.ts";
import type { AppError } from "../base/errors.ts";
import { combine } from "../turn/observer.ts";
import { createLogObserver } from "../observe/log-observer.ts";
import { loadTracing } from "../observe/tracing/load-tracing.ts";
import type { MetricsAddress } from "../observe/metrics/metrics-endpoint.ts";
import type { MetricsSnapshot } from "../observe/metrics/metrics.ts";
import type { ServerMetrics } from "../observe/metrics/server-metrics.ts";
import type { FolderCopying } from "../store/database/database.ts";
import { openStore } from "../store/open-store.ts";
import { systemClock } from "../base/clock.ts";
import { toServerUrl } from "../observe/server-url.ts";
import { checkAddress } from "./address-check.ts";
import type { ControlSocket } from "./control/control-socket.ts";
import { openLogger, type LogFormat } from "../observe/logger.ts";
import { toStartBlock } from "./start-block.ts";
import { isFirst, isWorker, runWorkers, untilStopped, type WorkersLog } from "./workers.ts";

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
  if (options.workerCount > 1 && !isWorker) {
    const control = await openControl(options, logger, metrics?.read);
    return await runWorkers(options.workerCount, logger).finally(() => control?.close());
  }
  const stopping = isWorker ? untilStopped() : nextSignal();
  if (options.app.store.type === "embedded") {
    process.stderr.write("Opening the embedded database (the first time takes a few seconds) …\n");
  }
  const logged = createLogObserver(logger, options.app.logsContent, systemClock);
  const observe = metrics === undefined ? logged : combine(logged, metrics.own.observe);
  // The embedded database opens in its own thread; the rest of the server is loaded meanwhile.
  const [store, { createApp }] = await Promise.all([
    openStore(options.app.store, systemClock, observe),
    import("../app.ts"),
  ]);
  const tracing = await loadTracing(options.version, systemClock, (sentence) => logger.warn(sentence));
  const measured = { measuresCalls: metrics !== undefined, tracing };
  const app = await createApp(options.app, store, { clock: systemClock, logger, observe, ...measured });
  metrics?.own.watch(app.readState);
  let storeTrouble: AppError | undefined;
  let control: ControlSocket | undefined;
  try {
    await Promise.all([store.database?.opened, app.http.ready()]);
    [storeTrouble] = await Promise.all([store.findTrouble(checkTimeoutMs), app.tools?.ready(toolsTimeoutMs)]);
    if (!isWorker) control = await openControl(options, logger, metrics?.read, store.database?.copying);
    await app.listeners.listen({ host: options.host, port: options.port });
  } catch (error) {
    await control?.close();
    await app.close(0);
    throw error;
  }
  if (isFirst) printStart(options, app, storeTrouble);
  const signal = await stopping;
  logger.info({ signal, drainMs: options.drainMs }, "stopping");
  if (!isWorker) process.once("SIGTERM", () => process.exit(1)).once("SIGINT", () => process.exit(1));
  await app.close(options.drainMs);
  await control?.close();
  await tracing?.flush();
  return 0;
}

function printStart(
  { version, workerCount, app: appOptions }: ServeOptions,
  { http, page, store: { journal }, tools }: App,
  storeTrouble: AppError | undefined,
): void {
  process.stderr.write(
    toStartBlock({
      version,
      address: toServerUrl(http.server),
      workerCount,
      app: appOptions,
      page,
      storeTrouble,
      journal,
      toolServers: tools?.servers,
    }),
  );
}

async function nextSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.once("SIGTERM", resolve).once("SIGINT", resolve);
  return await promise;
}

/** The metrics of this process, and those of the whole server. */
interface ServedMetrics {
  readonly own: ServerMetrics;
  readonly read: () => Promise<MetricsSnapshot>;
}

/**
 * Starts to measure this process, and serves the metrics of all on their port, if they have one. Workers send
 * theirs to the primary process. If no one can ask for them, resolves with `undefined`, and loads nothing.
 */
async function openMetrics({
  version,
  metrics: address,
  workerCount,
  app,
}: ServeOptions): Promise<ServedMetrics | undefined> {
  if (address === undefined && !hasFolder(app.store)) return undefined;
  const { ServerMetrics } = await import("../observe/metrics/server-metrics.ts");
  const own = new ServerMetrics(version, workerCount === 1);
  let all: Pick<ServerMetrics, "read"> = own;
  if (workerCount > 1) {
    const { sendMetrics, WorkerMetrics } = await import("./worker-metrics.ts");
    if (isWorker) sendMetrics(own);
    else all = new WorkerMetrics(own, systemClock);
  }
  const read = async (): Promise<MetricsSnapshot> => await all.read();
  if (address !== undefined && !isWorker) {
    const { MetricsEndpoint } = await import("../observe/metrics/metrics-endpoint.ts");
    const { url } = await MetricsEndpoint.open(address, read);
    process.stderr.write(`Metrics are served at ${url}\n`);
  }
  return { own, read };
}

/** Whether the server keeps something in `DATA_DIR`, and so its control socket too. */
function hasFolder(
  store: AppOptions["store"],
): store is Exclude<AppOptions["store"], { readonly type: "none" }> {
  return store.type !== "none" && !(store.type === "supabase" && store.supabase.usesCallerToken);
}

/** Opens the control socket; a server without one works, but commands cannot reach it. */
async function openControl(
  { app: { store } }: ServeOptions,
  logger: Pick<WorkersLog, "warn">,
  readMetrics: (() => Promise<MetricsSnapshot>) | undefined,
  copying?: FolderCopying,
): Promise<ControlSocket | undefined> {
  if (!hasFolder(store) || readMetrics === undefined) return undefined;
  try {
    const { ControlSocket } = await import("./control/control-socket.ts");
    return await ControlSocket.open({ dataDir: store.dataDir, readMetrics, copying });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn({ reason }, "no control socket: `foreword status` and `backup` cannot reach this server");
    return undefined;
  }
}
