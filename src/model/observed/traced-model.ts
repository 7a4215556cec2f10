/** How models are named in traces: by the conventions of OpenTelemetry, and by their addresses. */
import type { TracedModel } from "../../turn/tracing/tracing.ts";
import type { ModelSettings } from "../settings.ts";

const defaultUrl = "https://api.openai.com/v1";
/** Ends of host names, with the provider behind them. */
const providers: readonly (readonly [host: string, provider: string])[] = [
  ["api.openai.com", "openai"],
  ["openai.azure.com", "azure.ai.openai"],
  ["anthropic.com", "anthropic"],
  ["amazonaws.com", "aws.bedrock"],
  ["generativelanguage.googleapis.com", "gcp.gemini"],
  ["aiplatform.googleapis.com", "gcp.vertex_ai"],
  ["groq.com", "groq"],
  ["mistral.ai", "mistral_ai"],
  ["deepseek.com", "deepseek"],
  ["x.ai", "x_ai"],
  ["perplexity.ai", "perplexity"],
  ["cohere.ai", "cohere"],
  ["cohere.com", "cohere"],
];

/**
 * Returns how a model is named in traces. A server of an unknown provider counts as `openai`, whose protocol
 * it speaks.
 */
export function toTracedModel({ name, openai, parameters }: ModelSettings): TracedModel {
  const url = new URL(openai.azure?.endpoint ?? openai.baseUrl ?? defaultUrl);
  const { hostname: address, port, protocol } = url;
  const found = providers.find(([host]) => address === host || address.endsWith(`.${host}`));
  const provider = openai.azure === undefined ? (found?.[1] ?? "openai") : "azure.ai.openai";
  const usualPort = protocol === "https:" ? 443 : 80;
  return {
    name,
    provider,
    serverModel: openai.model,
    server: { address, port: port === "" ? usualPort : Number(port) },
    defaults: { temperature: openai.temperature, ...parameters?.defaults },
  };
}
