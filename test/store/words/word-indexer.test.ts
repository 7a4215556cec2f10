/** Every stored text, of any writer and content, can be searched in time, and none delays another. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { ConversationRows } from "../../../src/history/rows.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { toStoreFailure } from "../../../src/store/database/sql-failure.ts";
import { maxWordLength, maxWords } from "../../../src/store/words/text-words.ts";
import { WordIndexer } from "../../../src/store/words/word-indexer.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { hostileTexts } from "../../support/model/hostile-texts.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { readTexts, toRows } from "./read-texts.ts";
import { openPostgres, toDatabase, type Scratch } from "../scratch-database.ts";
import { startPglite } from "../../support/databases/store-harness.ts";

const schema = await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" });
const oldTables = `
  create table conversations (id uuid primary key default gen_random_uuid(), title text not null, user_id uuid, created_at timestamptz default now());
  create table messages (id uuid primary key default gen_random_uuid(), conversation_id uuid not null references conversations (id) on delete cascade,
    role text not null check (role in ('user', 'assistant', 'system')), content text, metadata jsonb default '{}', created_at timestamptz not null default now());`;

const Sent = z.object({
  read: z.array(z.object({ kind: z.string(), id: z.string(), revision: z.number(), words: z.string() })),
});
const Handed = z.object({ texts: z.array(z.object({ id: z.string() })) });

/** A lexeme as the server writes it. */
const lexeme = /'(?:[^'\\]|''|\\\\)*'/g;

async function find(database: Database, userId: string, query: string): Promise<string[]> {
  const filter = { query, limit: 100, before: undefined, isArchived: false };
  return (await new ConversationRows(toRows(database)).list({ userId, accessToken: undefined }, filter)).map(
    ({ title }) => title,
  );
}

