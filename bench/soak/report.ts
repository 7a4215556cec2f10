/** The report of a soak: the trend of each metric of each store. */
import { toFigure } from "../report/row.ts";
import { metrics, type Metric, type Sample } from "./metrics.ts";
import type { SoakedServer } from "./soaked-server.ts";
import { findTrend, isGrowing, maxGrowth, type Trend } from "./trend.ts";

/** The trend of a metric after the warm-up. */
export interface MetricTrend extends Trend, Pick<Metric, "name" | "unit"> {
  /** Minutes from the first to the last point. */
  readonly minutes: number;
  readonly isGrowing: boolean;
}

/** All about one store. */
export interface StoreReport {
  readonly store: string;
  readonly turns: number;
  readonly reads: number;
  readonly failures: number;
  /** Visits that were left out, because the server was too slow for them. */
  readonly skipped: number;
  /** The first failures. */
  readonly reasons: readonly string[];
  readonly trends: readonly MetricTrend[];
  readonly samples: readonly Sample[];
}

/** Returns the report of a server with these samples. */
export function toReport(
  { name, load }: SoakedServer,
  samples: readonly Sample[],
  warmUpMinutes: number,
): StoreReport {
  const { turns, reads, failures, skipped, reasons } = load;
  const trends = metrics.flatMap((metric) => {
    const points = samples.flatMap((sample) => {
      const value = samples[0] && metric.read(sample, samples[0]);
      return value === undefined || sample.minute < warmUpMinutes ? [] : [{ minute: sample.minute, value }];
    });
    if (points.length === 0) return [];
    const trend = findTrend(points);
    const minutes = (points.at(-1)?.minute ?? 0) - (points[0]?.minute ?? 0);
    const { unit, resolution } = metric;
    return [{ name: metric.name, unit, ...trend, minutes, isGrowing: isGrowing(trend, resolution) }];
  });
  return { store: name, turns, reads, failures, skipped, reasons, trends, samples };
}

/** Returns the reports as a table in Markdown, and a line for each store. */
export function toTable(reports: readonly StoreReport[]): string {
  const lines = reports.flatMap(({ store, trends }) =>
    trends.map(({ name, unit, minutes, start, end, slope, low, high, growth, ...trend }) => {
      const [from, to, each, least, most] = [start, end, slope, low, high].map(toFigure);
      const title = unit === "" ? name : `${name}, ${unit}`;
      const grown = `${toFigure(100 * growth)} % in ${toFigure(minutes)} min`;
      const mark = trend.isGrowing ? "✗" : "✓";
      const cells = [store, title, from, to, each, `${least} to ${most}`, grown, mark];
      return `| ${cells.join(" | ")} |`;
    }),
  );
  const loads = reports.map(
    ({ store, turns, reads, failures, skipped }) =>
      `${store}: ${turns} turns and ${reads} reads, ${failures} failures, ${skipped} visits left out.`,
  );
  return `| store | metric | first | last | a minute | 95 % of noise | growth | ≤ ${100 * maxGrowth} % |
|---|---|---:|---:|---:|---:|---:|---:|
${lines.join("\n")}

${loads.join("\n")}
`;
}
