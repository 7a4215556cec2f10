/** The rows of vectors on every database that can store them, and on those that cannot. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { Environment } from "../../src/config/variables.ts";
import { toEmbeddings } from "../../src/config/embeddings.ts";
import { createEmbeddings } from "../../src/knowledge/embeddings/create-embeddings.ts";
import { VectorRows, type UnembeddedPassages } from "../../src/knowledge/embeddings/vector-rows.ts";
import type { Observer } from "../../src/turn/observer.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { loadSchema } from "../../src/store/schema/schema.ts";
import {
  openDatabase,
  runSql,
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../support/databases/store-harness.ts";
import { TestKnowledge, useKnowledge } from "../support/databases/use-knowledge.ts";
import { findVectorPostgres, unusedEmbeddings, vectorStores } from "../support/databases/vector-stores.ts";
import { testEmbedding } from "./embedding-suite.ts";
import { toTopics } from "../support/web/scripted-embeddings.ts";

const model = "topics 8";
const usual = { leaseMs: 60_000, settledMs: 60_000 };
const toVector = (text: string): Float32Array => Float32Array.from(toTopics(text), (value) => value / 3);

/** The vectors of a suite's database, and a second server of it whose leases end at once. */
class TestVectors {
  readonly knowledge: TestKnowledge;
  readonly rows: VectorRows;
  readonly killed: VectorRows;

  constructor(knowledge: TestKnowledge) {
    this.knowledge = knowledge;
    this.rows = new VectorRows(knowledge.database, usual);
    this.killed = new VectorRows(knowledge.database, { ...usual, leaseMs: -1 });
  }

  async take(own = model, limit = 32, rows = this.rows, leaseId: string = randomUUID()) {
    const taken = await rows.take(own, leaseId, limit);
    assert.notEqual(taken, "unavailable");
    return typeof taken === "object" ? { ...taken, leaseId } : undefined;
  }

  async save(taken: UnembeddedPassages & { readonly leaseId: string }, own = model): Promise<boolean> {
    const { documentId, leaseId, passages } = taken;
    const vectors = passages.map(({ ordinal, text }) => ({ ordinal, vector: toVector(text) }));
    const next = (passages.at(-1)?.ordinal ?? 0) + 1;
    return await this.rows.save({ documentId, leaseId, model: own }, vectors, { next, isLast: true });
  }

  /** Embeds all that is left. */
  async embedAll(own = model): Promise<void> {
    for (let taken = await this.take(own); taken !== undefined; taken = await this.take(own))
      assert.equal(await this.save(taken, own), true);
  }

  /** Resolves with the texts that are nearest to a question, the nearest first. */
  async find(userId: string | undefined, base: string, question: string, own = model, limit = 3) {
    const asked = { model: own, vector: toVector(question) };
    const found = await this.rows.findSimilar({ userId }, base, asked, limit, []);
    return found?.map(({ passage, similarity }) => [passage?.text, Math.round(similarity * 100) / 100]);
  }
}

/** Nothing is listening there: a call would be told. */
const settings = toEmbeddings(Environment.parse(unusedEmbeddings)) ?? assert.fail("no embeddings");
const passages = [
  { text: "Everyone has 28 days of leave.", page: 1, heading: "Rest" },
  { text: "The wage is paid on the 25th.", page: 2 },
  { text: "Take the railway.", page: 3 },
];

const seenSql = "select distinct user_id from public.passage_vectors";
const changes = [
  "delete from public.passage_vectors",
  "update public.passage_vectors set user_id = null",
  "insert into public.passage_vectors select * from public.passage_vectors",
];

/** Returns statements that run `sql` with a user's rights. */
function asUser(userId: string, sql: string): readonly string[] {
  const claims = JSON.stringify({ sub: userId, role: "authenticated" });
  return [`select set_config('request.jwt.claims', '${claims}', true)`, "set local role authenticated", sql];
}