describe("the reading of texts on Postgres", { timeout: 120_000 }, () => {
  let server: PostgresServer;
  const open: Scratch[] = [];
  before(async () => {
    server = await startPostgres();
  });
  after(async () => {
    await Promise.all(open.map((scratch) => scratch.close()));
    await server.stop();
  });

  async function makeDatabase(setUp = ""): Promise<{ scratch: Scratch; url: string }> {
    const url = await server.createDatabase(`words_${open.length}`);
    const scratch = await connect(url);
    await scratch.apply(setUp);
    await scratch.apply(schema);
    return { scratch, url };
  }

  async function connect(url: string): Promise<Scratch> {
    const scratch = await openPostgres(url);
    open.push(scratch);
    return scratch;
  }

  const unread =
    "select id from message_words where words is null union all select id from title_words where words is null";

  test("reads the rows from before the schema in batches, and reports it", async () => {
    const userId = randomUUID();
    const { scratch } = await makeDatabase(`${oldTables}
      insert into conversations (title, user_id) select 'Title ' || i, '${userId}' from generate_series(1, 700) i;
      insert into messages (conversation_id, role, content) select id, 'user', 'Text of ' || title from conversations, generate_series(1, 2);`);
    const database = toDatabase(scratch);
    assert.deepEqual(await find(database, userId, "title"), []);
    assert.deepEqual(await readTexts(database), [
      { type: "search-backlog-started" },
      { type: "search-backlog-indexed", count: 2_100 },
    ]);
    assert.deepEqual(await scratch.sql(unread), []);
    assert.deepEqual(await scratch.sql("select kind from word_backlog"), []);
    assert.deepEqual(await find(database, userId, '"text of title" 77'), ["Title 77"]);
    assert.deepEqual(await readTexts(database), []);
  });

  test("hands each text to one of several servers", async () => {
    const { scratch, url } = await makeDatabase();
    await scratch.apply(`insert into conversations (title) select 'Title ' || i from generate_series(1, 400) i;
      insert into messages (conversation_id, role, content) select id, 'user', title from conversations`);
    const handed: string[] = [];
    const servers = await Promise.all(
      [1, 2, 3].map(async () => {
        const database = toDatabase(await connect(url));
        const watched: Database = {
          ...database,
          call: async (...call) => {
            const answer = await database.call(...call);
            handed.push(...Handed.parse(answer).texts.map(({ id }) => id));
            return answer;
          },
        };
        return await readTexts(watched);
      }),
    );
    assert.equal(servers.length, 3);
    assert.deepEqual([handed.length, new Set(handed).size], [800, 800]);
    assert.deepEqual(await scratch.sql(unread), []);
  });

  test("continues with the others if the database refuses the words of one, and retries that one less and less often", async () => {
    const { scratch } = await makeDatabase();
    const bad = randomUUID();
    await scratch.apply(`insert into conversations (title) select 'Title ' || i from generate_series(1, 120) i;
      insert into conversations (id, title) values ('${bad}', 'Bad')`);
    const database = toDatabase(scratch);
    let calls = 0;
    const refusing: Database = {
      ...database,
      call: async (name, argument, caller) => {
        calls += 1;
        const { read } = Sent.parse(argument);
        const broken = read.map((row) => (row.id === bad ? { ...row, words: "'" } : row));
        return await database.call(name, { ...argument, read: broken }, caller).catch((error: unknown) => {
          throw toStoreFailure("42601", String(error));
        });
      },
    };
    for (const minutes of [0, 1, 2, 4]) {
      await scratch.sql(
        "update title_words set not_before = not_before - $1::integer * interval '1 minute'",
        [minutes],
      );
      await readTexts(refusing);
      assert.deepEqual(await scratch.sql(unread), [{ id: bad }]);
    }
    const [row] = await scratch.sql(
      "select attempts, not_before > now() + interval '3 minutes' as is_later from title_words where words is null",
    );
    assert.deepEqual(row, { attempts: 4, is_later: true });
    assert.ok(calls < 80, `${calls} calls`);
    await scratch.sql("update title_words set not_before = now() where words is null");
    await readTexts(database);
    assert.deepEqual(await scratch.sql(unread), []);
  });

  test("reads a text again that changes while it is read, and forgets its old words", async () => {
    const userId = randomUUID();
    const { scratch } = await makeDatabase();
    await scratch.apply(`insert into conversations (title, user_id) values ('First', '${userId}')`);
    const database = toDatabase(scratch);
    let isChanged = false;
    await readTexts({
      ...database,
      call: async (...call) => {
        const answer = await database.call(...call);
        if (!isChanged) await scratch.sql("update conversations set title = 'Second'");
        isChanged = true;
        return answer;
      },
    });
    assert.deepEqual(
      [await find(database, userId, "first"), await find(database, userId, "second")],
      [[], ["Second"]],
    );
  });

  test("queries rarely while nothing is stored, and immediately for a search", async () => {
    const userId = randomUUID();
    const { scratch } = await makeDatabase();
    const database = toDatabase(scratch);
    const clock = new ManualClock();
    let calls = 0;
    let last: Promise<unknown> = Promise.resolve();
    const counted: Database = {
      ...database,
      call: (...call) => {
        calls += 1;
        return (last = database.call(...call));
      },
    };
    const indexer = new WordIndexer({ database: counted, clock, observe: () => {} });
    for (let second = 0; second < 3_600; second += 1) {
      clock.advance(1_000);
      await last;
      await setImmediate();
    }
    assert.ok(calls > 10 && calls < 80, `${calls} calls in an idle hour`);
    await scratch.apply(
      `insert into conversations (title, user_id) values ('Written elsewhere', '${userId}')`,
    );
    await indexer.untilRead();
    assert.deepEqual(await find(database, userId, "elsewh"), ["Written elsewhere"]);
    await indexer.close();
  });

  for (const failing of [1, 2])
    test(`lets a search find texts stored before it, although call ${failing} for that is cancelled`, async () => {
      const userId = randomUUID();
      const { scratch } = await makeDatabase();
      const database = toDatabase(scratch);
      await scratch.apply(`insert into conversations (title, user_id) values ('Stored before', '${userId}')`);
      let calls = 0;
      const cancelled: Database = {
        ...database,
        call: async (...call) => {
          calls += 1;
          if (calls === failing) throw toStoreFailure("57014", "canceling statement due to user request");
          return await database.call(...call);
        },
      };
      const indexer = new WordIndexer({ database: cancelled, clock: new ManualClock(), observe: () => {} });
      await indexer.untilRead();
      assert.deepEqual(await find(database, userId, "stored"), ["Stored before"]);
      await indexer.close();
    });

  test("lets no search wait longer than the database fails", async () => {
    const { scratch } = await makeDatabase();
    const failing: Database = {
      ...toDatabase(scratch),
      call: async () =>
        await Promise.reject(toStoreFailure("57014", "canceling statement due to user request")),
    };
    const indexer = new WordIndexer({ database: failing, clock: new ManualClock(), observe: () => {} });
    await indexer.untilRead();
    await indexer.close();
  });

  test("sends a bounded number of bounded words for any text", async () => {
    const { scratch } = await makeDatabase();
    const [conversation] = await scratch.sql(
      "insert into conversations (title) values ('Hostile') returning id",
    );
    for (const make of Object.values(hostileTexts)) {
      await scratch.sql("insert into messages (conversation_id, role, content) values ($1, 'user', $2)", [
        conversation?.["id"],
        make(256 * 1024)
          .toWellFormed()
          .replaceAll("\0", ""),
      ]);
    }
    const database = toDatabase(scratch);
    let most = 0;
    await readTexts({
      ...database,
      call: async (name, argument, caller) => {
        for (const { words } of Sent.parse(argument).read) {
          const lexemes = words.match(lexeme) ?? [];
          most = Math.max(most, lexemes.length);
          for (const word of lexemes.slice(2)) assert.ok(word.length <= maxWordLength + 10, word);
        }
        return await database.call(name, argument, caller);
      },
    });
    assert.ok(most > 5_000 && most <= maxWords + 2, `${most} words`);
    assert.deepEqual(await scratch.sql(unread), []);
  });
});

describe("the reading of texts on PGlite", { timeout: 120_000 }, () => {
  test("does not block other work", async () => {
    const harness = await startPglite();
    const userId = randomUUID();
    await (await harness.open(systemClock)).close();
    await harness.sql(
      `insert into conversations (title, user_id) values ('Mine', '${userId}'), ('Hostile', null)`,
      ...Object.values(hostileTexts).map(
        (make) => `insert into messages (conversation_id, role, content)
          select id, 'user', $text$${make(256 * 1024).toWellFormed()}$text$ from conversations where title = 'Hostile'`,
      ),
    );
    const database = await harness.open(systemClock);
    try {
      const caller = { userId, accessToken: undefined };
      const read = async (): Promise<number> => {
        const startMs = performance.now();
        await database.call("chat_list_conversations", { limit: 20 }, caller);
        return performance.now() - startMs;
      };
      await read();
      const alone: number[] = [];
      for (let round = 0; round < 20; round += 1) alone.push(await read());
      const beside: number[] = [];
      const reading = { isOver: false };
      const texts = readTexts(database).finally(() => (reading.isOver = true));
      while (!reading.isOver) beside.push(await read());
      await texts;
      const most = (list: readonly number[]): string => Math.max(...list).toFixed(0);
      console.log(
        `  a list took at most ${most(alone)} ms alone, and ${most(beside)} ms while texts of 256 KB were read`,
      );
      assert.ok(beside.length > Object.keys(hostileTexts).length, "reads come between the texts");
    } finally {
      await database.close();
      await harness.stop();
    }
  });
});
