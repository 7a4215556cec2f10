/** Measures event-loop delay: preloaded into a server, it reports to the parent on request. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const resolutionMs = 1;

if (isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  process.on("message", (question) => {
    // The monitor counts the whole interval between two of its timers, including the intended resolution.
    if (question === "reset") delays.reset();
    const toMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
    process.send?.({ longestMs: toMs(delays.max), p99Ms: toMs(delays.percentile(99)) });
  });
  process.channel?.unref();
}