for (const { name, skip, start } of vectorStores)
  describe(`vectors of passages on ${name}`, { timeout: 120_000, skip }, () => {
    const used = useKnowledge(start);
    const vectors = (): TestVectors => new TestVectors(used.knowledge);

    test("find the passages nearest to a question that shares no word with them, by their distance", async () => {
      const [userId, own] = [randomUUID(), vectors()];
      const id = await own.knowledge.addRead(userId, "b", passages, "Staff.pdf");
      await own.embedAll();
      const question = { model, vector: toVector("Urlaub") };
      const [first, ...rest] = (await own.rows.findSimilar({ userId }, "b", question, 2, [])) ?? [];
      assert.deepEqual(first?.passage, {
        documentId: id,
        documentName: "Staff.pdf",
        ordinal: 0,
        page: 1,
        heading: "Rest",
        text: "Everyone has 28 days of leave.",
      });
      assert.ok(Math.abs((first?.similarity ?? 0) - 1) < 1e-5);
      assert.equal(rest.length, 1);
      const others = [2, 0, 7].map((ordinal) => ({ documentId: id, ordinal }));
      const both = (await own.rows.findSimilar({ userId }, "b", question, 1, others)) ?? [];
      assert.deepEqual(
        both.map(({ ordinal, similarity, passage }) => [ordinal, Math.round(similarity), passage]),
        [
          [0, 1, undefined],
          [2, 0, undefined],
        ],
      );
    });

    test("find a user's own passages though those of other users are nearer, and none of theirs", async () => {
      const own = vectors();
      const [small, large] = [randomUUID(), randomUUID()];
      await own.knowledge.addRead(small, "b", [{ text: "Take the railway." }]);
      const near = Array.from({ length: 100 }, (_, index) => ({ text: `Vacation no. ${index}.` }));
      await own.knowledge.addRead(large, "b", near);
      await own.embedAll();
      assert.deepEqual(await own.find(small, "b", "holiday"), [["Take the railway.", 0.01]]);
      assert.equal((await own.find(large, "b", "holiday", model, 100))?.length, 100);
      assert.deepEqual(await own.find(randomUUID(), "b", "holiday"), []);
      assert.deepEqual(await own.find(undefined, "b", "holiday"), []);
    });

    test("are computed by one server at a time, and go on where a killed one stopped", async () => {
      const [userId, own] = [randomUUID(), vectors()];
      const id = await own.knowledge.addRead(userId, "shared", passages);
      const first = (await own.take(model, 2)) ?? assert.fail("nothing was taken");
      assert.deepEqual(
        [first.documentId, first.passageCount, first.passages.map(({ ordinal }) => ordinal)],
        [id, 3, [0, 1]],
      );
      assert.equal(await own.take(), undefined);
      assert.equal(await own.save({ ...first, leaseId: randomUUID() }), false);
      assert.equal(await own.save(first), true);
      assert.equal(await own.save(first), true);
      assert.equal((await own.knowledge.rows.get({ userId, accessToken: undefined }, id))?.embedded, 2);
      const killed = (await own.take(model, 32, own.killed)) ?? assert.fail("nothing was taken");
      assert.deepEqual(
        killed.passages.map(({ text }) => text),
        ["Take the railway."],
      );
      const last = (await own.take()) ?? assert.fail("the killed server's passages are lost");
      assert.deepEqual(last.passages, killed.passages);
      assert.equal(await own.save(killed), false);
      assert.equal(await own.save(last), true);
      assert.equal((await own.knowledge.rows.get({ userId, accessToken: undefined }, id))?.embedded, 3);
      assert.equal(await own.take(), undefined);
    });

    test("of another model are never compared, and replaced once that model has been at rest", async () => {
      const [userId, own] = [randomUUID(), vectors()];
      await own.knowledge.addRead(userId, "changed", passages);
      await own.embedAll();
      assert.deepEqual(await own.find(userId, "changed", "holiday", "other 8"), []);
      assert.equal(await own.take("other 8"), undefined);
      const later = new VectorRows(own.knowledge.database, { ...usual, settledMs: -1 });
      for (;;) {
        const taken = await own.take("other 8", 32, later);
        if (taken === undefined) break;
        assert.equal(await own.save(taken, "other 8"), true);
      }
      assert.deepEqual(await own.find(userId, "changed", "holiday"), []);
      assert.equal((await own.find(userId, "changed", "holiday", "other 8"))?.length, 3);
    });

    test("are seen by their user alone, and changed by no user", { skip: name === "PGlite" }, async () => {
      const [alice, bob, own] = [randomUUID(), randomUUID(), vectors()];
      for (const userId of [alice, bob]) await own.knowledge.addRead(userId, "own", passages);
      await own.embedAll();
      assert.deepEqual(await used.harness.sql(...asUser(alice, seenSql)), [{ user_id: alice }]);
      for (const change of changes)
        await assert.rejects(used.harness.sql(...asUser(alice, change)), { code: "42501" });
    });

    test("go with their document", async () => {
      const [userId, own] = [randomUUID(), vectors()];
      const id = await own.knowledge.addRead(userId, "gone", passages);
      const taken = (await own.take()) ?? assert.fail("nothing was taken");
      assert.equal(await own.knowledge.rows.delete({ userId, accessToken: undefined }, id), true);
      assert.equal(await own.save(taken), false);
      await own.knowledge.addRead(userId, "gone", passages.slice(1));
      await own.embedAll();
      assert.deepEqual((await own.find(userId, "gone", "salary"))?.[0], ["The wage is paid on the 25th.", 1]);
    });

    test("are computed in turn, however many documents one of the knowledge bases has", async (context) => {
      if (name === "PGlite") return context.skip("it is open");
      const [busy, own] = [randomUUID(), vectors()];
      await own.embedAll();
      await used.harness.sql(`with base as (
        insert into public.knowledge_bases (id, user_id, name)
          values ('00000000-0000-8000-8000-000000000000', '${busy}', 'many') returning id)
        insert into public.documents (id, user_id, knowledge_base_id, name, type, size_bytes, state)
          select gen_random_uuid(), '${busy}', base.id, 'a.txt', 'text', 1, 'ready'
            from base, generate_series(1, 700)`);
      const first = (await own.take()) ?? assert.fail("nothing was taken");
      const single = await own.knowledge.addRead(randomUUID(), "few", passages);
      // In the order in which a search without an index finds them.
      await used.harness.sql("cluster public.documents using documents_base_idx");
      const second = (await own.take()) ?? assert.fail("nothing was taken");
      assert.deepEqual([first.passages.length, second.documentId], [0, single]);
      for (const taken of [first, second]) assert.equal(await own.save(taken), true);
      assert.equal((await own.take())?.passages.length, 0);
      assert.equal(
        await own.knowledge.rows.deleteBase({ userId: busy, accessToken: undefined }, "many"),
        true,
      );
    });

    testEmbedding(
      used,
      () => vectors().embedAll(),
      async () => (await vectors().take())?.documentId,
    );
  });

