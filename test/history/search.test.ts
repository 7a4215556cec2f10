/** A search returns the same conversations, page by page, as reading every text would. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createRandom } from "../../bench/seed/seed-text.ts";
import { ConversationRows } from "../../src/history/rows.ts";
import type { Database } from "../../src/store/database/database.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { ListedConversation } from "../../src/history/history.ts";
import { readTexts, toRows } from "../store/words/read-texts.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
  type StoreHarness,
} from "../support/databases/store-harness.ts";

const seed = Date.now() % 1_000_000;

interface Text {
  readonly userId: string | undefined;
  readonly words: readonly string[];
}

interface Conversation {
  readonly id: string;
  readonly userId: string | undefined;
  readonly isArchived: boolean;
  readonly updatedAt: string;
  readonly title: readonly string[];
  readonly messages: readonly Text[];
}

/** Adjacent words; with `isNegated`, a text must not hold them. */
interface Term {
  readonly words: readonly string[];
  readonly isNegated: boolean;
}
/** Alternatives; one text must satisfy all terms of one of them. */
type Query = readonly (readonly Term[])[];

const [mine, others] = [randomUUID(), randomUUID()];
/** The probability of a word in a conversation's text, by the conversation's age from 0 (newest) to 1. */
const likelihoods: Readonly<Record<string, (age: number, userId: string | undefined) => number>> = {
  always: () => 1,
  often: () => 0.5,
  some: () => 0.1,
  seldom: () => 0.01,
  old: (age) => (age > 0.7 ? 1 : 0),
  recent: (age) => (age < 0.05 ? 0.8 : 0),
  theirs: (_, userId) => (userId === others ? 1 : 0.01),
  never: () => 0,
};
const vocabulary = Object.keys(likelihoods);

