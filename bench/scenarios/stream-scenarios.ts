/** The scenarios made of streams alone: requests, figures and limits. */
import { readFileSync } from "node:fs";
import type { Context } from "./context.ts";
import type { Load } from "../load/job.ts";
import type { Usage } from "../load/run-load.ts";
import type { Script } from "../load/script.ts";
import { onBoth, type Limit } from "../report/limits.ts";

/** Measurements of one run on one peer, in milliseconds. */
export interface Run extends Usage {
  /** The upstream's own first-byte time. */
  readonly direct: number | undefined;
  /** The time of the write that the peer waits for. */
  readonly writeMs: number | undefined;
}

function toAddedMs({ result, direct }: Run): number {
  return (result.firstByteP50Ms ?? NaN) - (direct ?? NaN);
}

export const streamFigures = {
  "CPU µs a chunk": ({ allMs, result }: Run) => (allMs * 1000) / result.deltas,
  "CPU µs a chunk, main thread": ({ mainMs, result }: Run) => (mainMs * 1000) / result.deltas,
  "CPU µs a chunk, worker threads": ({ workersMs, result }: Run) => (workersMs * 1000) / result.deltas,
  "thousand chunks a second": ({ result }: Run) => result.deltas / result.seconds / 1000,
  "CPU %": ({ allMs, result }: Run) => allMs / result.seconds / 10,
  "CPU µs a turn": ({ allMs, result }: Run) => (allMs * 1000) / result.streams,
  "added first byte p50, ms": toAddedMs,
  "sync or commit alone p50, ms": ({ writeMs }: Run) => writeMs ?? NaN,
  "added first byte p50 beside it, ms": (run: Run) => toAddedMs(run) - (run.writeMs ?? NaN),
  "first byte p50, ms": ({ result }: Run) => result.firstByteP50Ms ?? NaN,
  "first byte p99, ms": ({ result }: Run) => result.firstByteP99Ms ?? NaN,
  "gap p99, ms": ({ result }: Run) => result.gapP99Ms ?? NaN,
  "memory KiB a stream": ({ growthKib, result }: Run) => growthKib / result.streams,
  "memory growth, MiB": ({ growthKib }: Run) => growthKib / 1024,
  "streams cut": ({ result }: Run) => result.cut,
} as const;
export type StreamFigure = keyof typeof streamFigures;

/** A scenario of streams. */
export interface StreamScenario {
  readonly name: string;
  /** Distinguishes its figures from those of another scenario with the same name. */
  readonly note?: string;
  readonly script: Script;
  readonly load: Load;
  readonly figures: readonly StreamFigure[];
  readonly limits: readonly Limit<StreamFigure>[];
  /** Memory needs no median: it hardly differs between rounds. */
  readonly isOneRound?: boolean;
  /** Whether the upstream's own time to the first byte is subtracted, and a durable write measured. */
  readonly isAdded?: boolean;
  /** Whether the load begins as soon as the peer listens. */
  readonly isCold?: boolean;
  /** Environment variables of Foreword. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether it runs in a network whose sockets buffer little. */
  readonly isInSmallNetwork?: boolean;
}

/** As fast as possible: 400 deltas, 16 events per write. */
export const fast: Script = { deltas: 400, sizeChars: 0, paceMs: 0, eventsPerWrite: 16, firstDelayMs: 0 };

/**
 * The warm-up of a peer, which lasts until V8 has compiled even code that runs once per turn. It is shorter
 * if memory is measured, since memory taken during the warm-up is not counted.
 */
export function toWarmUp(
  { isSmoke }: Context,
  figures: readonly StreamFigure[] = [],
): { readonly script: Script; readonly load: Load } {
  const seconds = figures.some((figure) => figure.startsWith("memory")) ? 3 : 10;
  return {
    script: fast,
    load: { type: "closed", clients: 16, seconds: isSmoke ? 0.1 : seconds, pauseMs: 0 },
  };
}

/** Returns how many streams at once, up to `wanted`, the open-file limit allows: each takes two sockets. */
function limitStreams(wanted: number): number {
  const [, limit = ""] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return Math.min(wanted, Math.floor((Number(limit) - 200) / 2));
}

function toOpen(wanted: number, isSmoke: boolean): StreamScenario {
  const streams = isSmoke ? wanted / 200 : limitStreams(wanted);
  return {
    name: "open",
    note: `${streams.toLocaleString("en")} streams`,
    script: { deltas: 12, sizeChars: 0, paceMs: isSmoke ? 50 : 1000, eventsPerWrite: 1, firstDelayMs: 0 },
    load: {
      type: "open",
      streams,
      rampMs: isSmoke ? 100 : Math.max(5000, wanted),
      deadlineMs: 35_000,
    },
    figures: ["memory KiB a stream", "streams cut", "first byte p99, ms", "CPU %"],
    limits: [
      ...onBoth("memory KiB a stream", 1.15, "yardstick"),
      ...onBoth("streams cut", 0),
      ...onBoth("first byte p99, ms", 1.5, "yardstick"),
    ],
    variables: { LIMIT_CONNECTIONS: `${wanted + 1000}` },
    isOneRound: true,
  };
}

function toRelay({ seconds, isSmoke }: Context): StreamScenario {
  return {
    name: "relay",
    script: fast,
    load: { type: "closed", clients: isSmoke ? 8 : 64, seconds, pauseMs: 0 },
    figures: [
      "CPU µs a chunk",
      "CPU µs a chunk, main thread",
      "CPU µs a chunk, worker threads",
      "thousand chunks a second",
    ],
    limits: toCpuLimits(1.2, 0.65),
  };
}

