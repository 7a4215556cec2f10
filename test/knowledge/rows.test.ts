/** The rows of knowledge bases on every database: added once, read by one server, found by words, deleted. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { AppError } from "../../src/base/errors.ts";
import type { StoredDocument } from "../../src/knowledge/document.ts";
import { KnowledgeRows } from "../../src/knowledge/knowledge-rows.ts";
import { DocumentSearch } from "../../src/knowledge/search/document-search.ts";
import type { ReadPassage } from "../../src/knowledge/reading/reading-rows.ts";
import {
  startAsciiPostgresHarness,
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../support/databases/store-harness.ts";
import { intercept } from "../support/databases/intercept.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { nothingRead, TestKnowledge, useKnowledge } from "../support/databases/use-knowledge.ts";

const userOf = (userId: string | undefined = randomUUID()) => ({ userId, accessToken: undefined });
const wholePage = { limit: 100, before: undefined };
const allPassages = { page: undefined, first: 0, limit: 100 };

/** A passage whose words are not those of its text. */
function passageOf(text: string, ordinal = 0): ReadPassage {
  return { ordinal, page: 1, heading: undefined, text, words: "'word'" };
}

/** One passage in each of several scripts, and a question about it, often in another form of its words. */
const facts: readonly (readonly [text: string, question: string])[] = [
  ["Holiday requests are approved by the team lead within five days.", "Who approves a holiday request?"],
  ["Der Urlaubsantrag muss schriftlich gestellt werden.", "Wie stelle ich Urlaubsanträge?"],
  ["Зарплата выплачивается двадцать пятого числа.", "КОГДА выплачивают ЗАРПЛАТУ?"],
  ["工资在每月二十五日发放。", "什么时候发放工资？"],
  ["給与は毎月二十五日に支払われます。", "給与の支払いはいつですか"],
  ["تدفع الرواتب في اليوم الخامس والعشرين.", "متى تدفع الرَّواتِب؟"],
  ["Les congés sont validés par le responsable.", "Qui valide les conges ?"],
  ["The code E-4711 means that the filter is full.", "what does E-4711 mean"],
];

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness, startAsciiPostgresHarness])
  describe(`knowledge bases, on ${start.name}`, { timeout: 180_000 }, () => {
    const used = useKnowledge(start);

    test("have the same document once, and others in the order they came", async () => {
      const { knowledge } = used;
      const { userId } = userOf();
      const first = await knowledge.add(userId, "handbook", "one", "a.txt");
      const second = await knowledge.add(userId, "handbook", "two", "b.txt");
      assert.equal(await knowledge.add(userId, "handbook", "one", "other name.txt"), first);
      assert.notEqual(await knowledge.add(userId, "other", "one", "a.txt"), first);
      const listed = (await knowledge.rows.list(userOf(userId), "handbook", wholePage)) ?? [];
      assert.deepEqual(
        listed.map(({ id, name, state, sizeBytes }) => [id, name, state, sizeBytes]),
        [
          [second, "b.txt", "waiting", 3],
          [first, "a.txt", "waiting", 3],
        ],
      );
      const [newest] = listed;
      const rest = await knowledge.rows.list(userOf(userId), "handbook", { limit: 5, before: newest });
      assert.deepEqual(
        rest?.map(({ id }) => id),
        [first],
      );
      assert.deepEqual(
        (await knowledge.rows.listBases(userOf(userId))).map(({ name, documents, waiting, sizeBytes }) => [
          name,
          documents,
          waiting,
          sizeBytes,
        ]),
        [
          ["handbook", 2, 2, 6],
          ["other", 1, 1, 3],
        ],
      );
      await knowledge.rows.deleteBase(userOf(userId), "handbook");
      await knowledge.rows.deleteBase(userOf(userId), "other");
    });

    test("are their user's alone", async () => {
      const { knowledge } = used;
      const [alice, bob] = [userOf(), userOf()];
      const id = await knowledge.addRead(alice.userId, "secret", [{ text: "The password is swordfish." }]);
      for (const other of [bob, userOf(undefined)]) {
        if (other.userId === undefined) continue;
        assert.equal(await knowledge.rows.list(other, "secret", wholePage), undefined);
        assert.equal(await knowledge.rows.get(other, id), undefined);
        assert.deepEqual(await knowledge.rows.listBases(other), []);
        assert.deepEqual(await knowledge.rows.readPassages(other, id, allPassages), []);
        assert.equal(await knowledge.rows.delete(other, id), false);
        assert.equal(await knowledge.rows.deleteBase(other, "secret"), false);
        assert.equal(await knowledge.search.find(other, "secret", "password", 5), undefined);
      }
      await knowledge.addRead(bob.userId, "secret", [{ text: "Bob's password is another." }]);
      const found = await knowledge.search.find(bob, "secret", "the password", 5);
      assert.deepEqual(
        found?.map(({ text }) => text),
        ["Bob's password is another."],
      );
      assert.equal((await knowledge.rows.get(alice, id))?.state, "ready");
    });

    test("of callers without a user are one for all of them", async () => {
      const { knowledge } = used;
      const nameless = { userId: undefined, accessToken: undefined };
      const id = await knowledge.addRead(undefined, "shared", [{ text: "Everyone may read this." }]);
      assert.equal((await knowledge.rows.get(nameless, id))?.passages, 1);
      assert.equal((await knowledge.search.find(nameless, "shared", "everyone", 5))?.length, 1);
      assert.equal((await knowledge.rows.listBases(nameless)).length, 1);
      assert.equal(await knowledge.rows.deleteBase(nameless, "shared"), true);
      assert.equal(await knowledge.rows.deleteBase(nameless, "shared"), false);
    });

    test("find a fact by a question in its own language, whatever the database knows of letters", async () => {
      const { knowledge } = used;
      const user = userOf();
      await knowledge.addRead(
        user.userId,
        "facts",
        facts.map(([text], index) => ({ text, page: index + 1 })),
      );
      for (const [text, question] of facts) {
        const [best] = (await knowledge.search.find(user, "facts", question, 3)) ?? [];
        assert.equal(best?.text, text, question);
      }
      assert.deepEqual(await knowledge.search.find(user, "facts", "", 3), []);
      assert.deepEqual(await knowledge.search.find(user, "facts", "xyzzyx qqq", 3), []);
    });

    test("find the passage that holds several common words, however late it was stored", async () => {
      const { knowledge } = used;
      const user = userOf();
      const words = ["turbine", "service", "interval", "other"];
      const passages = Array.from({ length: 1_600 }, (_, index) => ({ text: words[index % 4] ?? "" }));
      const answer = words.slice(0, 3).join(" ");
      await knowledge.addRead(user.userId, "common", [...passages, { text: answer }]);
      const found = await knowledge.search.find(user, "common", `${answer}?`, 3);
      assert.equal(found?.[0]?.text, answer);
      assert.equal(await knowledge.rows.deleteBase(user, "common"), true);
    });

    test("find by hostile questions, and hold hostile texts", async () => {
      const { knowledge } = used;
      const user = userOf();
      const texts = ["it's \\ 'quoted' & | ! ( ) : * <->", "\u{1F600} 😀 \u200d", "x".repeat(1600)];
      await knowledge.addRead(
        user.userId,
        "it's \\",
        texts.map((text) => ({ text, heading: text })),
      );
      for (const question of [...texts, "' or true --", "&|!():*", "a".repeat(100_000), "é".repeat(9_000)])
        assert.ok(await knowledge.search.find(user, "it's \\", question, 5), question.slice(0, 50));
      assert.equal((await knowledge.search.find(user, "it's \\", "quoted", 1))?.[0]?.text, texts[0]);
    });

    test("read a document on one server, which keeps it until its lease ends", async () => {
      const { knowledge } = used;
      const user = userOf();
      const id = await knowledge.add(user.userId, "leases", "text");
      const [first, second] = [randomUUID(), randomUUID()];
      await knowledge.take(id, first);
      assert.equal(await knowledge.reading.take(second), undefined);
      const progress = { pagesRead: 1, pages: 3, passages: 1, words: 1 };
      assert.equal(await knowledge.reading.save(id, second, progress, [passageOf("Some.")]), "lost");
      assert.equal(await knowledge.reading.save(id, first, progress, [passageOf("Some.")]), "held");
      const { state, pagesRead, pages, passages } = await get(user, id);
      assert.deepEqual([state, pagesRead, pages, passages], ["waiting", 1, 3, 1]);
      const gone = new TestKnowledge(knowledge.database, { leaseMs: -1 });
      assert.equal(await gone.reading.save(id, first, progress, []), "held");
      assert.equal((await knowledge.take(id, second)).attempts, 2);
      assert.equal(await knowledge.reading.save(id, first, progress, []), "lost");
      assert.equal(await knowledge.reading.end(id, first, progress, { state: "ready" }), "lost");
      assert.equal(await knowledge.reading.end(id, second, nothingRead, { state: "waiting" }), "held");
      assert.equal((await knowledge.take(id, first)).attempts, 2);
      assert.equal(await knowledge.reading.end(id, first, progress, { state: "ready" }), "held");
      assert.equal((await get(user, id)).state, "ready");
    });

    test("keep only the passages of the last reading, and none of one that fails", async () => {
      const { knowledge } = used;
      const user = userOf();
      const id = await knowledge.add(user.userId, "again", "text");
      const leaseId = randomUUID();
      await knowledge.take(id, leaseId);
      const texts = ["One.", "Two.", "Three."];
      const all = texts.map((text, ordinal) => passageOf(text, ordinal));
      const progress = { pagesRead: 1, pages: 1, passages: 3, words: 3 };
      assert.equal(await knowledge.reading.save(id, leaseId, progress, all), "held");
      const shorter = { ...progress, passages: 2, words: 2 };
      const last = [passageOf("1.", 0), passageOf("Two.", 1)];
      assert.equal(await knowledge.reading.save(id, leaseId, shorter, last), "held");
      assert.equal(await knowledge.reading.end(id, leaseId, shorter, { state: "ready" }), "held");
      assert.deepEqual(await read(user, id), ["1.", "Two."]);
      const failing = await knowledge.add(user.userId, "again", "failing");
      await knowledge.take(failing, leaseId);
      await knowledge.reading.save(failing, leaseId, progress, all);
      const end = { state: "failed", errorCode: "invalid_request" } as const;
      assert.equal(await knowledge.reading.end(failing, leaseId, progress, end), "held");
      assert.deepEqual(await read(user, failing), []);
      const { state, errorCode, passages } = await get(user, failing);
      assert.deepEqual([state, errorCode, passages], ["failed", "invalid_request", 0]);
      assert.equal(await knowledge.add(user.userId, "again", "failing"), failing);
      assert.equal((await get(user, failing)).state, "waiting");
      assert.equal((await knowledge.take(failing, leaseId)).attempts, 1);
      await knowledge.reading.end(failing, leaseId, nothingRead, end);
    });

    test("are read in turn, however many documents one of them has", async () => {
      const { knowledge } = used;
      const [busy, other] = [userOf(), userOf()];
      for (let number = 0; number < 4; number += 1) await knowledge.add(busy.userId, "many", `no. ${number}`);
      const single = await knowledge.add(other.userId, "few", "only one");
      const taken: string[] = [];
      for (let number = 0; number < 2; number += 1) {
        const leaseId = randomUUID();
        const { id } = (await knowledge.reading.take(leaseId)) ?? assert.fail("none waits");
        taken.push(id);
        await knowledge.reading.end(id, leaseId, nothingRead, { state: "ready" });
      }
      assert.equal(taken[1], single);
      assert.equal(await knowledge.rows.deleteBase(busy, "many"), true);
    });

    test("refuse what is over their user's limits, and say so of a document that grows too large", async () => {
      const { knowledge } = used;
      const user = userOf();
      const small = new TestKnowledge(knowledge.database, { maxPassages: 2, maxUserBytes: 300 });
      await assert.rejects(small.add(user.userId, "full", "x".repeat(301)), /full/);
      assert.deepEqual(await knowledge.rows.listBases(user), []);
      const id = await small.add(user.userId, "full", "x".repeat(200));
      await assert.rejects(small.add(user.userId, "full", "y".repeat(200)), /full/);
      const leaseId = randomUUID();
      await small.take(id, leaseId);
      const all = ["One.", "Two.", "Three."].map((text, ordinal) => passageOf(text, ordinal));
      const progress = { pagesRead: 1, pages: 1, passages: 3, words: 3 };
      assert.equal(await small.reading.save(id, leaseId, progress, all), "full");
      assert.deepEqual(await read(user, id), []);
      const two = { ...progress, passages: 2 };
      assert.equal(await small.reading.save(id, leaseId, two, all.slice(0, 2)), "held");
      assert.equal(await small.reading.end(id, leaseId, two, { state: "ready" }), "held");
      await assert.rejects(small.add(user.userId, "other", "z"), /full/);
    });

    test("lose a deleted document with its original, and its reading", async () => {
      const { knowledge } = used;
      const user = userOf();
      const id = await knowledge.add(user.userId, "gone", "text");
      const leaseId = randomUUID();
      await knowledge.take(id, leaseId);
      const many = Array.from({ length: 1_500 }, (_, ordinal) => passageOf(`${ordinal}`, ordinal));
      const progress = { pagesRead: 1, pages: 1, passages: 1_500, words: 1_500 };
      assert.equal(await knowledge.reading.save(id, leaseId, progress, many), "held");
      assert.equal(await knowledge.rows.delete(user, id), true);
      assert.equal(await knowledge.rows.delete(user, id), false);
      assert.equal(await knowledge.reading.save(id, leaseId, progress, many.slice(0, 1)), "lost");
      assert.deepEqual(await read(user, id), []);
      const argument = { parts: [{ id, first: 0, count: 1 }] };
      assert.deepEqual(await knowledge.database.call("chat_read_attachments", argument, user), []);
      assert.deepEqual(await knowledge.rows.list(user, "gone", wholePage), []);
      await knowledge.addRead(user.userId, "gone", [{ text: "Again." }]);
      assert.equal(await knowledge.rows.deleteBase(user, "gone"), true);
      assert.equal(await knowledge.rows.list(user, "gone", wholePage), undefined);
    });

    test("show the text of a page", async () => {
      const { knowledge } = used;
      const user = userOf();
      const passages = [1, 1, 2, 3].map((page, index) => ({ page, text: `Part ${index}.`, heading: "H" }));
      const id = await knowledge.addRead(user.userId, "pages", passages);
      const filter = { page: 1, first: 0, limit: 10 };
      assert.deepEqual(await knowledge.rows.readPassages(user, id, filter), [
        { ordinal: 0, page: 1, heading: "H", text: "Part 0." },
        { ordinal: 1, page: 1, heading: "H", text: "Part 1." },
      ]);
      const rest = await knowledge.rows.readPassages(user, id, { page: undefined, first: 2, limit: 1 });
      assert.deepEqual(
        rest.map(({ text }) => text),
        ["Part 2."],
      );
    });

    test("give turns their passages, and what stands around them only if that can be read in time", async () => {
      const { knowledge } = used;
      const { userId } = userOf();
      const caller = { userId, accessToken: undefined };
      const clock = new ManualClock();
      const isRead = Promise.withResolvers<void>();
      const names = ["whole", "fails", "hangs"];
      const ids: string[] = [];
      for (const name of names) {
        const texts = Array.from({ length: 20 }, (_, index) => `Part ${index} of ${name}. `);
        texts[2] = `The otter of the document ${name}. `;
        const passages = texts.map((text) => ({ text }));
        ids.push(await knowledge.addRead(userId, "otters", passages, name));
      }
      const faulty = intercept(knowledge.database, async (name, argument, ...rest) => {
        const fault =
          name === "chat_read_document" && names[ids.findIndex((id) => id === argument["document_id"])];
        if (fault === "fails") throw new AppError("store_unavailable", "08006: the connection is lost");
        if (fault === "hangs") await new Promise(() => {});
        const result = await knowledge.database.call(name, argument, ...rest);
        isRead.resolve();
        return result;
      });
      const limits = { maxPassages: 1, maxUserBytes: 1 };
      const search = new DocumentSearch(knowledge.search, new KnowledgeRows(faulty, limits), clock);
      const request = { useWebSearch: false, knowledgeBase: "otters", caller, messages: [] };
      const finding = search.find("Which otter?", request, new AbortController().signal);
      await Promise.race([isRead.promise, finding]);
      clock.advance(1_900);
      const sources = (await finding) ?? [];
      assert.deepEqual(
        new Map(sources.map(({ title, around }) => [title, around?.isWhole])),
        new Map([
          ["whole", true],
          ["fails", undefined],
          ["hangs", undefined],
        ]),
      );
    });

    async function read(user: ReturnType<typeof userOf>, id: string): Promise<readonly string[]> {
      const passages = await used.knowledge.rows.readPassages(user, id, allPassages);
      return passages.map(({ text }) => text);
    }

    async function get(user: ReturnType<typeof userOf>, id: string): Promise<StoredDocument> {
      return (await used.knowledge.rows.get(user, id)) ?? assert.fail("it is gone");
    }
  });
