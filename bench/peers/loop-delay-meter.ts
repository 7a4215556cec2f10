/** Owns the measure of how long a server's event loop is held: loaded into it, tells its parent when asked. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const resolutionMs = 1;

if (isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  process.on("message", (question) => {
    // It counts the whole time from one look to the next, of which one resolution is meant to pass.
    if (question === "reset") delays.reset();
    const toMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
    process.send?.({ longestMs: toMs(delays.max), p99Ms: toMs(delays.percentile(99)) });
  });
  process.channel?.unref();
}
