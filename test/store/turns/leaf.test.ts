/**
 * The path that a conversation shows when turns overlap or their writes are late: always the user's newest
 * choice.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { toEndArgument } from "../../../src/store/turns/turn-writes.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { useTurnWrites } from "../../support/databases/use-turn-writes.ts";

function aSecondAgo(): Date {
  return new Date(Date.now() - 1_000);
}

describe("the path that is shown", () => {
  const server = useDatabase(startPostgresHarness);
  const opened = useTurnWrites(server);

  /** A user's conversation, and the path it shows. */
  function makeChat(): {
    readonly place: { userId: string; conversationId: string };
    readonly shown: () => Promise<string[]>;
  } {
    const place = { userId: randomUUID(), conversationId: randomUUID() };
    return {
      place,
      shown: async () =>
        (await readMessages(opened.database, place.conversationId, place.userId)).map(
          ({ content }) => content ?? "",
        ),
    };
  }

  test("is the edited message's, although the reply from before the edit ends later", async () => {
    const { place, shown } = makeChat();
    const [first, edited] = [makeTurn(["u: one"], place), makeTurn(["u: won"], place)];
    for (const turn of [first, edited]) await beginTurn(opened.writes, turn);
    await endTurn(opened.writes, edited, makeResult("WON"));
    await endTurn(opened.writes, first, makeResult("ONE"));
    assert.deepEqual(await shown(), ["won", "WON"]);
  });

  test("is the newest of two replies to the same message", async () => {
    const { place, shown } = makeChat();
    const turns = [makeTurn(["u: toss"], place), makeTurn(["u: toss"], place)];
    for (const turn of turns) await beginTurn(opened.writes, turn);
    for (const [index, turn] of turns.entries())
      await endTurn(opened.writes, turn, makeResult(index === 0 ? "heads" : "tails"));
    assert.deepEqual(await shown(), ["toss", "tails"]);
  });

  test("is that of another replica where the conversation continued, although the first turn's opened.writes come later", async () => {
    const { place, shown } = makeChat();
    const late = makeTurn(["u: Hi"], { ...place, startedAt: aSecondAgo() });
    const next = makeTurn(["u: Hi", "a: Hello", "u: And?"], place);
    await beginTurn(opened.writes, next);
    await endTurn(opened.writes, next, makeResult("So."));
    assert.deepEqual(await opened.writes.begin(late, true), {
      type: "saved",
      conversationId: place.conversationId,
    });
    await endTurn(opened.writes, late, makeResult("Hello"));
    assert.deepEqual(await shown(), ["Hi", "Hello", "And?", "So."]);
    const rows = await server.sql(
      `select count(*)::int as count from messages where conversation_id = '${place.conversationId}'`,
    );
    assert.deepEqual(rows, [{ count: 4 }]);
  });

  test("is the newest choice, although an older one that was queued is stored after it", async () => {
    const { place, shown } = makeChat();
    const start = makeTurn(["u: Hi"], place);
    await beginTurn(opened.writes, start);
    await endTurn(opened.writes, start, makeResult("Hello"));
    const older = makeTurn(["u: Hi", "a: Hello", "u: old wish"], { ...place, startedAt: aSecondAgo() });
    const newer = makeTurn(["u: Hi", "a: Hello", "u: new wish"], place);
    await beginTurn(opened.writes, newer);
    await endTurn(opened.writes, newer, makeResult("New"));
    await opened.writes.begin(older, true);
    await endTurn(opened.writes, older, makeResult("Old"));
    assert.deepEqual(await shown(), ["Hi", "Hello", "new wish", "New"]);
  });

  test("is a queued edit, replayed behind the message it replaces, in a conversation that was queued as well", async () => {
    const { place, shown } = makeChat();
    for (const [index, line] of ["u: first", "u: edited"].entries()) {
      const turn = makeTurn([line], { ...place, startedAt: new Date(Date.now() - 10_000 + 1_000 * index) });
      await opened.writes.begin(turn, true);
      const end = {
        ...toEndArgument(turn.turnId, makeResult(`reply ${index}`)),
        age_ms: 9_500 - 1_000 * index,
      };
      await opened.writes.end(end);
    }
    assert.deepEqual(await shown(), ["edited", "reply 1"]);
  });

  test("continues with queued messages if there are no newer ones", async () => {
    const { place, shown } = makeChat();
    const start = makeTurn(["u: Hi"], place);
    await beginTurn(opened.writes, start);
    await endTurn(opened.writes, start, makeResult("Hello"));
    const late = makeTurn(["u: Hi", "a: Hello", "u: And?"], place);
    await opened.writes.begin(late, true);
    await endTurn(opened.writes, late, makeResult("So."));
    assert.deepEqual(await shown(), ["Hi", "Hello", "And?", "So."]);
  });

  const leaf = {
    anchor: undefined,
    continues: { mode: "leaf", isAgain: false, replyId: undefined, mustExist: true, needsStore: true },
  } as const;

  test("shows messages queued for its end, although others were added there meanwhile", async () => {
    const { place, shown } = makeChat();
    const start = makeTurn(["u: Hi"], place);
    await beginTurn(opened.writes, start);
    await endTurn(opened.writes, start, makeResult("Hello"));
    const late = makeTurn(["u: late"], { ...place, ...leaf, startedAt: aSecondAgo() });
    const next = makeTurn(["u: next"], { ...place, ...leaf });
    await beginTurn(opened.writes, next);
    await endTurn(opened.writes, next, makeResult("Next."));
    assert.equal((await opened.writes.begin(late, true)).type, "saved");
    await endTurn(opened.writes, late, makeResult("Late."));
    assert.deepEqual(await shown(), ["Hi", "Hello", "next", "Next.", "late", "Late."]);
  });

  for (const endsFirst of [true, false]) {
    test(`shows them below a reply in progress, which ends ${endsFirst ? "first" : "last"}`, async () => {
      const { place, shown } = makeChat();
      const running = makeTurn(["u: Hi"], place);
      await beginTurn(opened.writes, running);
      const late = makeTurn(["u: late"], { ...place, ...leaf, startedAt: aSecondAgo() });
      assert.equal(
        (await opened.writes.begin(makeTurn(["u: refused"], { ...place, ...leaf }))).type,
        "running",
      );
      assert.equal((await opened.writes.begin(late, true)).type, "saved");
      if (endsFirst) await endTurn(opened.writes, running, makeResult("Hello"));
      await endTurn(opened.writes, late, makeResult("Late."));
      if (!endsFirst) await endTurn(opened.writes, running, makeResult("Hello"));
      assert.deepEqual(await shown(), ["Hi", "Hello", "late", "Late."]);
    });
  }

  test("is the newest question's, although the reply to its sibling ends later", async () => {
    const { place, shown } = makeChat();
    const first = makeTurn(["u: one"], place);
    await beginTurn(opened.writes, first);
    const second = makeTurn(["u: one", "u: two"], place);
    await beginTurn(opened.writes, second);
    await endTurn(opened.writes, first, makeResult("ONE"));
    await endTurn(opened.writes, second, makeResult("TWO"));
    assert.deepEqual(await shown(), ["one", "two", "TWO"]);
  });

  test("shows a reply with its plan, model and status, although its client had sent it back before it was stored", async () => {
    const { place } = makeChat();
    const late = makeTurn(["u: Hi"], place);
    await beginTurn(opened.writes, late);
    const next = makeTurn(["u: Hi", "a: Hello", "u: And?"], place);
    await beginTurn(opened.writes, next);
    await endTurn(opened.writes, late, makeResult("Hello"));
    const rows = await readMessages(opened.database, place.conversationId, place.userId);
    const { status, metadata } = rows[1] ?? assert.fail();
    assert.deepEqual([status, metadata?.["plan"], metadata?.["model"]], ["complete", "- plan", "test"]);
  });

  test("ends in a reply that repeats an earlier one", async () => {
    const { place, shown } = makeChat();
    for (const reply of ["heads", "tails", "heads"]) {
      const turn = makeTurn(["u: toss"], place);
      await beginTurn(opened.writes, turn);
      await endTurn(opened.writes, turn, makeResult(reply));
      assert.deepEqual(await shown(), ["toss", reply]);
    }
  });
});
