/** Measures how often the passage that answers a question is found first, and among the first five. */
import { systemClock } from "../../src/base/clock.ts";
import { toIndexedText } from "../../src/knowledge/search/passage-search.ts";
import type { StoreHarness } from "../../test/support/databases/store-harness.ts";
import { TestKnowledge } from "../../test/support/databases/use-knowledge.ts";
import { rankByBm25, rankBySimple } from "./rankings.ts";
import type { RetrievalQuestion, RetrievalSet } from "./retrieval-set.ts";

const base = "retrieval";
const userId = "5e7f1c3a-8f0d-4c1b-9d55-3f6d1c0b7a10";
const limit = 5;

/** In how many of its questions the passage was the first, and among the first five. */
export interface Hits {
  readonly questions: number;
  readonly first: number;
  readonly firstFive: number;
}

/** A way to rank passages, with its hits by language; the last one is `all`. */
export interface RankingResult {
  readonly name: string;
  readonly hits: ReadonlyMap<string, Hits>;
}

/** Stores the documents of `set` in the database of `harness`, and asks its questions in several ways. */
export async function measureRetrieval(
  harness: StoreHarness,
  { documents, questions }: RetrievalSet,
): Promise<readonly RankingResult[]> {
  const passages = documents.flatMap(({ title, passages: texts }) =>
    texts.map((text) => ({ heading: title, text })),
  );
  const asked = questions.map(({ question }) => question);
  const indexed = passages.map(toIndexedText);
  const words = await searchStore(harness, { documents, questions });
  const toResult = (name: string, found: readonly (readonly string[])[]): RankingResult => ({
    name,
    hits: countHits(questions, found),
  });
  return [
    toResult("words", words),
    toResult("BM25", rankByBm25(indexed, asked, limit)),
    toResult("OR, simple", await rankBySimple(harness, indexed, asked, limit)),
  ];
}

/** Resolves with the texts that a turn would get for each question. */
async function searchStore(
  harness: StoreHarness,
  { documents, questions }: RetrievalSet,
): Promise<readonly (readonly string[])[]> {
  const database = await harness.open(systemClock);
  try {
    const knowledge = new TestKnowledge(database);
    for (const { title, passages } of documents)
      await knowledge.addRead(
        userId,
        base,
        passages.map((text) => ({ heading: title, text })),
        title,
      );
    const found: (readonly string[])[] = [];
    for (const { question } of questions) {
      const passages = await knowledge.search.find({ userId }, base, question, limit);
      found.push(passages?.map(({ text }) => text) ?? []);
    }
    return found;
  } finally {
    await database.close();
  }
}

function countHits(
  questions: readonly RetrievalQuestion[],
  found: readonly (readonly string[])[],
): ReadonlyMap<string, Hits> {
  const hits = new Map<string, Hits>();
  const add = (name: string, place: number): void => {
    const before = hits.get(name) ?? { questions: 0, first: 0, firstFive: 0 };
    hits.set(name, {
      questions: before.questions + 1,
      first: before.first + (place === 0 ? 1 : 0),
      firstFive: before.firstFive + (place >= 0 ? 1 : 0),
    });
  };
  const places = questions.map(({ answer }, index) =>
    (found[index] ?? []).findIndex((text) => text.includes(answer)),
  );
  for (const [index, { language }] of questions.entries()) add(language, places[index] ?? -1);
  for (const place of places) add("all", place);
  return hits;
}

/** Returns the lines of a table: hit@1 and hit@5 of each ranking, by language. */
export function toRetrievalTable(results: readonly RankingResult[]): readonly string[] {
  const [first] = results;
  const head = `${"".padEnd(10)}${"questions".padStart(10)}${results.map(({ name }) => name.padStart(13)).join("")}`;
  const lines = Array.from(first?.hits ?? [], ([language, { questions }]) => {
    const cells = results.map(({ hits }) => {
      const { first: one = 0, firstFive: five = 0 } = hits.get(language) ?? {};
      return `${one} / ${five}`.padStart(13);
    });
    return `${language.padEnd(10)}${String(questions).padStart(10)}${cells.join("")}`;
  });
  return ["hit@1 / hit@5", head, ...lines];
}
