/** The metrics of a soak: how each is read from a sample, and by how much it changes in one step. */
import { mebibyte } from "../../src/base/sizes.ts";
import { segmentBytes, type StoreSizes } from "./soaked-stores.ts";

/** All values of one moment. */
export interface Sample extends StoreSizes {
  /** Since the start of the load. */
  readonly minute: number;
  /** Turns that are over. */
  readonly turns: number;
  /** Resident memory of the server and its children, after a collection of garbage. */
  readonly residentBytes: number;
  /** Memory of JavaScript's objects, without garbage. */
  readonly heapBytes: number;
  readonly descriptors: number;
  readonly loopDelayMs: number;
  readonly journalBytes: number;
}

/** One metric. */
export interface Metric {
  readonly name: string;
  readonly unit: "MiB" | "KiB" | "ms" | "%" | "";
  /** A growth by less is none. */
  readonly resolution: number;
  /** Returns the value in a sample; `undefined` if this store has none. `first` is the first sample. */
  read(sample: Sample, first: Sample): number | undefined;
}

const toMib = (bytes: number): number => bytes / mebibyte;

/** All metrics. Rows are kept, so tables grow with turns: only their size for each turn may not. */
export const metrics: readonly Metric[] = [
  {
    name: "resident memory",
    unit: "MiB",
    resolution: 8,
    read: ({ residentBytes }) => toMib(residentBytes),
  },
  { name: "JavaScript's heap", unit: "MiB", resolution: 4, read: ({ heapBytes }) => toMib(heapBytes) },
  // A pool and clients open and close some connections as their load changes.
  { name: "open descriptors", unit: "", resolution: 16, read: ({ descriptors }) => descriptors },
  { name: "event-loop delay, p99", unit: "ms", resolution: 10, read: ({ loopDelayMs }) => loopDelayMs },
  { name: "journal's files", unit: "MiB", resolution: 1, read: ({ journalBytes }) => toMib(journalBytes) },
  {
    name: "write-ahead log",
    unit: "MiB",
    resolution: toMib(segmentBytes),
    read: ({ logBytes }) => toMib(logBytes),
  },
  {
    name: "tables and indexes, a turn",
    unit: "KiB",
    resolution: 0.5,
    read: ({ tableBytes, turns }, first) =>
      turns === 0 ? undefined : (tableBytes - first.tableBytes) / 1024 / turns,
  },
  {
    name: "tables with few rows",
    unit: "MiB",
    resolution: 0.25,
    read: ({ boundedBytes }) => toMib(boundedBytes),
  },
  { name: "dead rows", unit: "%", resolution: 3, read: ({ deadPercent }) => deadPercent },
  {
    name: "memory of a database connection",
    unit: "MiB",
    resolution: 4,
    read: ({ connectionBytes }) => (connectionBytes === undefined ? undefined : toMib(connectionBytes)),
  },
];
