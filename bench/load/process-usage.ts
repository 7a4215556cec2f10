/** Processor time and memory of a process and its descendants, from `/proc`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Linux counts in hundredths of a second, whatever the kernel's own clock does. */
const tickMs = 10;

/** Processor time so far, in milliseconds. */
export interface ProcessorTime {
  /** All threads of all its processes. */
  readonly allMs: number;
  /**
   * The main thread alone: the cost of the relay, without the store's threads and the garbage collector's.
   */
  readonly mainMs: number;
  /** The worker threads: in Foreword the embedded database and the journal. */
  readonly workersMs: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has just ended
  }
}

/** Returns user and system time from the `stat` file at `path`. */
function readTimeMs(path: string): number {
  const stat = read(path);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickMs;
}

function listThreads(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has just ended
  }
}

/** Returns the ids of a process and its descendants. */
export function listFamily(pid: number): readonly number[] {
  const children = listThreads(pid).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(listFamily)];
}

/** Returns the processor time of a process and its descendants so far. */
export function readProcessorTime(pid: number): ProcessorTime {
  const toSum = (times: readonly number[]): number => times.reduce((sum, timeMs) => sum + timeMs, 0);
  // The name that Node gives to the threads of its Worker class.
  const workers = listThreads(pid).filter(
    (thread) => read(`/proc/${pid}/task/${thread}/comm`).trim() === "WorkerThread",
  );
  return {
    allMs: toSum(listFamily(pid).map((id) => readTimeMs(`/proc/${id}/stat`))),
    mainMs: readTimeMs(`/proc/${pid}/task/${pid}/stat`),
    workersMs: toSum(workers.map((thread) => readTimeMs(`/proc/${pid}/task/${thread}/stat`))),
  };
}

/**
 * Returns the processor time of the main threads of a process and its living descendants so far, in
 * milliseconds: exact, for work that takes less than a hundredth of a second.
 */
export function readExactTimeMs(pid: number): number {
  const times = listFamily(pid).map((id) => Number(read(`/proc/${id}/schedstat`).split(" ")[0] ?? 0));
  return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6;
}

/** Returns the resident memory of a process and its descendants, in KiB. */
export function readResidentKib(pid: number): number {
  return sumStatus(pid, /^VmRSS:\s+(\d+) kB$/m);
}

/** Returns their resident memory without that of files and without shared memory, in KiB. */
export function readPrivateKib(pid: number): number {
  return sumStatus(pid, /^RssAnon:\s+(\d+) kB$/m);
}

function sumStatus(pid: number, field: RegExp): number {
  return listFamily(pid)
    .map((id) => Number(field.exec(read(`/proc/${id}/status`))?.[1] ?? 0))
    .reduce((sum, kib) => sum + kib, 0);
}

/** Forgets the peak memory of a process so far. @throws Error if that is forbidden. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Returns the peak resident memory of a process since {@link resetPeak}, in KiB. */
export function readPeakKib(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}
