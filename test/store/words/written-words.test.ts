/** The words of short texts are stored with their turn: no server has to read them again. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { hostileTexts } from "../../support/model/hostile-texts.ts";
import { openPostgres, toDatabase, type Scratch } from "../scratch-database.ts";
import { readTexts } from "./read-texts.ts";

const unread = `select m.content as text from message_words w join messages m on m.id = w.id where w.words is null
  union all select c.title from title_words w join conversations c on c.id = w.id where w.words is null order by 1`;
const words =
  "select id, words from message_words union all select id, words from title_words order by id, words";

describe("the words of a short text", { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let scratch: Scratch;
  let writes: TurnWrites;
  before(async () => {
    server = await startPostgres();
    scratch = await openPostgres(await server.createDatabase("written_words"));
    await scratch.apply(
      await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" }),
    );
    writes = new TurnWrites(toDatabase(scratch), systemClock);
  });
  after(async () => {
    await scratch.close();
    await server.stop();
  });

  /** Stores a turn; returns its conversation. */
  async function store(
    lines: readonly string[],
    answer: string,
    more: Parameters<typeof makeTurn>[1] = {},
  ): Promise<string> {
    const turn = makeTurn(lines, more);
    const conversationId = await beginTurn(writes, turn);
    await endTurn(writes, { ...turn, conversationId }, makeResult(answer));
    return conversationId;
  }

  test("are those that a server reads in it, in any script", async () => {
    for (const make of Object.values(hostileTexts)) {
      const text = make(900).toWellFormed();
      await store([`u: ${text}`], text, { userId: randomUUID() });
    }
    assert.deepEqual(await scratch.sql(unread), []);
    const written = await scratch.sql(words);
    assert.equal(written.length, 3 * Object.keys(hostileTexts).length);
    await scratch.sql("update message_words set words = null");
    await scratch.sql("update title_words set words = null");
    await readTexts(toDatabase(scratch));
    assert.deepEqual(await scratch.sql(words), written);
  });

  test("are stored for each message of a chat that goes on", async () => {
    const userId = randomUUID();
    const conversationId = await store(["u: First"], "One.", { userId });
    await store(["u: First", "a: One.", "u: Second"], "Two.", { userId, conversationId });
    assert.deepEqual(await scratch.sql(unread), []);
  });

  test("are left to be read if the text is long, or if they would name another conversation or owner", async () => {
    const long = "word ".repeat(300).trim();
    await store([`u: ${long}`], long);
    const unowned = await store(["u: Without an owner"], "Yes.");
    const adopted = ["u: Without an owner", "a: Yes.", "u: Mine now"];
    await store(adopted, "Not yours.", { userId: randomUUID(), conversationId: unowned });
    const theirs = await store(["u: Theirs"], "Fine.", { userId: randomUUID() });
    const own = makeTurn(["u: In my own"], { userId: randomUUID(), conversationId: theirs });
    assert.notEqual(await beginTurn(writes, own), theirs);
    await endTurn(writes, own, makeResult("Apart."));
    const left = (await scratch.sql(unread)).map(({ text }) => String(text));
    assert.deepEqual(left.toSorted(), [
      "Apart.",
      "In my own",
      "In my own",
      "Mine now",
      "Not yours.",
      long,
      long,
    ]);
    await readTexts(toDatabase(scratch));
    assert.deepEqual(await scratch.sql(unread), []);
  });
});
