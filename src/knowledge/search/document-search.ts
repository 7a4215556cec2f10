/** The sources of turns in knowledge bases. */
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { SourceSearch } from "../../grounding/gathering.ts";
import type { FoundSource, GroundingRequest } from "../../turn/sources/grounding.ts";
import { toBaseName } from "../base-name.ts";
import type { KnowledgeRows } from "../knowledge-rows.ts";
import type { PassageFinder } from "./passage-search.ts";
import { toRuns, toSource, toWindow, type PassageRun, type PassageWindow } from "./passage-runs.ts";

/** The most passages that a turn gets. */
const maxPassages = 12;
/** A passage whose score is a smaller part of the best one's only shares common words with the question. */
const minScorePart = 0.25;
/** Around how many of the best sources more of their documents is read. */
const maxWindows = 3;
/**
 * When reading more of documents ends, in milliseconds after the search began: before the whole search is too
 * late, and after vectors have been given up.
 */
const windowsEndMs = 1_900;

/** Finds the passages of the knowledge base that a turn names. */
export class DocumentSearch implements SourceSearch {
  readonly #passages: PassageFinder;
  readonly #rows: Pick<KnowledgeRows, "readPassages">;
  readonly #clock: Clock;

  constructor(passages: PassageFinder, rows: Pick<KnowledgeRows, "readPassages">, clock: Clock) {
    this.#passages = passages;
    this.#rows = rows;
    this.#clock = clock;
  }

  async find(
    query: string,
    { knowledgeBase = "", caller }: GroundingRequest,
    signal: AbortSignal,
  ): Promise<readonly FoundSource[] | undefined> {
    const base = toBaseName(knowledgeBase);
    const startMs = this.#clock.monotonicMs();
    const found = await this.#passages.find(caller, base, query, maxPassages, signal);
    if (found === undefined) return undefined;
    const best = found[0]?.score ?? 0;
    const runs = toRuns(found.filter(({ score }) => score > 0 && score >= best * minScorePart));
    const leftMs = windowsEndMs - (this.#clock.monotonicMs() - startMs);
    const windows = await this.#readWindows(runs.slice(0, maxWindows), caller, leftMs);
    const byDocument = Map.groupBy(runs, (run) => run.best.documentId);
    return runs.map((run) => {
      const { documentId } = run.best;
      return toSource(run, byDocument.get(documentId) ?? [], windows.get(documentId));
    });
  }

  /**
   * Reads what stands around the first run of each document; by the document. One that fails, or takes longer
   * than `waitMs`, is left out: the passages themselves were found. Never rejects.
   */
  async #readWindows(
    runs: readonly PassageRun[],
    caller: Caller,
    waitMs: number,
  ): Promise<ReadonlyMap<string, PassageWindow>> {
    const windows = new Map<string, PassageWindow>();
    if (waitMs <= 0) return windows;
    const firsts = new Map(runs.toReversed().map((run) => [run.best.documentId, run]));
    const read = Array.from(firsts, async ([documentId, run]) => {
      const { first, limit } = toWindow(run);
      const reading = this.#rows.readPassages(caller, documentId, { page: undefined, first, limit });
      const settled = await settleWithin(this.#clock, reading, waitMs);
      if (settled.type !== "value") return;
      const passages = settled.value;
      windows.set(documentId, { passages, isWhole: first === 0 && passages.length < limit });
    });
    await Promise.all(read);
    return windows;
  }
}
