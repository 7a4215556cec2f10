/** The scenarios made of streams alone: requests, figures and limits. */
import { readFileSync } from "node:fs";
import type { Context } from "./context.ts";
import type { PeerName } from "../peers/peers.ts";
import type { Load } from "../load/job.ts";
import type { Usage } from "../load/run-load.ts";
import type { Script } from "../load/script.ts";

/** Measurements of one run on one peer; `direct` is the upstream's own first-byte time, in milliseconds. */
export interface Run extends Usage {
  readonly direct: number | undefined;
}

export const streamFigures = {
  "CPU µs a chunk": ({ allMs, result }: Run) => (allMs * 1000) / result.deltas,
  "CPU µs a chunk, main thread": ({ mainMs, result }: Run) => (mainMs * 1000) / result.deltas,
  "CPU µs a chunk, worker threads": ({ workersMs, result }: Run) => (workersMs * 1000) / result.deltas,
  "thousand chunks a second": ({ result }: Run) => result.deltas / result.seconds / 1000,
  "CPU %": ({ allMs, result }: Run) => allMs / result.seconds / 10,
  "CPU µs a turn": ({ allMs, result }: Run) => (allMs * 1000) / result.streams,
  "added first byte p50, ms": ({ result, direct }: Run) => (result.firstByteP50Ms ?? NaN) - (direct ?? NaN),
  "first byte p50, ms": ({ result }: Run) => result.firstByteP50Ms ?? NaN,
  "first byte p99, ms": ({ result }: Run) => result.firstByteP99Ms ?? NaN,
  "gap p99, ms": ({ result }: Run) => result.gapP99Ms ?? NaN,
  "memory KiB a stream": ({ growthKib, result }: Run) => growthKib / result.streams,
  "memory growth, MiB": ({ growthKib }: Run) => growthKib / 1024,
  "streams cut": ({ result }: Run) => result.cut,
} as const;
export type StreamFigure = keyof typeof streamFigures;

/** A limit for Foreword: a multiple of the yardstick's figure, or a number. */
export interface Limit {
  readonly figure: StreamFigure;
  readonly most: number;
  readonly isRatio: boolean;
}

/** A scenario of streams. */
export interface StreamScenario {
  readonly name: string;
  /** Distinguishes its figures from those of another scenario with the same name. */
  readonly note?: string;
  readonly script: Script;
  readonly load: Load;
  readonly figures: readonly StreamFigure[];
  readonly limits: readonly Limit[];
  /**
   * The peer to which the limits apply, by default `foreword`: the embedded database is part of its process,
   * while Postgres is not.
   */
  readonly judged?: PeerName;
  /** Memory needs no median: it hardly differs between rounds. */
  readonly isOneRound?: boolean;
  /** Whether the upstream's own time to the first byte is subtracted. */
  readonly isAdded?: boolean;
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
      { figure: "memory KiB a stream", most: 60, isRatio: false },
      { figure: "streams cut", most: 0, isRatio: false },
    ],
    isOneRound: true,
  };
}

function toRelay({ seconds, isSmoke }: Context): StreamScenario {
  return {
    name: "relay",
    judged: "foreword-postgres",
    script: fast,
    load: { type: "closed", clients: isSmoke ? 8 : 64, seconds, pauseMs: 0 },
    figures: [
      "CPU µs a chunk",
      "CPU µs a chunk, main thread",
      "CPU µs a chunk, worker threads",
      "thousand chunks a second",
    ],
    limits: [{ figure: "CPU µs a chunk", most: 0.8, isRatio: true }],
  };
}

function toPaced({ isSmoke }: Context): StreamScenario {
  return {
    name: "paced",
    judged: "foreword-postgres",
    script: { ...fast, deltas: isSmoke ? 20 : 200, paceMs: 25, eventsPerWrite: 1 },
    load: { type: "open", streams: isSmoke ? 10 : 100, rampMs: isSmoke ? 100 : 1000, deadlineMs: 30_000 },
    figures: [
      "CPU µs a chunk",
      "CPU µs a chunk, main thread",
      "CPU µs a chunk, worker threads",
      "gap p99, ms",
    ],
    limits: [{ figure: "CPU µs a chunk", most: 1.2, isRatio: true }],
  };
}

function toFirstByte({ seconds }: Context): StreamScenario {
  return {
    name: "first-byte",
    script: { ...fast, deltas: 8, firstDelayMs: 5 },
    load: { type: "closed", clients: 1, seconds, pauseMs: 1 },
    figures: ["added first byte p50, ms", "first byte p99, ms", "CPU µs a turn"],
    limits: [{ figure: "added first byte p50, ms", most: 2.5, isRatio: true }],
    isAdded: true,
  };
}

function toCrowd({ isSmoke }: Context): StreamScenario {
  return {
    name: "crowd",
    judged: "foreword-postgres",
    script: { ...fast, deltas: isSmoke ? 20 : 200, paceMs: 50, eventsPerWrite: 1 },
    load: { type: "open", streams: isSmoke ? 20 : 1000, rampMs: isSmoke ? 100 : 2000, deadlineMs: 27_000 },
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
      { figure: "gap p99, ms", most: 1.1, isRatio: true },
      { figure: "memory KiB a stream", most: 80, isRatio: false },
    ],
  };
}

function toSlowReaders({ isSmoke }: Context): StreamScenario {
  const streams = isSmoke ? 10 : 200;
  return {
    name: "slow-readers",
    script: { ...fast, deltas: isSmoke ? 500 : 20_000, sizeChars: 2000, eventsPerWrite: 1 },
    load: { type: "stalled", streams, seconds: isSmoke ? 1 : 9 },
    figures: ["memory growth, MiB", "CPU %"],
    // One log of 2 MiB per turn. Kernel socket buffers are not process memory.
    limits: [{ figure: "memory growth, MiB", most: streams * 2, isRatio: false }],
    isOneRound: true,
    isInSmallNetwork: true,
  };
}

/** The names of {@link listStreamScenarios}, each once. */
export const streamScenarioNames = ["relay", "paced", "first-byte", "crowd", "open", "slow-readers"] as const;

/** Returns all stream scenarios. */
export function listStreamScenarios(context: Context): readonly StreamScenario[] {
  const opens = [4000, 10_000].map((wanted) => toOpen(wanted, context.isSmoke));
  return [
    toRelay(context),
    toPaced(context),
    toFirstByte(context),
    toCrowd(context),
    ...opens,
    toSlowReaders(context),
  ];
}
