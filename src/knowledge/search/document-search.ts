/** The sources of turns in knowledge bases. */
import type { Caller } from "../../base/caller.ts";
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

/** Finds the passages of the knowledge base that a turn names. */
export class DocumentSearch implements SourceSearch {
  readonly #passages: PassageFinder;
  readonly #rows: Pick<KnowledgeRows, "readPassages">;

  constructor(passages: PassageFinder, rows: Pick<KnowledgeRows, "readPassages">) {
    this.#passages = passages;
    this.#rows = rows;
  }

  async find(
    query: string,
    { knowledgeBase = "", caller }: GroundingRequest,
    signal: AbortSignal,
  ): Promise<readonly FoundSource[] | undefined> {
    const base = toBaseName(knowledgeBase);
    const found = await this.#passages.find(caller, base, query, maxPassages, signal);
    if (found === undefined) return undefined;
    const best = found[0]?.score ?? 0;
    const runs = toRuns(found.filter(({ score }) => score > 0 && score >= best * minScorePart));
    const windows = await this.#readWindows(runs.slice(0, maxWindows), caller);
    const byDocument = Map.groupBy(runs, (run) => run.best.documentId);
    return runs.map((run) => {
      const { documentId } = run.best;
      return toSource(run, byDocument.get(documentId) ?? [], windows.get(documentId));
    });
  }

  /** Reads what stands around the first run of each document; by the document. */
  async #readWindows(
    runs: readonly PassageRun[],
    caller: Caller,
  ): Promise<ReadonlyMap<string, PassageWindow>> {
    const firsts = new Map(runs.toReversed().map((run) => [run.best.documentId, run]));
    const read = Array.from(firsts, async ([documentId, run]) => {
      const { first, limit } = toWindow(run);
      const passages = await this.#rows.readPassages(caller, documentId, { page: undefined, first, limit });
      return [documentId, { passages, isWhole: first === 0 && passages.length < limit }] as const;
    });
    return new Map(await Promise.all(read));
  }
}
