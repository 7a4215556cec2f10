/** `foreword serve`: starts, listens, and stops gracefully. */
import type { App, AppOptions } from "../app.ts";
import type { AppError } from "../base/errors.ts";
import { combine } from "../turn/observer.ts";
import { createLogObserver } from "../observe/log-observer.ts";
import { openStore } from "../store/open-store.ts";
import { systemClock } from "../base/clock.ts";
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
  }
  const { logLevel: level, logFormat: format, secrets } = options;
  const logger = await openLogger({ level, format, secrets });
  if (options.workerCount > 1 && !isWorker) return await runWorkers(options.workerCount, logger);
  const stopping = isWorker ? untilStopped() : nextSignal();
  if (options.app.store.type === "embedded") {
    process.stderr.write("Opening the embedded database (the first time takes a few seconds) …\n");
  }
  const observe = combine(createLogObserver(logger, options.app.logsContent));
  // The embedded database opens in its own thread; the rest of the server is loaded meanwhile.
  const [store, { createApp }] = await Promise.all([
    openStore(options.app.store, systemClock, observe),
    import("../app.ts"),
  ]);
  const app = await createApp(options.app, store, { clock: systemClock, logger, observe });
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
    const address = toAddress(app);
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
  return 0;
}

async function nextSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.once("SIGTERM", resolve).once("SIGINT", resolve);
  return await promise;
}

function toAddress(app: App): string {
  const address = app.http.server.address();
  if (address === null || typeof address === "string") return String(address);
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
