/** The process itself: its processor time, its memory, its files, and how late its timers are. */
import { readdir, readFile } from "node:fs/promises";
import type { Metrics } from "./metrics.ts";

/** How often the event loop is checked, in milliseconds. */
const checkMs = 50;

/** Measures the process, from its creation to {@link ProcessMetrics.close}. */
export class ProcessMetrics {
  readonly #metrics: Metrics;
  readonly #timer: NodeJS.Timeout;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    let dueMs = performance.now() + checkMs;
    // Late by as much as anything else that has to wait for the event loop.
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      metrics.record("foreword_event_loop_delay_seconds", {}, Math.max(0, nowMs - dueMs) / 1000);
      dueMs = nowMs + checkMs;
    }, checkMs).unref();
    metrics.set("process_start_time_seconds", {}, performance.timeOrigin / 1000);
  }

  /** Measures what is only known when it is asked for. */
  async read(): Promise<void> {
    const metrics = this.#metrics;
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    metrics.set("process_cpu_seconds_total", {}, (user + system) / 1e6);
    metrics.set("process_resident_memory_bytes", {}, rss);
    metrics.set("nodejs_heap_size_used_bytes", {}, heapUsed);
    metrics.set("nodejs_heap_size_total_bytes", {}, heapTotal);
    metrics.set("nodejs_external_memory_bytes", {}, external);
    // Only Linux tells: elsewhere there are none.
    const [files, limits] = await Promise.all([
      readdir("/proc/self/fd").catch(() => undefined),
      readFile("/proc/self/limits", "utf8").catch(() => ""),
    ]);
    if (files !== undefined) metrics.set("process_open_fds", {}, files.length);
    const [, limit] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    if (limit !== undefined) metrics.set("process_max_fds", {}, Number(limit));
  }

  /** Measures no more. */
  close(): void {
    clearInterval(this.#timer);
  }
}