for (const start of [() => startPglite(), () => startPostgresHarness(), () => startSupabaseHarness()])
  describe("a database without the extension", { timeout: 120_000 }, () => {
    const used = useKnowledge(start);

    test("says that it has no vectors, and has everything else", async () => {
      const { knowledge, harness } = used;
      const userId = randomUUID();
      const rows = new VectorRows(knowledge.database, usual);
      const id = await knowledge.addRead(userId, "b", passages);
      assert.equal(await rows.take(undefined, randomUUID(), 0), "unavailable", harness.name);
      assert.equal(await rows.take(model, randomUUID(), 32), "unavailable");
      const lease = { documentId: id, leaseId: randomUUID(), model };
      assert.equal(await rows.save(lease, [], { next: 3, isLast: true }), false);
      const asked = { model, vector: toVector("holiday") };
      assert.equal(await rows.findSimilar({ userId }, "b", asked, 3, []), undefined);
      assert.equal((await knowledge.search.find({ userId }, "b", "railway", 3))?.length, 1);
      assert.equal(await knowledge.rows.delete({ userId, accessToken: undefined }, id), true);
      const told: unknown[] = [];
      const clock = new ManualClock();
      const isTold = Promise.withResolvers<void>();
      const observe: Observer = (event) => {
        told.push(event);
        isTold.resolve();
      };
      const { database } = knowledge;
      const words = knowledge.search;
      const embeddings = createEmbeddings(settings, database, { words, isShared: true, clock, observe });
      // A question is not sent either before it is known that there are no vectors.
      await embeddings.search.find({ userId }, "b", "railway", 3, new AbortController().signal);
      await isTold.promise;
      embeddings.nudge();
      await embeddings.search.find({ userId }, "b", "railway", 3, new AbortController().signal);
      await embeddings.close();
      assert.deepEqual(told, [{ type: "vectors-unavailable", missing: "extension" }]);
    });
  });

