/** `foreword status`: the live state of the running server, in a terminal until it is interrupted. */
import type { Writable } from "node:stream";
import type { AppOptions } from "../../app.ts";
import type { MetricsAddress } from "../../observe/metrics/metrics-endpoint.ts";
import { parseSnapshot } from "../../observe/metrics/parse-snapshot.ts";
import { ControlClient } from "../control/control-client.ts";
import { toStatusLines, type ReadSnapshot } from "./status-lines.ts";

/** How long the server may take to respond, in milliseconds. */
const timeoutMs = 5_000;
/** Moves the cursor to the top left, and clears the screen. */
const clear = "\u001b[H\u001b[2J";

/** How often a terminal shows it again, in milliseconds. */
const refreshMs = 2_000;

/** Where the server can be reached. */
interface ServerPlace {
  /** Its `DATA_DIR` with the control socket; `undefined` if it has none. */
  readonly dataDir: string | undefined;
  /** Where it serves its metrics; `undefined` if it does not. */
  readonly metrics: MetricsAddress | undefined;
}

/** Where the state comes from, and where it goes. */
export interface StatusOptions extends ServerPlace {
  readonly output: Writable;
  /** How often the state is shown again in the place of the one before, in milliseconds; absent for once. */
  readonly intervalMs?: number | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Shows the state on standard output: in a terminal until SIGINT or SIGTERM, else once. */
export async function runStatus({
  app: { store },
  metrics,
}: {
  readonly app: Pick<AppOptions, "store">;
  readonly metrics: MetricsAddress | undefined;
}): Promise<number> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  const intervalMs = process.stdout.isTTY ? refreshMs : undefined;
  const dataDir = store.type === "none" ? undefined : store.dataDir;
  const output = process.stdout;
  return await showStatus({ dataDir, metrics, output, intervalMs, signal: ending.signal });
}

/**
 * Shows the state once, or until it is interrupted, also while the server does not respond any more. Resolves
 * with the exit code: 1 if the server cannot be asked at first.
 */
export async function showStatus({ output, intervalMs, signal, ...place }: StatusOptions): Promise<number> {
  const url = toUrl(place.metrics);
  if (place.dataDir === undefined && url === undefined) {
    output.write("Set METRICS_PORT for the server, and here too: the state is read from its metrics.\n");
    return 1;
  }
  const where = [
    ...(place.dataDir === undefined ? [] : [place.dataDir]),
    ...(url === undefined ? [] : [url]),
  ];
  const problem = `No server responds in ${where.join(", nor at ")}: is it running, as this user and with the same settings?\n`;
  const start = intervalMs === undefined ? "" : clear;
  let before: ReadSnapshot | undefined;
  for (let isFirst = true; ; isFirst = false) {
    const now = await read(place.dataDir, url, signal);
    if (now === undefined) {
      if (signal.aborted) return 0;
      output.write(isFirst ? problem : start + problem);
      if (isFirst) return 1;
    } else {
      const lines = toStatusLines(now, before).map((line) => `${line}\n`);
      output.write(start + lines.join(""));
    }
    if (intervalMs === undefined || (await isAborted(signal, intervalMs))) return 0;
    before = now;
  }
}

/** Returns a URL that this machine can connect to: it cannot connect to "all addresses". */
function toUrl(address: MetricsAddress | undefined): string | undefined {
  if (address === undefined || address.port === 0) return undefined;
  const { host, port } = address;
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}/metrics.json`;
}

/** Asks by the control socket; a server that has none in this folder may serve its metrics. */
async function read(
  dataDir: string | undefined,
  url: string | undefined,
  ending: AbortSignal,
): Promise<ReadSnapshot | undefined> {
  try {
    const signal = AbortSignal.any([ending, AbortSignal.timeout(timeoutMs)]);
    const server = dataDir === undefined ? undefined : await ControlClient.connect(dataDir);
    let value: unknown;
    if (server !== undefined) value = await server.request("metrics", signal).finally(() => server.close());
    else if (url !== undefined) value = await (await fetch(url, { signal })).json();
    const snapshot = parseSnapshot(value);
    return snapshot && { snapshot, atMs: Date.now() };
  } catch {
    return undefined;
  }
}

/** Resolves after the interval, or at once when aborted, with whether it was. */
async function isAborted(signal: AbortSignal, intervalMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const timer = setTimeout(end, intervalMs);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
  return signal.aborted;
}
