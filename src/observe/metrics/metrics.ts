/** The values of metrics in one process, and snapshots of them: plain data that processes send each other. */
import { findMetric, type metricTable, type MetricName } from "./metric-table.ts";

/** A value with its labels, in the order of the metric's definition. */
export interface ValueSeries {
  readonly labels: readonly string[];
  readonly value: number;
}

/** A histogram's values with their labels. */
export interface HistogramSeries {
  readonly labels: readonly string[];
  /** The number of values in each bucket alone, the last being those above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** One series of a metric. */
export type Series = ValueSeries | HistogramSeries;

/** All series by the names of their metrics; those without a value are absent. */
export type MetricsSnapshot = Readonly<Partial<Record<MetricName, readonly Series[]>>>;

/** The labels of a metric, with their values. */
type Labels<Name extends MetricName> = Readonly<Record<(typeof metricTable)[Name]["labels"][number], string>>;

type Mutable<Each> = { -readonly [Key in keyof Each]: Each[Key] };
type Histogram = Omit<Mutable<HistogramSeries>, "counts"> & { readonly counts: number[] };

/** The metrics of one process. */
export class Metrics {
  readonly #values = new Map<MetricName, SeriesTree<Mutable<ValueSeries>>>();
  readonly #histograms = new Map<MetricName, SeriesTree<Histogram>>();

  /** Adds to a counter. */
  add<Name extends MetricName>(name: Name, labels: Labels<Name>, amount = 1): void {
    this.#findValue(name, labels).value += amount;
  }

  /** Sets a gauge, or a counter that is kept elsewhere. */
  set<Name extends MetricName>(name: Name, labels: Labels<Name>, value: number): void {
    this.#findValue(name, labels).value = value;
  }

  /** Adds a value, in the histogram's unit. */
  record<Name extends MetricName>(name: Name, labels: Labels<Name>, value: number): void {
    const { bounds = [] } = findMetric(name);
    const histogram = this.#findHistogram(name, labels);
    const index = findBucket(bounds, value);
    histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    histogram.sum += value;
  }

  /** Adds values that were counted elsewhere, by the same bounds. */
  recordAll<Name extends MetricName>(
    name: Name,
    labels: Labels<Name>,
    { counts, sum }: Pick<HistogramSeries, "counts" | "sum">,
  ): void {
    const histogram = this.#findHistogram(name, labels);
    for (let index = 0; index < counts.length; index += 1)
      histogram.counts[index] = (histogram.counts[index] ?? 0) + (counts[index] ?? 0);
    histogram.sum += sum;
  }

  /** Returns all values, as they are now. */
  toSnapshot(): MetricsSnapshot {
    const snapshot: Mutable<MetricsSnapshot> = {};
    for (const [name, series] of this.#values)
      snapshot[name] = Array.from(series, ({ labels, value }) => ({ labels, value }));
    for (const [name, series] of this.#histograms)
      snapshot[name] = Array.from(series, ({ labels, counts, sum }) => ({
        labels,
        counts: [...counts],
        sum,
      }));
    return snapshot;
  }

  #findValue(name: MetricName, labels: Readonly<Record<string, string>>): Mutable<ValueSeries> {
    return findSeries(this.#values, name, labels, (values) => ({ labels: values, value: 0 }));
  }

  #findHistogram(name: MetricName, labels: Readonly<Record<string, string>>): Histogram {
    return findSeries(this.#histograms, name, labels, (values) => ({
      labels: values,
      counts: Array.from({ length: (findMetric(name).bounds ?? []).length + 1 }, () => 0),
      sum: 0,
    }));
  }
}

/** Returns the index of the bucket of `value`: the first whose bound is not below it. */
function findBucket(bounds: readonly number[], value: number): number {
  let index = 0;
  while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1;
  return index;
}

function findSeries<Each>(
  families: Map<MetricName, SeriesTree<Each>>,
  name: MetricName,
  labels: Readonly<Record<string, string>>,
  create: (values: readonly string[]) => Each,
): Each {
  let tree = families.get(name);
  if (tree === undefined) families.set(name, (tree = new SeriesTree()));
  const names = findMetric(name).labels;
  for (const label of names) tree = tree.descend(labels[label] ?? "");
  return (tree.series ??= create(names.map((label) => labels[label] ?? "")));
}

/** The series of a metric, by the values of their labels: one level a label. No key is made of the values. */
class SeriesTree<Each> {
  series: Each | undefined;
  readonly #branches = new Map<string, SeriesTree<Each>>();

  /** Returns what lies under the next label's value. */
  descend(value: string): SeriesTree<Each> {
    const known = this.#branches.get(value);
    if (known !== undefined) return known;
    const created = new SeriesTree<Each>();
    this.#branches.set(value, created);
    return created;
  }

  /** Returns all series from here on, in the order in which they came to be under each value. */
  *[Symbol.iterator](): Generator<Each, void> {
    if (this.series !== undefined) yield this.series;
    for (const branch of this.#branches.values()) yield* branch;
  }
}
