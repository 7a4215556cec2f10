/** Owns the figures that a run of streams gives, by name. */
import type { Usage } from "./run-load.ts";

/** What is known of one run on one peer; `direct` is the first byte's time of the upstream itself, in milliseconds. */
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
