/** Looks for sources in a user's documents and on the web at once, each for some seconds at most. */
import { toAppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type {
  FinishedSearch,
  FoundSource,
  Gathering,
  Grounding,
  GroundingRequest,
} from "../turn/sources/grounding.ts";
import type { SourceKind } from "../turn/turn-event.ts";
import { toSearchQuery } from "./search-query.ts";

/** A place to search. */
export interface SourceSearch {
  /**
   * Resolves with the sources for a query, the best first; `undefined` if there is nothing to search, like a
   * knowledge base that does not exist. Rejects if the search fails.
   */
  find(
    query: string,
    request: GroundingRequest,
    signal: AbortSignal,
  ): Promise<readonly FoundSource[] | undefined>;
}

/** The dependencies of {@link SourceGathering}. */
export interface SourceGatheringOptions {
  /** The users' documents; `undefined` if this server keeps none. */
  readonly documents: SourceSearch | undefined;
  /** `undefined` if this server has no search engine. */
  readonly web: (SourceSearch & { close(): Promise<void> }) | undefined;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** How long each search may take, in milliseconds. */
const maxMs: Readonly<Record<SourceKind, number>> = { document: 2_000, web: 8_000 };

/** Gathers the sources of turns. */
export class SourceGathering implements Grounding {
  readonly #options: SourceGatheringOptions;

  constructor(options: SourceGatheringOptions) {
    this.#options = options;
  }

  isAskedFor(request: Pick<GroundingRequest, "useWebSearch" | "knowledgeBase">): boolean {
    return this.#list(request).length > 0;
  }

  gather(request: GroundingRequest): Gathering | undefined {
    const query = toSearchQuery(request.messages);
    const places = query === "" ? [] : this.#list(request);
    if (places.length === 0) return undefined;
    const ending = new AbortController();
    const searches = places.map(async ([kind, search]) =>
      this.#search(kind, search, { query, request, signal: ending.signal }),
    );
    return {
      done: Promise.all(searches).then((found) => found.filter((search) => search !== undefined)),
      abort: () => ending.abort(),
    };
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#options.web?.close();
  }

  #list({
    useWebSearch,
    knowledgeBase,
  }: Pick<GroundingRequest, "useWebSearch" | "knowledgeBase">): readonly [SourceKind, SourceSearch][] {
    const { documents, web } = this.#options;
    return [
      ...(knowledgeBase === undefined || documents === undefined ? [] : [["document", documents] as const]),
      ...(useWebSearch && web !== undefined ? [["web", web] as const] : []),
    ].map(([kind, search]) => [kind, search]);
  }

  /** Never rejects: a search that fails, or takes too long, is told of. */
  async #search(
    kind: SourceKind,
    search: SourceSearch,
    asked: { readonly query: string; readonly request: GroundingRequest; readonly signal: AbortSignal },
  ): Promise<FinishedSearch | undefined> {
    const { query, request, signal } = asked;
    const { clock, observe } = this.#options;
    const late = new AbortController();
    const startedMs = clock.monotonicMs();
    const isLate = Promise.withResolvers<never>();
    const timer = clock.after(maxMs[kind], () => {
      const error = new Error(`no result within ${maxMs[kind]} ms`);
      late.abort(error);
      isLate.reject(error);
    });
    try {
      const found = search.find(query, request, AbortSignal.any([signal, late.signal]));
      const sources = await Promise.race([found, isLate.promise]);
      return sources && { kind, query, sources };
    } catch (error) {
      const durationMs = clock.monotonicMs() - startedMs;
      if (!signal.aborted) observe({ type: "search-failed", kind, error: toAppError(error), durationMs });
      return { kind, query, sources: undefined };
    } finally {
      timer.cancel();
    }
  }
}