/** Returns the limits of the processor time a chunk, as multiples of the yardstick's. */
function toCpuLimits(embedded: number, postgres: number): readonly Limit<StreamFigure>[] {
  const limit = { figure: "CPU µs a chunk", bound: "most", of: "yardstick" } as const;
  return [
    { ...limit, peer: "foreword", value: embedded },
    { ...limit, peer: "foreword-postgres", value: postgres },
  ];
}

function toPaced({ isSmoke }: Context): StreamScenario {
  return {
    name: "paced",
    script: { ...fast, deltas: isSmoke ? 20 : 200, paceMs: 25, eventsPerWrite: 1 },
    load: { type: "open", streams: isSmoke ? 10 : 100, rampMs: isSmoke ? 100 : 1000, deadlineMs: 30_000 },
    figures: [
      "CPU µs a chunk",
      "CPU µs a chunk, main thread",
      "CPU µs a chunk, worker threads",
      "gap p99, ms",
    ],
    limits: toCpuLimits(1.4, 1.1),
  };
}

/** The most that a short turn on the embedded database may cost beside the other checkout. */
const turnCost: Limit<StreamFigure> = {
  figure: "CPU µs a turn",
  peer: "foreword",
  bound: "most",
  value: 0.35,
  of: "against",
};

function toFirstByte({ seconds }: Context): StreamScenario {
  return {
    name: "first-byte",
    script: { ...fast, deltas: 8, firstDelayMs: 5 },
    load: { type: "closed", clients: 1, seconds, pauseMs: 1 },
    figures: [
      "added first byte p50, ms",
      "sync or commit alone p50, ms",
      "first byte p99, ms",
      "CPU µs a turn",
    ],
    limits: [turnCost],
    isAdded: true,
  };
}

function toInstant({ seconds }: Context): StreamScenario {
  return {
    name: "instant",
    script: { ...fast, deltas: 8 },
    load: { type: "closed", clients: 1, seconds, pauseMs: 0 },
    figures: [
      "added first byte p50, ms",
      "sync or commit alone p50, ms",
      "added first byte p50 beside it, ms",
      "first byte p99, ms",
      "CPU µs a turn",
    ],
    limits: [...onBoth("added first byte p50 beside it, ms", 3, "yardstick"), turnCost],
    isAdded: true,
  };
}

function toCrowd({ isSmoke }: Context): Pick<StreamScenario, "script" | "load"> {
  return {
    script: { ...fast, deltas: isSmoke ? 20 : 200, paceMs: 50, eventsPerWrite: 1 },
    load: { type: "open", streams: isSmoke ? 20 : 1000, rampMs: isSmoke ? 100 : 2000, deadlineMs: 27_000 },
  };
}

function toWarmCrowd(context: Context): StreamScenario {
  return {
    ...toCrowd(context),
    name: "crowd",
    figures: [
      "gap p99, ms",
      "memory KiB a stream",
      "streams cut",
      "first byte p99, ms",
      "CPU µs a chunk",
      "CPU µs a chunk, main thread",
      "CPU µs a chunk, worker threads",
    ],
    limits: [
      ...onBoth("gap p99, ms", 1.2, "yardstick"),
      ...onBoth("memory KiB a stream", 1.15, "yardstick"),
      ...onBoth("streams cut", 0),
    ],
  };
}

function toColdCrowd(context: Context): StreamScenario {
  return {
    ...toCrowd(context),
    name: "cold-crowd",
    figures: [
      "first byte p50, ms",
      "first byte p99, ms",
      "streams cut",
      "gap p99, ms",
      "memory KiB a stream",
    ],
    limits: [...onBoth("first byte p99, ms", 1.5, "yardstick"), ...onBoth("streams cut", 0)],
    isCold: true,
  };
}

function toSlowReaders({ isSmoke }: Context): StreamScenario {
  return {
    name: "slow-readers",
    script: { ...fast, deltas: isSmoke ? 500 : 20_000, sizeChars: 2000, eventsPerWrite: 1 },
    load: { type: "stalled", streams: isSmoke ? 10 : 200, seconds: isSmoke ? 1 : 18 },
    figures: ["memory growth, MiB", "CPU %"],
    // Kernel socket buffers are not process memory.
    limits: onBoth("memory growth, MiB", 150),
    isOneRound: true,
    isInSmallNetwork: true,
  };
}

/** The stream scenarios, each with a sentence for the help. */
export const streamScenarios = {
  relay: "64 clients, replies at full speed",
  paced: "100 streams of 40 chunks a second",
  "first-byte": "one client; the model answers after 5 ms",
  instant: "one client, back to back; the model answers at once",
  crowd: "1,000 streams of 20 chunks a second that begin within 2 s",
  "cold-crowd": "the same on a process that has just started",
  open: "4,000 and 10,000 streams of a chunk a second",
  "slow-readers": "200 clients that stop reading replies of 2 MiB",
} as const;

/** Returns all stream scenarios. */
export function listStreamScenarios(context: Context): readonly StreamScenario[] {
  const opens = [4000, 10_000].map((wanted) => toOpen(wanted, context.isSmoke));
  return [
    toRelay(context),
    toPaced(context),
    toFirstByte(context),
    toInstant(context),
    toWarmCrowd(context),
    toColdCrowd(context),
    ...opens,
    toSlowReaders(context),
  ];
}
