/** Compares the context window in a model's settings with the one that its server lists. */
import { isRecord, parseJson } from "../../base/json.ts";
import type { ModelSettings } from "../../model/settings.ts";
import type { Finding } from "../finding.ts";

/** The fields of vLLM; OpenRouter; Groq; Mistral. llama.cpp has `n_ctx` in `meta`. */
const windowFields = ["max_model_len", "context_length", "context_window", "max_context_length"];

/** Returns the advice about a model that is in `list`, the models of its server. */
export function toWindowFinding(
  { openai, windowTokens }: ModelSettings,
  list: string,
): Omit<Finding, "subject"> {
  const { model } = openai;
  const entry = findEntry(list, model);
  const window = toWindow(entry);
  const text = `${model} is available`;
  if (window !== undefined && windowTokens !== undefined && windowTokens > window)
    return {
      isWell: false,
      text: `${text}, but its server's window is ${window} tokens, less than windowTokens, ${windowTokens}`,
      fix: `set windowTokens to ${window}, or start the server with a larger window`,
    };
  if (window !== undefined) return { isWell: true, text: `${text}, with a window of ${window} tokens` };
  if (entry?.["owned_by"] !== "library" || windowTokens !== undefined) return { isWell: true, text };
  return {
    isWell: true,
    isWarning: true,
    text: `${text}, but Ollama silently cuts prompts past its context length (4096 tokens unless the machine has much video memory)`,
    fix: "set OLLAMA_CONTEXT_LENGTH on the server, and windowTokens to the same in MODELS_FILE",
  };
}

type Fields = Readonly<Record<string, unknown>>;

function findEntry(list: string, model: string): Fields | undefined {
  const parsed = parseJson(list);
  const entries: unknown = isRecord(parsed) ? parsed["data"] : undefined;
  if (!Array.isArray(entries)) return undefined;
  return entries.filter(isRecord).find(({ id }) => id === model || id === `${model}:latest`);
}

function toWindow(entry: Fields | undefined): number | undefined {
  if (entry === undefined) return undefined;
  const meta = isRecord(entry["meta"]) ? entry["meta"]["n_ctx"] : undefined;
  return [...windowFields.map((name) => entry[name]), meta]
    .filter((tokens) => typeof tokens === "number")
    .find((tokens) => Number.isInteger(tokens) && tokens > 0);
}
