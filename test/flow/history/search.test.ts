/**
 * Search through the server's routes: results and refusals on every database, and on one without a locale.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client } from "pg";
import { z } from "zod";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import {
  runSql,
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
  type StoreHarness,
} from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { HistoryClient, type ConversationPage } from "../../support/clients/history-client.ts";

const Problem = z.looseObject({ detail: z.string() });

function describeSearch(
  name: string,
  start: () => Promise<Pick<StoreHarness, "variables" | "sql" | "stop">>,
): void {
  describe(`a search on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const app = useApp(model, {}, { database: harness });
    const history = new HistoryClient(app);

    /** Runs a turn; returns its conversation. */
    async function say(userId: string, text: string): Promise<string> {
      model.say("- p\n---RESPONSE---\nSo.");
      const { status, headers } = await app.chat(text, { userId });
      assert.equal(status, 200);
      return String(headers["x-conversation-id"]);
    }

    test("finds words in any script, form and case, prefixes of words, and parts of names and URLs", async () => {
      const userId = randomUUID();
      const texts = {
        japanese: "私は東京都に住んでいます",
        chinese: "我们在北京大学学习",
        thai: "ประเทศไทยสวยงามมาก",
        korean: "서울에서 만나요",
        accents: "Un cafe\u0301 crème à la Straße",
        greek: "Ο δρόμος και η ΟΔΟΣ",
        code: "Use Node.js and getUserName in /usr/local/lib",
        emoji: "Launch 👩🏽\u200d🚀 now ❤️",
        link: "See https://example.com/docs?page=2",
      };
      const ids = new Map<string, string>();
      for (const [holder, text] of Object.entries(texts)) ids.set(await say(userId, text), holder);
      for (const [query, holder] of [
        ["東京都", "japanese"],
        ["京都", "japanese"],
        ["住んで", "japanese"],
        ["都", "japanese"],
        ["北京", "chinese"],
        ["大学", "chinese"],
        ["大学学", "chinese"],
        ["ประเทศ", "thai"],
        ["ไทย", "thai"],
        ["서울", "korean"],
        ["CAFÉ", "accents"],
        ["cafe\u0301", "accents"],
        ["cafe", "accents"],
        ["creme", "accents"],
        ["STRASSE", "accents"],
        ["οδος", "greek"],
        ["ΟΔΟΣ", "greek"],
        ["οδό", "greek"],
        ["node", "code"],
        ["node.js", "code"],
        ["Node.j", "code"],
        ["user", "code"],
        ["getusern", "code"],
        ["usr/local", "code"],
        ["👩\u200d🚀", "emoji"],
        ["🚀", "emoji"],
        ["❤", "emoji"],
        ["example.com", "link"],
        ["exam", "link"],
        ['"local lib"', "code"],
      ] as const) {
        const { conversations } = await history.list(userId, `query=${encodeURIComponent(query)}`);
        const found = conversations.map(({ id }) => ids.get(id));
        assert.deepEqual(found, [holder], query);
      }
      for (const nothing of ["京東", '"lib local"', "cafe -creme", '"exam"', "js.node"])
        assert.deepEqual(
          (await history.list(userId, `query=${encodeURIComponent(nothing)}`)).conversations,
          [],
          nothing,
        );
    });

    test("shows the newest message that it has found, with its words marked, and none for a title", async () => {
      const userId = randomUUID();
      const id = await say(userId, "First a zebra");
      const long = `${"é, ".repeat(1_000)}<b>the **ZÉBRA**</b>\n\n and its foal${" e".repeat(1_000)}`;
      model.say("- p\n---RESPONSE---\nNo stripes.");
      await app.chat(long, { userId, conversationId: id, messages: [{ role: "user", content: long }] });
      const find = async (query: string, who = userId): Promise<ConversationPage["conversations"]> =>
        (await history.list(who, `query=${encodeURIComponent(query)}`)).conversations;
      const [found] = await find("zebra foal");
      const { messages } = await history.read(userId, id, "tree=true");
      const { messageId, excerpt, ranges } = found?.hit ?? assert.fail("no hit");
      assert.equal(messageId, messages.find(({ content }) => content === long)?.id);
      assert.match(excerpt, /^…(?:é, )+<b>the \*\*ZÉBRA\*\*<\/b> and its foal(?: e)+…$/);
      assert.ok(excerpt.length <= 160);
      assert.deepEqual(
        ranges.map((range) => excerpt.slice(range.start, range.end)),
        ["ZÉBRA", "foal"],
      );
      const patch = { title: "Unicorns" };
      assert.equal((await history.send("PATCH", `/conversations/${id}`, userId, patch)).status, 200);
      assert.deepEqual(
        (await find("unicorn")).map(({ hit }) => hit),
        [null],
      );
      assert.deepEqual(
        (await find("-unheard")).map(({ hit }) => hit),
        [null],
      );
      assert.ok((await history.list(userId)).conversations.every((one) => !("hit" in one)));
      assert.deepEqual(await find("zebra", randomUUID()), []);
    });

    test("finds nothing for a query without a word, and refuses a cursor of another list by name", async () => {
      const userId = randomUUID();
      await say(userId, "Hi");
      for (const query of [
        "-".repeat(33),
        "-",
        '"',
        '""',
        "...",
        "!?",
        "\\",
        "'",
        "\u200d",
        "or",
        "( & | ! :*",
        "\ud800",
      ])
        assert.deepEqual(
          (await history.list(userId, `query=${encodeURIComponent(query.toWellFormed())}`)).conversations,
          [],
          query,
        );
      for (const time of [
        "2026",
        "Nov 25 2026",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+275760-09-13T00:00:00.000Z",
        "-000001-01-01T00:00:00Z",
        "2026-11-25T12:00:00+23:59",
        "2026-11-25T12:00:00 (x)",
        "infinity",
        "",
      ]) {
        const cursor = Buffer.from(`${time} ${randomUUID()}`).toString("base64url");
        const answer = await history.send("GET", `/conversations?cursor=${cursor}`, userId);
        assert.equal(answer.status, 400, time);
        assert.match(Problem.parse(JSON.parse(answer.body)).detail, /cursor/);
      }
      for (const [path, field] of [
        ["/conversations?cursor=%00", "cursor"],
        [`/conversations?cursor=${Buffer.from("2026-11-25T12:00:00Z 1").toString("base64url")}`, "cursor"],
        [`/conversations/${randomUUID()}/messages?before=1`, "before"],
        ["/conversations/1/messages?tree=true", "id"],
        ["/usage?from=0000-01-01&to=0000-01-02", "to"],
        ["/usage?to=0001-01-01", "to"],
        ["/usage?from=2026-02-30", "from"],
        ["/usage?to=2026-13-01", "to"],
      ] as const) {
        const answer = await history.send("GET", path, userId);
        assert.equal(answer.status, 400, path);
        assert.match(Problem.parse(JSON.parse(answer.body)).detail, new RegExp(`^${field}:`), path);
      }
    });

    test("finds a renamed conversation by its new words only, and no deleted one", async () => {
      const userId = randomUUID();
      const id = await say(userId, "Hello");
      const find = async (word: string): Promise<string[]> =>
        (await history.list(userId, `query=${word}`)).conversations.map((conversation) => conversation.id);
      assert.deepEqual(await find("hello"), [id]);
      for (const title of ["First", "Second"])
        assert.equal((await history.send("PATCH", `/conversations/${id}`, userId, { title })).status, 200);
      assert.deepEqual([await find("second"), await find("first")], [[id], []]);
      assert.equal((await history.send("DELETE", `/conversations/${id}`, userId)).status, 204);
      assert.deepEqual([await find("second"), await find("hello")], [[], []]);
    });
  });
}

/** A database in which letters beyond ASCII have no case, and are not letters for its own parser. */
async function startWithoutLocale(): Promise<Pick<StoreHarness, "variables" | "sql" | "stop">> {
  const harness = await startPostgresHarness();
  const client = new Client({ connectionString: harness.server.url });
  await client.connect();
  await client.query(
    "create database c_locale template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'",
  );
  await client.end();
  const url = new URL(harness.server.url);
  url.pathname = "/c_locale";
  await runSql(url.href, [
    await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" }),
  ]);
  return {
    variables: { DATABASE_URL: url.href },
    sql: (...statements) => runSql(url.href, statements),
    stop: () => harness.stop(),
  };
}

describeSearch("PGlite", startPglite);
describeSearch("Postgres", startPostgresHarness);
describeSearch("Postgres with the locale C", startWithoutLocale);
describeSearch("PostgREST", startSupabaseHarness);