const term = fc.record({
  words: fc.array(fc.constantFrom(...vocabulary), { minLength: 1, maxLength: 2 }),
  isNegated: fc.boolean(),
});
const asked = fc.record({
  query: fc.array(fc.array(term, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
  userId: fc.constantFrom(mine, mine, others, undefined),
  isArchived: fc.boolean(),
  limit: fc.integer({ min: 5, max: 40 }),
});

/** Newest first, with the users' conversations interleaved. */
function makeConversations(count: number): Conversation[] {
  const random = createRandom(seed);
  const pick = (age: number, userId: string | undefined): string[] =>
    vocabulary
      .filter((word) => random() < (likelihoods[word]?.(age, userId) ?? 0))
      .map((word) => ({ word, order: random() }))
      .toSorted((a, b) => a.order - b.order)
      .map(({ word }) => word);
  return Array.from({ length: count }, (_, index) => {
    const age = index / count;
    const userId = [mine, mine, mine, others, undefined][index % 5];
    const messages = Array.from({ length: Math.ceil(random() * 3) }, () => ({
      // A row written for another user, which only that user may find.
      userId: random() < 0.05 ? others : userId,
      words: pick(age, userId),
    }));
    return {
      id: randomUUID(),
      userId,
      isArchived: random() < 0.3,
      // Pairs share a time, so the id decides their order.
      updatedAt: new Date(1_700_000_000_000 - 1_000 * (index >> 1)).toISOString(),
      title: random() < 0.1 ? pick(age, userId) : ["title"],
      messages,
    };
  });
}

function toInsert(conversations: readonly Conversation[]): string[] {
  const literal = (value: unknown): string => `$json$${JSON.stringify(value)}$json$`;
  const messages = conversations.flatMap(({ id, messages: texts }) =>
    texts.map(({ userId, words }) => ({ id, userId, content: words.join(" ") })),
  );
  return [
    `insert into conversations (id, user_id, title, updated_at, archived_at)
       select id, "userId", title, "updatedAt", case when "isArchived" then now() end from jsonb_to_recordset(${literal(
         conversations.map((row) => ({ ...row, title: row.title.join(" "), messages: undefined })),
       )}) as c (id uuid, "userId" uuid, title text, "updatedAt" timestamptz, "isArchived" boolean)`,
    `insert into messages (conversation_id, user_id, role, content)
       select id, "userId", 'user', content from jsonb_to_recordset(${literal(messages)}) as m (id uuid, "userId" uuid, content text)`,
  ];
}

function toText(query: Query): string {
  const toWord = ({ words, isNegated }: Term): string =>
    `${isNegated ? "-" : ""}${words.length > 1 ? `"${words.join(" ")}"` : words.join("")}`;
  return query.map((terms) => terms.map(toWord).join(" ")).join(" or ");
}

function matches(query: Query, text: readonly string[]): boolean {
  const holds = ({ words, isNegated }: Term): boolean =>
    text.some((_, place) => words.every((word, offset) => text[place + offset] === word)) !== isNegated;
  return query.some((terms) => terms.every(holds));
}

function describeSearch(name: string, start: () => Promise<StoreHarness>): void {
  describe(`a search on ${name}`, { timeout: 240_000 }, () => {
    const conversations = makeConversations(600);
    let harness: StoreHarness;
    let database: Database;
    before(async () => {
      harness = await start();
      // Opening the embedded database applies its schema.
      await (await harness.open(systemClock)).close();
      await harness.sql(...toInsert(conversations));
      database = await harness.open(systemClock);
      await readTexts(database);
    });
    after(async () => {
      await database.close();
      await harness.stop();
    });

    async function find(
      query: string,
      { userId, isArchived, limit }: Omit<Asked, "query">,
    ): Promise<string[]> {
      const found: string[] = [];
      const rows = new ConversationRows(toRows(database));
      for (let last: ListedConversation | undefined; ;) {
        const caller = { userId, accessToken: undefined };
        const page = await rows.list(caller, { query, limit, before: last, isArchived });
        found.push(...page.map(({ id }) => id));
        for (const row of page) assertHit(row, query, userId);
        last = page.at(-1);
        if (page.length < limit) return found;
      }
    }

    /**
     * A hit is a message of the conversation that its user may find, in which only words of the query are
     * marked.
     */
    function assertHit({ id, hit }: ListedConversation, query: string, userId: string | undefined): void {
      const row = conversations.find((one) => one.id === id);
      if (hit === null || hit === undefined || row === undefined) {
        // The title has been found, or whatever lacks a word.
        assert.ok(row !== undefined && (row.title[0] !== "title" || query.includes("-")), query);
        return;
      }
      const { text, ranges } = hit.excerpt;
      const own = row.messages.filter((message) => message.userId === userId);
      assert.ok(
        own.some(({ words }) => words.join(" ") === text),
        JSON.stringify({ query, text }),
      );
      const marked = ranges.flatMap((range) => text.slice(range.start, range.end).split(" "));
      for (const word of marked) assert.ok(query.includes(word), JSON.stringify({ query, marked }));
      if (!/-| or /.test(query))
        for (const word of query.match(/\w+/g) ?? [])
          assert.ok(marked.includes(word), `${query}: ${marked.join()}`);
    }

    test("finds every conversation with the words once, in list order, however common they are", async () => {
      const ways = { full: 0, empty: 0 };
      await fc.assert(
        fc.asyncProperty(asked, async ({ query, ...filter }) => {
          const expected = conversations
            .filter((row) => row.userId === filter.userId && row.isArchived === filter.isArchived)
            .filter(
              ({ title, messages }) =>
                matches(query, title) ||
                messages.some((text) => text.userId === filter.userId && matches(query, text.words)),
            )
            .toSorted((a, b) => compare(b.updatedAt, a.updatedAt) || compare(b.id, a.id))
            .map(({ id }) => id);
          ways[expected.length > 0 ? "full" : "empty"] += 1;
          assert.deepEqual(await find(toText(query), filter), expected, toText(query));
        }),
        { seed, numRuns: 150 },
      );
      assert.ok(ways.full > 20 && ways.empty > 5, JSON.stringify(ways));
    });
  });
}

type Asked = typeof asked extends fc.Arbitrary<infer Value> ? Value : never;

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

describeSearch("PGlite", startPglite);
describeSearch("Postgres", startPostgresHarness);
describeSearch("PostgREST", startSupabaseHarness);
