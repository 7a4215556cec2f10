/** Reads token usage, under the various names that model servers use. */
import type { ReportedUsage, TokenCounts } from "../../turn/turn-event.ts";
import { isRecord } from "../../base/json.ts";

/** The most tokens that are believed, since counts are added up. */
const maxCount = 2 ** 31;

/**
 * Returns the first usage in `values`; `undefined` if none has any. Counts that are not numbers are ignored.
 */
export function readUsage(...values: readonly unknown[]): ReportedUsage | undefined {
  for (const value of values) {
    const usage = isRecord(value) ? toUsage(value) : undefined;
    if (usage !== undefined) return usage;
  }
  return undefined;
}

/** Returns the larger of each count, as some servers send zeros after the true counts. */
export function toLargerUsage(known: ReportedUsage | undefined, usage: ReportedUsage): ReportedUsage {
  if (known === undefined) return usage;
  return toReported({
    inputTokens: toLarger(known.inputTokens, usage.inputTokens),
    outputTokens: toLarger(known.outputTokens, usage.outputTokens),
    reasoningTokens: toLarger(known.reasoningTokens, usage.reasoningTokens),
    cachedInputTokens: toLarger(known.cachedInputTokens, usage.cachedInputTokens),
  });
}

function toLarger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function toUsage(value: Readonly<Record<string, unknown>>): ReportedUsage | undefined {
  const input = toCount(value["prompt_tokens"]) ?? toCount(value["input_tokens"]);
  const output = toCount(value["completion_tokens"]) ?? toCount(value["output_tokens"]);
  const total = toCount(value["total_tokens"]);
  // A server that counts nothing reports zeros: even an empty reply has a prompt.
  if ((input ?? 0) + (output ?? 0) + (total ?? 0) === 0) return undefined;
  return toReported({
    inputTokens: input ?? (total === undefined ? undefined : Math.max(0, total - (output ?? 0))),
    outputTokens:
      output ?? (total === undefined || input === undefined ? undefined : Math.max(0, total - input)),
    reasoningTokens:
      readDetail(value["completion_tokens_details"], "reasoning_tokens") ??
      readDetail(value["output_tokens_details"], "reasoning_tokens"),
    cachedInputTokens:
      readDetail(value["prompt_tokens_details"], "cached_tokens") ??
      readDetail(value["input_tokens_details"], "cached_tokens"),
  });
}

/** Returns the known counts. */
function toReported(counts: Readonly<Record<keyof TokenCounts, number | undefined>>): ReportedUsage {
  const { inputTokens, outputTokens, reasoningTokens, cachedInputTokens } = counts;
  return {
    ...(inputTokens !== undefined && { inputTokens }),
    ...(outputTokens !== undefined && { outputTokens }),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
  };
}

function readDetail(details: unknown, name: string): number | undefined {
  return isRecord(details) ? toCount(details[name]) : undefined;
}

/** Returns whole tokens: a fraction counts as one. */
function toCount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= maxCount ? Math.ceil(value) : undefined;
}
