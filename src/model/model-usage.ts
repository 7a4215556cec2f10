/** The tokens that model servers say a reply took, by whichever names. */
import type { Usage } from "../turn/turn-event.ts";
import { isRecord } from "./json-value.ts";

/** The most tokens that are believed: counts are added up. */
const maxCount = 2 ** 31;

/** Returns the usage in `values`, the first that says any; `undefined` if none does. A count that is no number says nothing. */
export function readUsage(...values: readonly unknown[]): Usage | undefined {
  for (const value of values) {
    const usage = isRecord(value) ? toUsage(value) : undefined;
    if (usage !== undefined) return usage;
  }
  return undefined;
}

/** Returns the larger of each count: some servers send zeros after the true ones. */
export function toLargerUsage(known: Usage | undefined, usage: Usage): Usage {
  if (known === undefined) return usage;
  const reasoningTokens = toLarger(known.reasoningTokens, usage.reasoningTokens);
  const cachedInputTokens = toLarger(known.cachedInputTokens, usage.cachedInputTokens);
  return {
    inputTokens: Math.max(known.inputTokens, usage.inputTokens),
    outputTokens: Math.max(known.outputTokens, usage.outputTokens),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
  };
}

function toLarger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function toUsage(value: Readonly<Record<string, unknown>>): Usage | undefined {
  const input = toCount(value["prompt_tokens"]) ?? toCount(value["input_tokens"]);
  const output = toCount(value["completion_tokens"]) ?? toCount(value["output_tokens"]);
  const total = toCount(value["total_tokens"]);
  if (input === undefined && output === undefined && total === undefined) return undefined;
  const reasoningTokens =
    readDetail(value["completion_tokens_details"], "reasoning_tokens") ??
    readDetail(value["output_tokens_details"], "reasoning_tokens");
  const cachedInputTokens =
    readDetail(value["prompt_tokens_details"], "cached_tokens") ??
    readDetail(value["input_tokens_details"], "cached_tokens");
  return {
    inputTokens: input ?? Math.max(0, (total ?? 0) - (output ?? 0)),
    outputTokens: output ?? Math.max(0, (total ?? 0) - (input ?? total ?? 0)),
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
