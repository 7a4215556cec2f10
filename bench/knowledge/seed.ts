/** Fills a database with the passages of one user among those of others, in SQL. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { countPassageWords, toPassageVector } from "../../src/store/words/passage-words.ts";
import type { StoreHarness } from "../../test/support/databases/store-harness.ts";
import { Language } from "./language.ts";

/** Words of a passage. */
export const passageWords = 190;
const documentPassages = 100;
/** Passages of another user, in one knowledge base. */
const otherPassages = 2_000;
/** So many texts are written for the other users, who share them. */
const sharedTexts = 1_000;
/** So many documents are stored at a time. */
const batchDocuments = 50;
/** Stands for the first digits of a knowledge base's id in the words of shared texts. */
const mark = "########";

/** What is stored. */
export interface SeedSize {
  /** Of the user who searches. */
  readonly passages: number;
  /** Of all others together. */
  readonly others: number;
}

/** The user who searches, and the name of this user's knowledge base. */
export interface SeededBase {
  readonly userId: string;
  readonly name: string;
}

/** The knowledge base that is searched. */
interface OwnBase extends SeededBase {
  readonly baseId: string;
}

const IndexRow = z.object({ name: z.string(), definition: z.string() });

/**
 * Stores passages as reading does, but in bulk. The user's documents lie between those of the others; indexes
 * of words are built at the end.
 */
export async function seedPassages(
  harness: StoreHarness,
  language: Language,
  { passages, others }: SeedSize,
  onProgress: (stored: number) => void,
): Promise<SeededBase> {
  const own = { userId: randomUUID(), name: "large", baseId: randomUUID() };
  const indexes = z.array(IndexRow).parse(
    await harness.sql(`select indexname as name, indexdef as definition from pg_indexes
      where tablename = 'passages' and indexdef like '% gin %'`),
  );
  await harness.sql(
    ...indexes.map(({ name }) => `drop index ${name}`),
    `create table bench_texts (number integer primary key, text text, words text, word_count integer)`,
    `insert into bench_texts select * from jsonb_to_recordset(${toJson(toShared(language))})
      as t (number integer, text text, words text, word_count integer)`,
    `insert into knowledge_bases (id, user_id, name) values ('${own.baseId}', '${own.userId}', '${own.name}')`,
  );
  let stored = 0;
  let batch: string[] = [];
  const store = async (): Promise<void> => {
    await harness.sql(...batch);
    batch = [];
    onProgress(stored);
  };
  for (const statement of toDocuments(own, language, { passages, others })) {
    batch.push(statement);
    stored += documentPassages;
    if (batch.length === batchDocuments) await store();
  }
  if (batch.length > 0) await store();
  await harness.sql(
    `set local maintenance_work_mem = '${harness.name === "PGlite" ? 128 : 2048}MB'`,
    "drop table bench_texts",
    ...indexes.map(({ definition }) => definition),
  );
  return own;
}

/** Yields a statement for each document. */
function* toDocuments(
  own: OwnBase,
  language: Language,
  { passages, others }: SeedSize,
): Generator<string, void, undefined> {
  let shared = 0;
  let base = "";
  for (let stored = documentPassages; stored <= passages; stored += documentPassages) {
    yield addOwn(own, language);
    for (; shared < (others * stored) / passages; shared += documentPassages) {
      const isFirst = shared % otherPassages === 0;
      if (isFirst) base = randomUUID();
      yield addShared(base, shared, isFirst);
    }
  }
}

/** Returns the text of a literal. */
function toJson(value: unknown): string {
  return `$json$${JSON.stringify(value)}$json$`;
}

function toShared(language: Language): readonly object[] {
  return Array.from({ length: sharedTexts }, (_, number) => {
    const text = language.text(passageWords);
    const counts = countPassageWords(text);
    return { number, text, words: toPassageVector(counts.keys(), mark), word_count: sum(counts.values()) };
  });
}

function addOwn({ userId, baseId }: OwnBase, language: Language): string {
  const id = randomUUID();
  let words = 0;
  const rows = Array.from({ length: documentPassages }, (_, ordinal) => {
    const text = language.text(passageWords);
    const counts = countPassageWords(text);
    words += sum(counts.values());
    return { ordinal, text, words: toPassageVector(counts.keys(), baseId) };
  });
  return `with document as (${toDocument(id, userId, baseId, String(words))})
    insert into passages (document_id, ordinal, user_id, knowledge_base_id, text, words)
      select '${id}', r.ordinal, '${userId}', '${baseId}', r.text, r.words::tsvector
        from jsonb_to_recordset(${toJson(rows)}) as r (ordinal integer, text text, words text)`;
}

function addShared(baseId: string, at: number, isFirst: boolean): string {
  const id = randomUUID();
  const first = (at * 7) % sharedTexts;
  const numbers = `number >= ${first} and number < ${first + documentPassages}`;
  const words = `(select sum(word_count) from bench_texts where ${numbers})`;
  const base = `base as (insert into knowledge_bases (id, user_id, name) values ('${baseId}', '${baseId}', 'other')), `;
  return `with ${isFirst ? base : ""}document as (${toDocument(id, baseId, baseId, words)})
    insert into passages (document_id, ordinal, user_id, knowledge_base_id, text, words)
      select '${id}', t.number - ${first}, '${baseId}', '${baseId}', t.text,
          replace(t.words, '${mark}', '${baseId.slice(0, 8)}')::tsvector
        from bench_texts t where ${numbers}`;
}

function toDocument(id: string, userId: string, baseId: string, words: string): string {
  return `insert into documents (id, user_id, knowledge_base_id, name, type, size_bytes, state, passage_count, word_count)
    values ('${id}', '${userId}', '${baseId}', '${id}.txt', 'text', 100000, 'ready', ${documentPassages}, ${words})
    returning id`;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
