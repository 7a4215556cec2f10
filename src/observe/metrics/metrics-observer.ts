/** Counts the events of a server. */
import type { ErrorCode } from "../../base/errors.ts";
import { limitNames } from "../../turn/limits.ts";
import type { MeasuredEvent, ObservedEvent, Observer } from "../../turn/observer.ts";
import { tokenCounts, type TokenCounts } from "../../turn/turn-event.ts";
import type { Metrics } from "./metrics.ts";

const writeResults = ["queued", "stored", "rejected", "lost"] as const;
/** The types of tokens by the names of their counts. */
const tokenTypes = {
  inputTokens: "input",
  outputTokens: "output",
  reasoningTokens: "reasoning",
  cachedInputTokens: "cached_input",
} as const satisfies Readonly<Record<keyof TokenCounts, string>>;
/** Methods that are shown: a client may send any other. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]);

/** Returns an observer that counts events in `metrics`. */
export function createMetricsObserver(metrics: Metrics): Observer {
  // A first failure is an increase only if there was a zero before it.
  for (const result of writeResults) metrics.add("foreword_journal_writes_total", { result }, 0);
  for (const limit of limitNames) metrics.add("foreword_limited_total", { limit }, 0);
  for (const result of ["read", "failed"]) metrics.add("foreword_documents_total", { result }, 0);
  metrics.add("foreword_recovered_turns_total", {}, 0);
  const countWrite = (result: (typeof writeResults)[number]): void =>
    metrics.add("foreword_journal_writes_total", { result });
  return (event) => {
    switch (event.type) {
      case "turn-ended":
        return countTurn(metrics, event);
      case "turn-recovered":
        return metrics.add("foreword_recovered_turns_total", {});
      case "write-queued":
        return countWrite("queued");
      case "write-stored":
        return countWrite("stored");
      case "write-rejected":
        return countWrite("rejected");
      case "write-lost":
        return countWrite("lost");
      case "store-called":
      case "model-called":
      case "request-ended":
      case "document-read":
        return measure(metrics, event);
      case "turn-waiting":
      case "conversation-deleted":
      case "store-trouble":
      case "bus-changed":
      case "title-failed":
      case "search-failed":
      case "question-not-embedded":
      case "embedding-paused":
      case "vectors-unavailable":
      case "search-backlog-started":
      case "search-backlog-indexed":
      case "conversations-expired":
      case "chat-summarised":
      case "summary-failed":
      case "model-left":
      case "model-avoided":
      case "model-recovered":
      case "parameter-refused":
      case "tool-server-connected":
      case "tool-list-changed":
      case "tool-server-lost":
      case "tool-server-refused":
      case "tool-server-wrote":
      case "tool-warning":
    }
  };
}

function countTurn(metrics: Metrics, event: ObservedEvent & { readonly type: "turn-ended" }): void {
  const { turn, result } = event;
  const { model } = turn;
  const { outcome, durationMs, firstTextMs } = result;
  metrics.add("foreword_turns_total", { outcome, wire: turn.wire ?? "unknown", model });
  if (durationMs !== undefined)
    metrics.record("foreword_turn_duration_seconds", { model }, durationMs / 1000);
  if (firstTextMs !== undefined)
    metrics.record("foreword_time_to_first_text_seconds", { model }, firstTextMs / 1000);
}

function measure(metrics: Metrics, event: MeasuredEvent): void {
  switch (event.type) {
    case "store-called": {
      const labels = { function: event.function, result: toResult(event.error?.code) };
      return metrics.record("foreword_store_call_seconds", labels, event.durationMs / 1000);
    }
    case "model-called":
      return countCall(metrics, event);
    case "request-ended": {
      const { method = "", route = "", status, error } = event;
      const known = methods.has(method) ? method : "other";
      const labels = { method: known, route: route === "" ? "other" : route, status: String(status) };
      metrics.add("foreword_http_requests_total", labels);
      if (error?.limit !== undefined) metrics.add("foreword_limited_total", { limit: error.limit.name });
      return;
    }
    case "document-read": {
      const result = event.errorCode === undefined ? "read" : "failed";
      metrics.add("foreword_documents_total", { result });
      return metrics.record("foreword_document_seconds", {}, event.durationMs / 1000);
    }
  }
}

function countCall(metrics: Metrics, event: MeasuredEvent & { readonly type: "model-called" }): void {
  const { model, result, durationMs, firstChunkMs, gaps, usage = {} } = event;
  metrics.record("foreword_model_call_seconds", { model, result }, durationMs / 1000);
  if (firstChunkMs !== undefined)
    metrics.record("foreword_model_time_to_first_chunk_seconds", { model }, firstChunkMs / 1000);
  const { counts, sumMs } = gaps;
  metrics.recordAll("foreword_time_per_output_chunk_seconds", { model }, { counts, sum: sumMs / 1000 });
  for (const name of tokenCounts) {
    const count = usage[name];
    if (count !== undefined) metrics.add("foreword_tokens_total", { type: tokenTypes[name], model }, count);
  }
}

function toResult(code: ErrorCode | undefined): string {
  return code ?? "ok";
}
