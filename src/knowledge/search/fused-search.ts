/** Finds passages by their words and vectors at once; without vectors, words alone decide. */
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { AppError, toAppError } from "../../base/errors.ts";
import type { EmbeddingServer } from "../../grounding/embeddings/embedding-server.ts";
import type { Observer } from "../../turn/observer.ts";
import type { SimilarPassage, VectorRows } from "../embeddings/vector-rows.ts";
import { fusePassages } from "./fusion.ts";
import type { PassageFinder, ScoredPassage } from "./passage-search.ts";

/** How many passages are gathered by words, and as many by vectors. */
const maxCandidates = 60;
/**
 * How long vectors may take, that of the question included, in milliseconds: less than the search of a turn,
 * which words alone answer after that.
 */
const maxMs = 1_600;

/** The dependencies of {@link FusedSearch}. */
export interface FusedSearchOptions {
  readonly words: PassageFinder;
  readonly rows: VectorRows;
  readonly server: EmbeddingServer;
  readonly clock: Clock;
  readonly observe: Observer;
  /** Whether the database is known to store vectors. */
  readonly isAvailable: () => boolean;
}

/** Searches knowledge bases by words and vectors. */
export class FusedSearch implements PassageFinder {
  readonly #options: FusedSearchOptions;

  constructor(options: FusedSearchOptions) {
    this.#options = options;
  }

  /** Rejects only as the search by words does; whatever else fails is told to the observer. */
  async find(
    caller: Pick<Caller, "userId">,
    knowledgeBase: string,
    question: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly ScoredPassage[] | undefined> {
    const { words, isAvailable, clock } = this.#options;
    if (!isAvailable() || question.trim() === "")
      return await words.find(caller, knowledgeBase, question, limit, signal);
    const ending = new AbortController();
    const ended = AbortSignal.any([signal, ending.signal]);
    const timer = clock.after(maxMs, () => ending.abort(tooLate()));
    try {
      const byWords = words.find(caller, knowledgeBase, question, maxCandidates, signal);
      const similar = this.#findSimilar(caller, knowledgeBase, { question, byWords }, ended);
      const found = await byWords;
      if (found === undefined) return undefined;
      return fusePassages(found, (await similar) ?? []).slice(0, limit);
    } finally {
      timer.cancel();
      ending.abort(); // nothing waits for it any more
    }
  }

  /** Resolves with `undefined` if it failed or was too late. Never rejects. */
  async #findSimilar(
    caller: Pick<Caller, "userId">,
    knowledgeBase: string,
    {
      question,
      byWords,
    }: { readonly question: string; readonly byWords: Promise<readonly ScoredPassage[] | undefined> },
    signal: AbortSignal,
  ): Promise<readonly SimilarPassage[] | undefined> {
    const { rows, server, clock, observe } = this.#options;
    const startedMs = clock.monotonicMs();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const search = async (): Promise<readonly SimilarPassage[] | undefined> => {
      const asked = await server.embedQuestion(question, signal);
      const others = (await byWords) ?? [];
      return await rows.findSimilar(caller, knowledgeBase, asked, maxCandidates, others);
    };
    try {
      return await Promise.race([search(), aborted.promise]);
    } catch (error) {
      const reason = toAppError(signal.aborted ? signal.reason : error);
      // Otherwise the turn has ended, or there is no such knowledge base.
      if (!signal.aborted || reason.code === "search_unavailable")
        observe({
          type: "question-not-embedded",
          error: reason,
          durationMs: clock.monotonicMs() - startedMs,
        });
      return undefined;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

function tooLate(): AppError {
  return new AppError("search_unavailable", `embeddings: no vector within ${maxMs} ms`);
}
