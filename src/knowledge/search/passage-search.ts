/** Finds the passages of a knowledge base that a question is about. */
import { z } from "zod";
import type { Caller } from "../../base/caller.ts";
import { service, type Database } from "../../store/database/database.ts";
import { countPassageWords, toQuestionWords } from "../../store/words/passage-words.ts";
import type { FoundPassage } from "../document.ts";
import { callKnowledge, passageColumns, toPassage } from "../knowledge-call.ts";
import { scorePassages, type PassageFit } from "./passage-score.ts";

/** How many passages the database gathers by rarity alone, to be scored by all that counts. */
const maxCandidates = 60;

const Missing = z.object({ missing: z.literal(true) });
const Found = z.object({
  passage_count: z.number(),
  word_count: z.number(),
  frequencies: z.array(z.number()),
  passages: z.array(
    z
      .object({ document_id: z.string(), document_name: z.string(), ...passageColumns })
      .transform((row): FoundPassage => ({
        ...toPassage(row),
        documentId: row.document_id,
        documentName: row.document_name,
      })),
  ),
});

/** A passage that was found, and how well it fits the question: only comparable within one search. */
export interface ScoredPassage extends FoundPassage, PassageFit {}

/** Finds passages. */
export interface PassageFinder {
  /**
   * Resolves with the passages of a user's knowledge base that fit `question`, the best first; `undefined` if
   * there is no such knowledge base.
   */
  find(
    caller: Pick<Caller, "userId">,
    knowledgeBase: string,
    question: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly ScoredPassage[] | undefined>;
}

/** Returns the text whose words a passage is found by. */
export function toIndexedText({ heading, text }: Pick<FoundPassage, "heading" | "text">): string {
  return heading === undefined ? text : `${heading}\n${text}`;
}

/** Searches knowledge bases. Rejects as `callKnowledge` does. */
export class PassageSearch implements PassageFinder {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Resolves with the passages of a user's knowledge base that fit `question`, the best first: those that
   * hold the rarest of its words. `undefined` if there is no such knowledge base. The same on every database.
   */
  async find(
    { userId }: Pick<Caller, "userId">,
    knowledgeBase: string,
    question: string,
    limit: number,
  ): Promise<readonly ScoredPassage[] | undefined> {
    const words = toQuestionWords(question);
    const argument = { owner: userId, knowledge_base: knowledgeBase, words, limit: maxCandidates };
    const schema = Found.or(Missing);
    const found = await callKnowledge(this.#database, "chat_find_passages", argument, service, schema);
    if ("missing" in found) return undefined;
    const counted = found.passages.map((passage) => ({
      passage,
      words: countPassageWords(toIndexedText(passage)),
    }));
    const base = { passages: found.passage_count, words: found.word_count };
    const frequencies = new Map(words.map((word, index) => [word, found.frequencies[index] ?? 0]));
    const fits = scorePassages(
      counted.map((one) => one.words),
      frequencies,
      base,
    );
    return counted
      .map(({ passage }, index) => ({ ...passage, score: 0, coverage: 0, ...fits[index] }))
      .toSorted((a, b) => b.score - a.score) // stable: the database's order decides between equals
      .slice(0, limit);
  }
}
