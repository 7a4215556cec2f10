/** The fields that the keys of other programs, or misspelt ones, were probably meant to be. */
import { findNearest } from "../misspelt-names.ts";

/** The fields for those of other programs, whose names are in lower case and without separators. */
const hints: ReadonlyMap<string, string> = new Map([
  ["apikey", "write apiKeyVariable, with the name of an environment variable that holds the key"],
  ["key", "write apiKeyVariable, with the name of an environment variable that holds the key"],
  ["apikeyenv", "write apiKeyVariable"],
  ["apikeyenvvar", "write apiKeyVariable"],
  ["url", "write baseUrl"],
  ["apibase", "write baseUrl"],
  ["endpoint", "write baseUrl, or azure.endpoint"],
  ["id", "write name"],
  ["modelname", "write name"],
  ["deployment", "write model"],
  ["upstream", "write model"],
  ["apiversion", "write azure.apiVersion"],
  ["contextwindow", "write windowTokens"],
  ["contextlength", "write windowTokens"],
  ["maxinputtokens", "write windowTokens"],
  ["maxtokens", "write maxOutputTokens"],
  ["temperature", 'write "parameters": {"defaults": {"temperature": …}}'],
  ["reasoningeffort", 'write "parameters": {"defaults": {"reasoning_effort": …}}'],
  ["cost", "write price"],
  ["pricing", "write price"],
  ["organization", 'write "headers": {"OpenAI-Organization": …}'],
  ["project", 'write "headers": {"OpenAI-Project": …}'],
  ["timeoutms", "write firstByteTimeoutMs or idleTimeoutMs"],
]);

/** Returns a sentence about a key that is none of `known`. */
export function toUnknownField(key: string, known: readonly string[]): string {
  const hint = hints.get(key.toLowerCase().replaceAll(/[^a-z]/g, ""));
  if (hint !== undefined && known.includes("apiKeyVariable")) return `is not a field: ${hint}`;
  const nearest = findNearest(key, known);
  if (nearest !== undefined) return `is not a field; did you mean ${nearest}?`;
  return `is not a field; the fields are ${known.join(", ")}`;
}
