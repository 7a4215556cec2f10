/** Measures event-loop delay and memory: preloaded into a server, it reports to the parent on request. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { BroadcastChannel, isMainThread } from "node:worker_threads";

const resolutionMs = 1;
/** Reaches all threads of a process. */
const collecting = new BroadcastChannel("foreword-bench-collect");

/** Collects garbage, if Node was started with `--expose-gc`; returns the bytes in use afterwards. */
function collect(): number {
  globalThis.gc?.();
  const { used_heap_size: own, external_memory: external } = getHeapStatistics();
  return own + external;
}

if (isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  process.on("message", (question) => {
    if (question === "reset") delays.reset();
    // The monitor counts the whole interval between two of its timers, including the intended resolution.
    const toMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
    const report = { longestMs: toMs(delays.max), p99Ms: toMs(delays.percentile(99)) };
    if (question !== "collect") return void process.send?.(report);
    collecting.postMessage("collect");
    process.send?.({ ...report, heapBytes: collect() });
    setImmediate(() => delays.reset()); // the collection itself is no delay
  });
  process.channel?.unref();
} else collecting.addEventListener("message", collect);
collecting.unref();
