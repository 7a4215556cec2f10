/** Every metric: its name, its labels, and how the values of several processes become one. */

import { chunkGapBoundsMs } from "../../turn/observer.ts";

/** A metric. */
export interface MetricDefinition {
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** The names of its labels, whose values come from bounded sets: never ids, paths or texts of clients. */
  readonly labels: readonly string[];
  /** The upper bounds of a histogram's buckets, ascending, in its unit. */
  readonly bounds?: readonly number[];
  /** How gauges of several processes are joined. Default: `sum`. Counters and histograms are added up. */
  readonly joins?: "sum" | "max" | "min";
}

const callBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const firstBounds = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const durationBounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600];
const delayBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** All metrics by name, in the order in which they are shown. */
export const metricTable = {
  foreword_info: {
    help: "Always 1; the label is the version of this server.",
    type: "gauge",
    labels: ["version"],
    joins: "max",
  },
  foreword_workers: { help: "Serving processes that run.", type: "gauge", labels: [] },
  foreword_workers_missing: {
    help: "Serving processes that did not send their metrics within 1 s; their last known counters are used.",
    type: "gauge",
    labels: [],
  },
  foreword_turns_total: {
    help: "Turns that are over.",
    type: "counter",
    labels: ["outcome", "wire", "model"],
  },
  foreword_turn_duration_seconds: {
    help: "From the start of a turn to its end.",
    type: "histogram",
    labels: ["model"],
    bounds: durationBounds,
  },
  foreword_time_to_first_text_seconds: {
    help: "From the start of a turn to the first text of its plan or answer.",
    type: "histogram",
    labels: ["model"],
    bounds: firstBounds,
  },
  foreword_turns_running: { help: "Turns that run.", type: "gauge", labels: [] },
  foreword_followers: {
    help: "Readers of running turns: of this server's turns (remote=false), and of other servers'.",
    type: "gauge",
    labels: ["remote"],
  },
  foreword_bus_up: {
    help: "1 if other servers tell this one at once when their turns have new text, through Postgres or Redis; of several processes, 1 if that holds for all.",
    type: "gauge",
    labels: ["carrier"],
    joins: "min",
  },
  foreword_model_call_seconds: {
    help: "Calls of models, for turns, titles and summaries, from the request to the end of the reply.",
    type: "histogram",
    labels: ["model", "result"],
    bounds: durationBounds,
  },
  foreword_model_time_to_first_chunk_seconds: {
    help: "From a call of a model to the first piece of its reply, reasoning included.",
    type: "histogram",
    labels: ["model"],
    bounds: firstBounds,
  },
  foreword_time_per_output_chunk_seconds: {
    help: "The time between two pieces of a model's reply; text that is read at once is one piece.",
    type: "histogram",
    labels: ["model"],
    bounds: chunkGapBoundsMs.map((ms) => ms / 1000),
  },
  foreword_tokens_total: {
    help: "Tokens, as models report them at the end of a reply. Reasoning is a part of output, cached_input of input.",
    type: "counter",
    labels: ["type", "model"],
  },
  foreword_store_call_seconds: {
    help: "Calls of the database's functions, with their waits and repetitions.",
    type: "histogram",
    labels: ["function", "result"],
    bounds: callBounds,
  },
  foreword_db_pool_max: { help: "Calls that the database gets at once, at most.", type: "gauge", labels: [] },
  foreword_db_pool_available: {
    help: "Calls that could start now without a wait.",
    type: "gauge",
    labels: [],
  },
  foreword_db_pool_waiting: { help: "Calls that wait for others to end.", type: "gauge", labels: [] },
  foreword_journal_queued: {
    help: "Writes in the journal that wait for the database.",
    type: "gauge",
    labels: [],
  },
  foreword_journal_rejected: {
    help: "Writes in the journal that the database permanently rejected.",
    type: "gauge",
    labels: [],
  },
  foreword_journal_bytes: { help: "The size of the journal's files.", type: "gauge", labels: [] },
  foreword_journal_writes_total: {
    help: "Writes that were queued in the journal, stored later, rejected, or lost.",
    type: "counter",
    labels: ["result"],
  },
  foreword_http_requests_total: {
    help: "Requests by method, route pattern and status.",
    type: "counter",
    labels: ["method", "route", "status"],
  },
  foreword_limited_total: {
    help: "Requests that were refused because a limit of their user was reached.",
    type: "counter",
    labels: ["limit"],
  },
  foreword_recovered_turns_total: {
    help: "Turns of processes that died, which this server ended as interrupted.",
    type: "counter",
    labels: [],
  },
  foreword_documents_total: {
    help: "Documents of knowledge bases that were read, or failed.",
    type: "counter",
    labels: ["result"],
  },
  foreword_document_seconds: {
    help: "How long the reading of a document took.",
    type: "histogram",
    labels: [],
    bounds: durationBounds,
  },
  foreword_event_loop_delay_seconds: {
    help: "How late a timer was that fires each 50 ms: the time in which the process did not respond.",
    type: "histogram",
    labels: [],
    bounds: delayBounds,
  },
  process_cpu_seconds_total: { help: "Processor time, user and system.", type: "counter", labels: [] },
  process_resident_memory_bytes: { help: "Resident memory.", type: "gauge", labels: [] },
  nodejs_heap_size_used_bytes: { help: "The used part of the heap.", type: "gauge", labels: [] },
  nodejs_heap_size_total_bytes: { help: "The size of the heap.", type: "gauge", labels: [] },
  nodejs_external_memory_bytes: { help: "Memory outside of the heap.", type: "gauge", labels: [] },
  process_open_fds: {
    help: "Open file descriptors; of several processes, those of the one that has the most.",
    type: "gauge",
    labels: [],
    joins: "max",
  },
  process_max_fds: {
    help: "The most file descriptors that a process may open.",
    type: "gauge",
    labels: [],
    joins: "min",
  },
  process_start_time_seconds: {
    help: "When the process started, in seconds since 1970.",
    type: "gauge",
    labels: [],
    joins: "min",
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** The name of a metric. */
export type MetricName = keyof typeof metricTable;

/** The names of all metrics. */
export const metricNames = Object.keys(metricTable).filter(isMetricName);

/** Whether there is a metric of that name. */
export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(metricTable, name);
}

/** Returns a metric. */
export function findMetric(name: MetricName): MetricDefinition {
  return metricTable[name];
}
