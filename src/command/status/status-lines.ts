/** The live state of a server as lines of text, made of two snapshots of its metrics. */
import type { MetricName } from "../../observe/metrics/metric-table.ts";
import { findMetric } from "../../observe/metrics/metric-table.ts";
import type { HistogramSeries, MetricsSnapshot, ValueSeries } from "../../observe/metrics/metrics.ts";

/** A snapshot, and when it was read, in milliseconds. */
export interface ReadSnapshot {
  readonly snapshot: MetricsSnapshot;
  readonly atMs: number;
}

/** Labels that a series has. */
type Filter = Readonly<Record<string, string>>;

/** Reads the values of a snapshot, and what was added to them since an earlier one. */
class Values {
  readonly #now: ReadSnapshot;
  readonly #before: ReadSnapshot | undefined;

  constructor(now: ReadSnapshot, before: ReadSnapshot | undefined) {
    this.#now = now;
    this.#before = before;
  }

  /** Seconds since the earlier snapshot; without one, since the server started. */
  get seconds(): number {
    const { atMs } = this.#now;
    if (this.#before !== undefined) return Math.max(0.001, (atMs - this.#before.atMs) / 1000);
    return Math.max(0.001, atMs / 1000 - this.sum("process_start_time_seconds"));
  }

  /** Returns the sum of a metric's values now. */
  sum(name: MetricName, filter: Filter = {}): number {
    return sumOf(this.#now.snapshot, name, filter);
  }

  /** Returns how much was added since the earlier snapshot. */
  added(name: MetricName, filter: Filter = {}): number {
    return Math.max(0, this.sum(name, filter) - sumOf(this.#before?.snapshot, name, filter));
  }

  /** Returns the values of a label. */
  list(name: MetricName, label: string): readonly string[] {
    const index = findMetric(name).labels.indexOf(label);
    const all = (this.#now.snapshot[name] ?? []).map(({ labels }) => labels[index] ?? "");
    return Array.from(new Set(all));
  }

  /** Returns the bound below which this share of the values added lies; `undefined` if there are none. */
  quantile(name: MetricName, share: number, filter: Filter = {}): number | undefined {
    const bounds = findMetric(name).bounds ?? [];
    const before = countsOf(this.#before?.snapshot, name, filter);
    const counts = countsOf(this.#now.snapshot, name, filter).map((count, index) =>
      Math.max(0, count - (before[index] ?? 0)),
    );
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return undefined;
    let seen = 0;
    const index = counts.findIndex((count) => (seen += count) >= share * total);
    return bounds[index] ?? Number.POSITIVE_INFINITY;
  }
}

/**
 * Returns the lines, without colours.
 * @param before an earlier snapshot; without one, rates are those since the start.
 */
export function toStatusLines(now: ReadSnapshot, before?: ReadSnapshot): readonly string[] {
  const values = new Values(now, before);
  const rows: readonly (readonly [label: string, text: string])[] = [
    ["turns", describeTurns(values)],
    ["followers", describeFollowers(values)],
    ...values
      .list("foreword_model_call_seconds", "model")
      .map((model, index) => [index === 0 ? "models" : "", describeModel(values, model)] as const),
    ["store", describeStore(values)],
    ...describeBus(values).map((text) => ["bus", text] as const),
    ["journal", describeJournal(values)],
    ["limits", `${perMinute(values, "foreword_limited_total")} refused`],
    ["process", describeProcess(values)],
  ];
  return [describeServer(values), ...rows.map(([label, text]) => `  ${label.padEnd(10)} ${text}`)];
}

function describeServer(values: Values): string {
  const [version = ""] = values.list("foreword_info", "version");
  const upSeconds = Math.max(0, Date.now() / 1000 - values.sum("process_start_time_seconds"));
  const workers = values.sum("foreword_workers");
  const missing = values.sum("foreword_workers_missing");
  const processes = workers === 1 ? "" : `, ${workers} workers${missing === 0 ? "" : `, ${missing} MISSING`}`;
  return `Foreword ${version}, up ${toDuration(upSeconds)}${processes}`;
}

function describeTurns(values: Values): string {
  const name = "foreword_turns_total";
  const outcomes = values
    .list(name, "outcome")
    .map((outcome) => [outcome, values.added(name, { outcome })] as const)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`);
  const first = values.quantile("foreword_time_to_first_text_seconds", 0.5);
  const parts = [
    `${values.sum("foreword_turns_running")} running`,
    `${perMinute(values, name)}${outcomes.length === 0 ? "" : ` (${outcomes.join(", ")})`}`,
    ...(first === undefined ? [] : [`first text within ${toSeconds(first)} (p50)`]),
  ];
  return parts.join("; ");
}

function describeFollowers(values: Values): string {
  const local = values.sum("foreword_followers", { remote: "false" });
  const remote = values.sum("foreword_followers", { remote: "true" });
  return `${local} of these turns, ${remote} of other servers'`;
}

function describeModel(values: Values, model: string): string {
  const name = "foreword_model_call_seconds";
  const failed = values
    .list(name, "result")
    .filter((result) => result !== "ok" && result !== "aborted")
    .map((result) => [result, values.added(name, { model, result })] as const)
    .filter(([, count]) => count > 0)
    .map(([result, count]) => `${count} ${result}`);
  const first = values.quantile("foreword_model_time_to_first_chunk_seconds", 0.5, { model });
  const tokens = (type: string): number =>
    Math.round((values.added("foreword_tokens_total", { type, model }) / values.seconds) * 60);
  return [
    `${model}: ${perMinute(values, name, { model })}`,
    ...(failed.length === 0 ? [] : [`FAILED: ${failed.join(", ")}`]),
    ...(first === undefined ? [] : [`first chunk within ${toSeconds(first)} (p50)`]),
    `${tokens("input")} tokens in, ${tokens("output")} out a minute`,
  ].join("; ");
}

function describeStore(values: Values): string {
  const name = "foreword_store_call_seconds";
  const failed = values.added(name) - values.added(name, { result: "ok" });
  const slowest = values.quantile(name, 0.99);
  const max = values.sum("foreword_db_pool_max");
  if (max === 0 && values.sum(name) === 0) return "none";
  return [
    `${(values.added(name) / values.seconds).toFixed(1)} calls a second`,
    ...(slowest === undefined ? [] : [`within ${toSeconds(slowest)} (p99)`]),
    ...(failed === 0 ? [] : [`${failed} FAILED`]),
    `${max - values.sum("foreword_db_pool_available")} of ${max} at once, ${values.sum("foreword_db_pool_waiting")} waiting`,
  ].join("; ");
}

/** Returns nothing if nothing carries what servers tell each other. */
function describeBus(values: Values): readonly string[] {
  const [carrier] = values.list("foreword_bus_up", "carrier");
  if (carrier === undefined) return [];
  const name = carrier === "redis" ? "Redis" : "Postgres";
  const isUp = values.sum("foreword_bus_up") > 0;
  return [
    isUp
      ? `${name} tells servers of each other's turns`
      : `${name} is SILENT: turns of other servers are polled`,
  ];
}

function describeJournal(values: Values): string {
  const queued = values.sum("foreword_journal_queued");
  const rejected = values.sum("foreword_journal_rejected");
  const size = `${(values.sum("foreword_journal_bytes") / 1024 / 1024).toFixed(1)} MiB`;
  const state = queued === 0 ? "empty" : `${queued} writes WAIT for the database`;
  return [state, ...(rejected === 0 ? [] : [`${rejected} REJECTED (see \`foreword journal\`)`]), size].join(
    "; ",
  );
}

function describeProcess(values: Values): string {
  const percent = Math.round((values.added("process_cpu_seconds_total") / values.seconds) * 100);
  const memory = Math.round(values.sum("process_resident_memory_bytes") / 1024 / 1024);
  const delay = values.quantile("foreword_event_loop_delay_seconds", 0.99);
  return [
    `${percent} % of a processor`,
    `${memory} MiB`,
    ...(delay === undefined ? [] : [`event loop late by at most ${toSeconds(delay)} (p99)`]),
  ].join("; ");
}

function perMinute(values: Values, name: MetricName, filter: Filter = {}): string {
  return `${((values.added(name, filter) / values.seconds) * 60).toFixed(1)} a minute`;
}

function toSeconds(seconds: number): string {
  if (seconds === Number.POSITIVE_INFINITY) return "more than all bounds";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds} s`;
}

function toDuration(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

function findAll(
  snapshot: MetricsSnapshot | undefined,
  name: MetricName,
  filter: Filter,
): readonly (ValueSeries | HistogramSeries)[] {
  const names = findMetric(name).labels;
  return (snapshot?.[name] ?? []).filter(({ labels }) =>
    Object.entries(filter).every(([label, value]) => labels[names.indexOf(label)] === value),
  );
}

/** Returns a sum of values; of a histogram, their number. */
function sumOf(snapshot: MetricsSnapshot | undefined, name: MetricName, filter: Filter): number {
  return findAll(snapshot, name, filter).reduce(
    (sum, series) =>
      sum + ("counts" in series ? series.counts.reduce((all, one) => all + one, 0) : series.value),
    0,
  );
}

function countsOf(
  snapshot: MetricsSnapshot | undefined,
  name: MetricName,
  filter: Filter,
): readonly number[] {
  const length = (findMetric(name).bounds ?? []).length + 1;
  const counts = Array.from({ length }, () => 0);
  for (const series of findAll(snapshot, name, filter))
    if ("counts" in series)
      for (const [index, count] of series.counts.entries()) counts[index] = (counts[index] ?? 0) + count;
  return counts;
}
