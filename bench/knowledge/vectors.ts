/** Times searches by words and vectors together in a large knowledge base among others. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { toEmbeddings } from "../../src/config/embeddings.ts";
import { Environment } from "../../src/config/variables.ts";
import { createEmbeddings } from "../../src/knowledge/embeddings/create-embeddings.ts";
import type { Database } from "../../src/store/database/database.ts";
import { PassageSearch } from "../../src/knowledge/search/passage-search.ts";
import { SeededRandom } from "../../test/support/model/seeded-reply.ts";
import { ScriptedEmbeddings } from "../../test/support/web/scripted-embeddings.ts";
import type { StoreHarness } from "../../test/support/databases/store-harness.ts";

/** As that of small models. */
const width = 384;
const model = "bench";
/** So many different vectors are made, which the passages share. */
const sharedVectors = 1_000;

/** A search to time. */
export interface TimedSearch {
  readonly userId: string;
  /** Of the knowledge base. */
  readonly name: string;
  readonly searches: number;
  /** Returns a new question. */
  readonly toQuestion: () => string;
}

/** Gives every passage of the database of `harness` a vector. No app may have it open. */
export async function seedVectors(harness: StoreHarness): Promise<void> {
  await harness.sql(
    `create table bench_vectors as select n as number, l2_normalize((
        select array_agg(random() - 0.5) from generate_series(1, ${width}) where n is not null)::vector) as vector
      from generate_series(0, ${sharedVectors - 1}) n`,
    `insert into passage_vectors (document_id, ordinal, user_id, knowledge_base_id, model, vector)
      select p.document_id, p.ordinal, p.user_id, p.knowledge_base_id, '${model} ${width}', v.vector
        from passages p join bench_vectors v
          on v.number = abs(hashtext(p.document_id::text || p.ordinal) % ${sharedVectors})`,
    `update documents set embedding_model = '${model} ${width}', embedded_count = passage_count`,
    "drop table bench_vectors",
    "analyze passage_vectors",
  );
}

/** Resolves with the time of each search, in milliseconds. The question's vector comes from this process. */
export async function timeVectors(
  database: Database,
  { userId, name, searches, toQuestion }: TimedSearch,
): Promise<readonly number[]> {
  const server = await new ScriptedEmbeddings().start();
  const random = new SeededRandom("vectors");
  server.respond = ({ body }) => {
    const toVector = () => Array.from({ length: width }, () => random.integer(-1_000, 1_000));
    return [200, { data: body.input.map((_, index) => ({ index, embedding: toVector() })) }];
  };
  const settings = toEmbeddings(Environment.parse({ ...server.variables, EMBEDDINGS_MODEL: model }));
  assert.ok(settings);
  const told: unknown[] = [];
  const embeddings = createEmbeddings(settings, database, {
    words: new PassageSearch(database),
    isShared: true,
    clock: systemClock,
    observe: (event) => told.push(event),
  });
  const { signal } = new AbortController();
  const times: number[] = [];
  for (let search = -5; search < searches; search += 1) {
    const startMs = performance.now();
    const found = await embeddings.search.find({ userId }, name, toQuestion(), 12, signal);
    if (search >= 0) times.push(performance.now() - startMs);
    assert.equal(found?.length, 12);
  }
  await embeddings.close();
  await server.close();
  assert.deepEqual(told, [], "every search had its vector");
  return times;
}
