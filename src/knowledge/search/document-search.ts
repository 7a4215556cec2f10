/** The sources of turns in knowledge bases. */
import type { SourceSearch } from "../../grounding/gathering.ts";
import type { FoundSource, GroundingRequest } from "../../turn/sources/grounding.ts";
import { toBaseName } from "../base-name.ts";
import type { PassageFinder, ScoredPassage } from "./passage-search.ts";

/** The most passages that a turn gets. */
const maxPassages = 12;
/** A passage whose score is a smaller part of the best one's only shares common words with the question. */
const minScorePart = 0.25;

/** Finds the passages of the knowledge base that a turn names. */
export class DocumentSearch implements SourceSearch {
  readonly #passages: PassageFinder;

  constructor(passages: PassageFinder) {
    this.#passages = passages;
  }

  async find(
    query: string,
    { knowledgeBase = "", caller }: GroundingRequest,
    signal: AbortSignal,
  ): Promise<readonly FoundSource[] | undefined> {
    const base = toBaseName(knowledgeBase);
    const found = await this.#passages.find(caller, base, query, maxPassages, signal);
    const best = found?.[0]?.score ?? 0;
    return found?.filter(({ score }) => score > 0 && score >= best * minScorePart).map(toSource);
  }
}

function toSource({ documentId, documentName, ordinal, page, heading, text }: ScoredPassage): FoundSource {
  const key = `${documentId}/${ordinal}`;
  return { key, kind: "document", title: documentName, documentId, page, heading, text };
}
