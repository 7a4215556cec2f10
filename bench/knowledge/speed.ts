/** Times searches in a large knowledge base among others, and the storing of a document. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfig } from "../../src/config/config.ts";
import { toBatches } from "../../src/knowledge/reading/passage-batches.ts";
import type { Database } from "../../src/store/database/database.ts";
import { openDatabase } from "../../src/store/open-store.ts";
import type { StoreHarness } from "../../test/support/databases/store-harness.ts";
import { TestKnowledge } from "../../test/support/databases/use-knowledge.ts";
import { Language } from "./language.ts";
import { passageWords, seedPassages, type SeedSize } from "./seed.ts";
import { seedVectors, timeVectors } from "./vectors.ts";

const questionWords = 9;
/** Passages of the document whose reading is timed. */
const readPassages = 200;

const Yardstick = z.tuple([z.object({ ms: z.number() })]);
const Bytes = z.tuple([z.object({ heap: z.number(), toast: z.number(), indexes: z.number() })]);

/** What to measure. */
export interface SpeedOptions extends SeedSize {
  readonly searches: number;
  /** Whether to search by vectors, too. */
  readonly vectors: boolean;
}

/** Fills the database of `harness`, and prints figures. */
export async function measureSpeed(
  harness: StoreHarness,
  { passages, others, searches, vectors }: SpeedOptions,
): Promise<void> {
  const language = new Language("knowledge");
  await (await openAsServed(harness)).close(); // it creates the embedded database
  const startMs = performance.now();
  const { userId, name } = await seedPassages(harness, language, { passages, others }, (stored) => {
    if (stored % 10_000 < 1_000) process.stderr.write(`\rstored ${stored} of ${passages + others} passages`);
  });
  process.stderr.write(`, in ${((performance.now() - startMs) / 1000).toFixed(0)} s\n`);
  await printBytes(harness, passages + others);
  if (vectors) await seedVectors(harness);
  const before = await timeYardstick(harness);
  const database = await openAsServed(harness);
  const knowledge = new TestKnowledge(database, { maxPassages: 10_000_000, maxUserBytes: 10 ** 12 });
  const caller = { userId, accessToken: undefined };
  const ask = async (): Promise<number> =>
    await time(
      async () => void (await knowledge.search.find({ userId }, name, language.text(questionWords), 12)),
    );
  for (let warmUp = 0; warmUp < 5; warmUp += 1) await ask();
  const found: number[] = [];
  const calls: number[] = [];
  for (let search = 0; search < searches; search += 1) {
    found.push(await ask());
    calls.push(await time(async () => void (await knowledge.rows.listBases(caller))));
  }
  if (vectors) {
    const toQuestion = () => language.text(questionWords);
    const both = await timeVectors(database, { userId, name, searches, toQuestion });
    console.log(`figure: the same by words and vectors, ${harness.name}: ${toFigures(both)}`);
  }
  await printReading(knowledge, userId, language);
  await database.close();
  const after = await timeYardstick(harness);
  console.log(
    `figure: search in ${passages} of ${passages + others} passages, ${harness.name}: ${toFigures(found)}; ` +
      `a call that reads one row: ${toFigures(calls)}; the yardstick: ${before.toFixed(0)} and ${after.toFixed(0)} ms`,
  );
}

/** Opens the database as the server does: tests compile the embedded one in another way. */
async function openAsServed({ variables }: StoreHarness): Promise<Database> {
  const { store } = parseConfig(variables).app;
  if (store.type === "none") throw new Error("no database is configured");
  const database = await openDatabase(store, systemClock, () => {});
  await database.opened;
  return database;
}

/** Resolves with the time of a query that reads no table, which tells how fast the machine is. */
async function timeYardstick(harness: StoreHarness): Promise<number> {
  const statement = `with s as materialized (select clock_timestamp() as at), q as materialized (
      select count(distinct n % 1000) from s cross join generate_series(1, 200000) n where s.at is not null)
    select extract(epoch from clock_timestamp() - s.at)::float8 * 1000 as ms from s cross join q`;
  const times: number[] = [];
  for (let run = 0; run < 3; run += 1) times.push(Yardstick.parse(await harness.sql(statement))[0].ms);
  return Math.min(...times);
}

async function printBytes(harness: StoreHarness, count: number): Promise<void> {
  const [{ heap, toast, indexes }] = Bytes.parse(
    await harness.sql(`select pg_relation_size(c.oid)::float8 as heap,
        pg_total_relation_size(c.reltoastrelid)::float8 as toast, pg_indexes_size(c.oid)::float8 as indexes
      from pg_class c where c.oid = 'passages'::regclass`),
  );
  const parts = Object.entries({ heap, toast, indexes }).map(
    ([part, bytes]) => `${part} ${(bytes / count).toFixed(0)}`,
  );
  console.log(
    `figure: bytes a passage, ${harness.name}: ${((heap + toast + indexes) / count).toFixed(0)} (${parts.join(", ")})`,
  );
}

/** Times how the passages of a document are stored, in batches as when it is read. */
async function printReading(knowledge: TestKnowledge, userId: string, language: Language): Promise<void> {
  const text = Array.from({ length: readPassages }, () => language.text(passageWords)).join(".\n\n");
  const id = await knowledge.add(userId, "large", text);
  const leaseId = randomUUID();
  const { knowledgeBaseId } = await knowledge.take(id, leaseId);
  const startMs = performance.now();
  let storedMs = 0;
  let passages = 0;
  async function* read(): AsyncGenerator<{ number: undefined; text: string; headings: []; of: undefined }> {
    yield { number: undefined, text, headings: [], of: undefined };
  }
  for await (const batch of toBatches(read(), knowledgeBaseId)) {
    passages += batch.passages.length;
    storedMs += await time(
      async () => void (await knowledge.reading.save(id, leaseId, batch.progress, batch.passages)),
    );
  }
  const totalMs = performance.now() - startMs;
  console.log(
    `figure: storing a document of ${passages} passages: ${(storedMs / passages).toFixed(1)} ms a passage in the database, ` +
      `${((totalMs - storedMs) / passages).toFixed(1)} ms to find its words`,
  );
}

async function time(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

function toFigures(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`;
}
