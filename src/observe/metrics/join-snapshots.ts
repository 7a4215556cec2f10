/** Joins the metrics of several processes to those of the server. */
import { findMetric, metricNames, type MetricName } from "./metric-table.ts";
import type { MetricsSnapshot, Series } from "./metrics.ts";

/** Returns the metrics of all processes together. */
export function joinSnapshots(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  return fromEntries((name) => {
    const joined = new Map<string, Series>();
    for (const snapshot of snapshots)
      for (const series of snapshot[name] ?? []) {
        const key = series.labels.join("\n");
        joined.set(key, joinSeries(name, joined.get(key), series));
      }
    return [...joined.values()];
  });
}

/**
 * Returns the part of a snapshot that still counts once its process is gone, or does not respond: without it,
 * sums would fall, which looks like a restart of the server.
 */
export function withoutGauges(snapshot: MetricsSnapshot): MetricsSnapshot {
  return fromEntries((name) => (findMetric(name).type === "gauge" ? [] : (snapshot[name] ?? [])));
}

function fromEntries(toSeries: (name: MetricName) => readonly Series[]): MetricsSnapshot {
  const entries = metricNames.map((name) => [name, toSeries(name)] as const);
  return Object.fromEntries(entries.filter(([, series]) => series.length > 0));
}

function joinSeries(name: MetricName, one: Series | undefined, other: Series): Series {
  if (one === undefined) return other;
  if ("counts" in one && "counts" in other)
    return {
      labels: one.labels,
      counts: one.counts.map((count, index) => count + (other.counts[index] ?? 0)),
      sum: one.sum + other.sum,
    };
  if ("counts" in one || "counts" in other) throw new Error(`${name} has values of two kinds`);
  return { labels: one.labels, value: joinValues(name, one.value, other.value) };
}

function joinValues(name: MetricName, one: number, other: number): number {
  switch (findMetric(name).joins ?? "sum") {
    case "sum":
      return one + other;
    case "max":
      return Math.max(one, other);
    case "min":
      return Math.min(one, other);
  }
}
