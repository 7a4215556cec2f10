/** The settings of the web search. */

/** The search engines that can be asked. */
export const searchEngines = ["searxng", "brave", "tavily"] as const;
/** One of {@link searchEngines}. */
export type SearchEngineName = (typeof searchEngines)[number];

/** Which search engine is asked, and which pages may be read. */
export interface WebSearchSettings {
  readonly engine: SearchEngineName;
  /** The address of the engine's API, without its path. */
  readonly baseUrl: URL;
  /** `undefined` for SearXNG, which needs none. */
  readonly apiKey: string | undefined;
  /**
   * Hosts, or `host:port`, that pages may be read from though their addresses are private or their ports
   * unusual. In lower case.
   */
  readonly allowedHosts: readonly string[];
}

/** The engines' own addresses; SearXNG has none. */
export const defaultEngineUrls: Readonly<Record<Exclude<SearchEngineName, "searxng">, string>> = {
  brave: "https://api.search.brave.com",
  tavily: "https://api.tavily.com",
};