describe("a folder of PGlite", { timeout: 120_000 }, () => {
  test("that has vectors opens without the extension, deletes documents, and has the rest again with it", async () => {
    const harness = await startPglite();
    const userId = randomUUID();
    const open = async (isOn: boolean, use: (own: TestVectors) => Promise<void>): Promise<void> => {
      const variables = isOn ? { ...harness.variables, ...unusedEmbeddings } : harness.variables;
      const database = await openDatabase(variables, systemClock);
      await use(new TestVectors(new TestKnowledge(database))).finally(() => database.close());
    };
    try {
      let first = "";
      await open(false, async ({ knowledge }) => {
        first = await knowledge.addRead(userId, "b", [{ text: "Take the railway." }]);
      });
      await open(true, async (own) => {
        await own.knowledge.addRead(userId, "b", passages);
        await own.embedAll();
        assert.equal((await own.find(userId, "b", "train"))?.length, 3);
      });
      assert.deepEqual(await harness.sql(...asUser(userId, seenSql)), [{ user_id: userId }]);
      assert.deepEqual(await harness.sql(...asUser(randomUUID(), seenSql)), []);
      for (const change of changes)
        await assert.rejects(harness.sql(...asUser(userId, change)), { code: "42501" });
      await open(false, async ({ knowledge }) => {
        assert.equal((await knowledge.search.find({ userId }, "b", "railway", 5))?.length, 2);
        assert.equal(await knowledge.rows.delete({ userId, accessToken: undefined }, first), true);
        await knowledge.addRead(userId, "b", [{ text: "By bahn." }]);
      });
      await open(true, async (own) => {
        await own.embedAll();
        const found = await own.find(userId, "b", "train");
        assert.deepEqual(
          found
            ?.slice(0, 2)
            .map(([text]) => text)
            .toSorted(),
          ["By bahn.", "Take the railway."],
        );
      });
    } finally {
      await harness.stop();
    }
  });
});

const binaries = findVectorPostgres();
describe(
  "a Postgres",
  { timeout: 120_000, skip: binaries === undefined && "pgvector is not installed" },
  () => {
    const used = useKnowledge(() => startPostgresHarness(binaries));

    test("whose extension is dropped works by words, and embeds again once the schema was applied again", async () => {
      const { knowledge, harness } = used;
      const url = harness.variables["DATABASE_URL"] ?? "";
      const [userId, own] = [randomUUID(), new TestVectors(knowledge)];
      await knowledge.addRead(userId, "b", passages);
      await own.embedAll();
      await runSql(url, ["drop extension vector cascade"]);
      assert.equal(await own.rows.take(model, randomUUID(), 32), "unavailable");
      assert.equal((await knowledge.search.find({ userId }, "b", "railway", 3))?.length, 1);
      const schema = await loadSchema({
        conversations: "conversations",
        messages: "messages",
        turns: "turns",
      });
      await runSql(url, [schema]);
      await own.embedAll();
      assert.equal((await own.find(userId, "b", "holiday"))?.length, 3);
    });
  },
);
