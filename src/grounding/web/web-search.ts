/**
 * Searches the web for a turn: asks the engine, and reads the best pages; snippets stand in for the
 * others.
 */
import type { Clock } from "../../base/clock.ts";
import type { FoundSource, GroundingRequest } from "../../turn/sources/grounding.ts";
import type { ReadDocument } from "../documents/read-document.ts";
import type { SourceSearch } from "../gathering.ts";
import { PageReader } from "./page-reader.ts";
import { RecentResults } from "./recent-results.ts";
import { askEngine, type SearchResult } from "./search-engine.ts";
import type { WebSearchSettings } from "./settings.ts";

/** How many pages are read, at once, and for how long in all, in milliseconds. */
const readPages = 3;
const readMs = 3_000;
/** The most text of one page that a turn gets, in UTF-16 units. */
const maxPageCharacters = 6_000;

/** Searches the web. */
export class WebSearch implements SourceSearch {
  readonly #settings: WebSearchSettings;
  readonly #clock: Clock;
  readonly #pages: PageReader;
  readonly #searches: RecentResults<readonly SearchResult[]>;

  constructor(settings: WebSearchSettings, clock: Clock, readDocument: ReadDocument) {
    this.#settings = settings;
    this.#clock = clock;
    this.#searches = new RecentResults(clock);
    this.#pages = new PageReader(settings.allowedHosts, clock, readDocument);
  }

  async find(query: string, _: GroundingRequest, signal: AbortSignal): Promise<readonly FoundSource[]> {
    const results = await this.#searches.get(
      query,
      async () => await askEngine(query, this.#settings, signal),
    );
    const late = new AbortController();
    const timer = this.#clock.after(readMs, () => late.abort());
    const reading = AbortSignal.any([signal, late.signal]);
    const sources = await Promise.all(
      results.map(async (result, index) =>
        index < readPages && result.text === undefined ? await this.#read(result, reading) : result,
      ),
    );
    timer.cancel();
    return sources.map(toSource);
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#pages.close();
  }

  async #read(result: SearchResult, signal: AbortSignal): Promise<SearchResult> {
    try {
      const { text } = await this.#pages.read(result.url, signal);
      return { ...result, text };
    } catch {
      return result;
    }
  }
}

function toSource({ title, url, snippet, text }: SearchResult): FoundSource {
  const whole = text === undefined || text.trim() === "" ? snippet : text;
  const cut = whole.slice(0, maxPageCharacters).toWellFormed();
  return { key: url, kind: "web", title: title === "" ? new URL(url).hostname : title, url, text: cut };
}
