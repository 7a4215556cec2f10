/**
 * Writes metrics in the text format of Prometheus, version 0.0.4.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { findMetric, metricNames, type MetricName } from "./metric-table.ts";
import type { MetricsSnapshot, Series } from "./metrics.ts";

/** The media type of the text. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/** Returns the text of a snapshot. */
export function toPrometheusText(snapshot: MetricsSnapshot): string {
  return metricNames
    .flatMap((name) => {
      const series = snapshot[name] ?? [];
      if (series.length === 0) return [];
      const { help, type } = findMetric(name);
      return [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...series.flatMap((each) => toLines(name, each)),
      ];
    })
    .map((line) => `${line}\n`)
    .join("");
}

function toLines(name: MetricName, series: Series): readonly string[] {
  const { labels: names, bounds = [] } = findMetric(name);
  const labels = names.map((label, index) => toLabel(label, series.labels[index] ?? ""));
  if (!("counts" in series)) return [`${name}${toBraces(labels)} ${series.value}`];
  let count = 0;
  const buckets = series.counts.map((inBucket, index) => {
    count += inBucket;
    const bound = bounds[index] ?? "+Inf";
    return `${name}_bucket${toBraces([...labels, toLabel("le", String(bound))])} ${count}`;
  });
  return [
    ...buckets,
    `${name}_sum${toBraces(labels)} ${series.sum}`,
    `${name}_count${toBraces(labels)} ${count}`,
  ];
}

function toLabel(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `${name}="${escaped}"`;
}

function toBraces(labels: readonly string[]): string {
  return labels.length === 0 ? "" : `{${labels.join(",")}}`;
}
