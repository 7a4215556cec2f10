/** The settings of the web search, and the rules about them. */
import { defaultEngineUrls, type WebSearchSettings } from "../grounding/web/settings.ts";
import type { Environment } from "./variables.ts";

/** Returns the settings of the web search; `undefined` if there is none. */
export function toWebSearch({
  SEARCH_ENGINE: engine,
  SEARCH_BASE_URL: address,
  SEARCH_API_KEY: apiKey,
  SEARCH_ALLOWED_HOSTS: allowedHosts = [],
}: Environment): WebSearchSettings | undefined {
  if (engine === undefined) return undefined;
  const baseUrl = address ?? (engine === "searxng" ? undefined : defaultEngineUrls[engine]);
  if (baseUrl === undefined) return undefined;
  return { engine, baseUrl: new URL(baseUrl), apiKey, allowedHosts };
}

/** Returns the variable that a search engine lacks; `undefined` if it has all. */
export function findMissingSearchVariable(values: Environment): string | undefined {
  const { SEARCH_ENGINE: engine, SEARCH_BASE_URL: baseUrl, SEARCH_API_KEY: apiKey } = values;
  if (engine === "searxng" && baseUrl === undefined) return "SEARCH_BASE_URL";
  const needsKey = engine === "brave" || engine === "tavily";
  return needsKey && apiKey === undefined ? "SEARCH_API_KEY" : undefined;
}
