/** Turns the pages of a document into passages with their words, in batches that a database takes quickly. */
import { setImmediate } from "node:timers/promises";
import type { DocumentPage } from "../../grounding/documents/document.ts";
import { PassageCutter, type Passage } from "../../grounding/documents/passage-cutter.ts";
import { countPassageWords, toPassageVector } from "../../store/words/passage-words.ts";
import { toIndexedText } from "../search/passage-search.ts";
import type { ReadingProgress, ReadPassage } from "./reading-rows.ts";

/**
 * How many different words, groups of letters included, a batch has, unless one passage has more. It follows
 * from the time that the last batches took: the embedded database does nothing else meanwhile.
 */
const batchWords = { first: 600, least: 400, most: 4_000 };
/** A batch that takes longer is followed by smaller ones, a faster one by larger ones; in milliseconds. */
const batchMs = { least: 12, most: 30 };

/** Passages to store, and how far the reading is with them. */
export interface PassageBatch {
  readonly passages: readonly ReadPassage[];
  readonly progress: ReadingProgress;
}

/** Yields the passages of `pages` in batches, and lets other work run between two passages. */
export async function* toBatches(
  pages: AsyncIterable<DocumentPage>,
  knowledgeBaseId: string,
): AsyncGenerator<PassageBatch, ReadingProgress, undefined> {
  const cutter = new PassageCutter();
  let progress: ReadingProgress = { pagesRead: 0, pages: undefined, passages: 0, words: 0 };
  let batch: ReadPassage[] = [];
  let wordCount = 0;
  let maxWords = batchWords.first;
  const take = async function* (passages: readonly Passage[]): AsyncGenerator<PassageBatch> {
    for (const passage of passages) {
      const counts = countPassageWords(toIndexedText(passage));
      if (wordCount > 0 && wordCount + counts.size > maxWords) {
        const startMs = performance.now();
        yield { passages: batch, progress };
        // Storing it, and a rest of the same length.
        maxWords = toNextWords(maxWords, (performance.now() - startMs) / 2);
        batch = [];
        wordCount = 0;
      }
      batch.push({ ...passage, words: toPassageVector(counts.keys(), knowledgeBaseId) });
      wordCount += counts.size;
      const words = progress.words + countAll(counts);
      progress = { ...progress, passages: progress.passages + 1, words };
      await setImmediate();
    }
  };
  for await (const page of pages) {
    if (page.number !== undefined) progress = { ...progress, pagesRead: page.number, pages: page.of };
    yield* take(cutter.push(page));
  }
  yield* take(cutter.end());
  if (batch.length > 0) yield { passages: batch, progress };
  return progress;
}

function toNextWords(words: number, tookMs: number): number {
  if (tookMs > batchMs.most) return Math.max(batchWords.least, words * 0.7);
  return tookMs < batchMs.least ? Math.min(batchWords.most, words * 1.2) : words;
}

function countAll(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
