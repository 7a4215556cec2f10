/** The promises of every store, whatever its database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { TurnWrites } from "../../src/store/turns/turn-writes.ts";
import { schemaVersion, service, type Database } from "../../src/store/database/database.ts";
import { toAppError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Image } from "../../src/turn/message.ts";
import { beginTurn, endTurn, makeResult, makeTurn, type Line } from "../support/databases/make-turn.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { readConversations, readMessages } from "../support/databases/read-rows.ts";
import type { StoreHarness } from "../support/databases/store-harness.ts";

const image: Image = { mimeType: "image/png", data: "aGVsbG8=" };

/** Runs the suite on the database that `start` starts. */
export function runStoreSuite(databaseName: string, start: () => Promise<StoreHarness>): void {
  describe(`the store on ${databaseName}`, () => {
    let harness: StoreHarness;
    let database: Database;
    let writes: TurnWrites;
    before(async () => {
      harness = await start();
      database = await harness.open(systemClock);
      writes = new TurnWrites(database, systemClock);
    });
    after(async () => {
      await database.close();
      await harness.stop();
    });

    /** Runs SQL as the owner, with the server's own connection closed meanwhile. */
    async function sql(...statements: string[]): Promise<Record<string, unknown>[]> {
      await database.close();
      const rows = await harness.sql(...statements);
      database = await harness.open(systemClock);
      writes = new TurnWrites(database, systemClock);
      return rows;
    }

    /** Runs a turn from begin to end; resolves with its conversation. */
    async function run(
      lines: readonly Line[],
      answer: string,
      more: Parameters<typeof makeTurn>[1] = {},
      end = makeResult(answer),
    ): Promise<string> {
      const turn = makeTurn(lines, more);
      const conversationId = await beginTurn(writes, turn);
      await endTurn(writes, turn, end);
      return conversationId;
    }

    async function shown(conversationId: string, userId: string): Promise<string[]> {
      const rows = await readMessages(database, conversationId, userId);
      return rows.map(({ role, content }) => `${role[0]}: ${content}`);
    }

    test("stores a turn: conversation, messages in order, each below the one before, plan beside the answer", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      await run(["s: Be kind", "u: Hi", "a: Hello", "u: How are you?"], "Fine. ", { userId, conversationId });
      const rows = await readMessages(database, conversationId, userId);
      assert.deepEqual(
        rows.map(({ role, content, status }) => [role, content, status]),
        [
          ["system", "Be kind", null],
          ["user", "Hi", null],
          ["assistant", "Hello", null],
          ["user", "How are you?", null],
          ["assistant", "Fine.", "complete"],
        ],
      );
      assert.deepEqual(
        rows.map(({ parent_id }) => parent_id),
        [null, ...rows.slice(0, -1).map(({ id }) => id)],
      );
      const { plan, model, usage, finish_reason } = rows.at(-1)?.metadata ?? {};
      assert.deepEqual(
        [plan, model, usage, finish_reason],
        ["- plan", "test", { input_tokens: 1, output_tokens: 2 }, "stop"],
      );
      const micros = rows
        .slice(0, 4)
        .map(({ created_at }) => Number((/\.(\d+)/.exec(created_at)?.[1] ?? "").padEnd(6, "0")));
      const steps = micros
        .slice(1)
        .map((time, index) => (time - (micros[index] ?? 0) + 1_000_000) % 1_000_000);
      assert.deepEqual(steps, [1, 1, 1]);
      assert.deepEqual(
        (await readConversations(database, userId)).map(({ id, title }) => [id, title]),
        [[conversationId, "How are you?"]],
      );
    });

    test("accepts the same begin and the same end twice without a second row", async () => {
      const userId = randomUUID();
      const turn = makeTurn(["u: Once"], { userId, conversationId: randomUUID() });
      const result = makeResult("Yes");
      for (let time = 0; time < 2; time += 1) await writes.begin(turn);
      for (let time = 0; time < 2; time += 1) await endTurn(writes, turn, result);
      assert.deepEqual(await shown(turn.conversationId, userId), ["u: Once", "a: Yes"]);
    });

    test("adds four rows for two turns that resend a history of 200 messages, each in as few bytes as for a short one", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const history = Array.from(
        { length: 200 },
        (_, index) => `${index % 2 === 0 ? "u" : "a"}: message ${index}`,
      );
      await run(history.slice(0, -1), "message 199", { userId, conversationId });
      const sent: number[] = [];
      const watched: Database = {
        call: (name, argument, caller) => {
          sent.push(JSON.stringify(argument).length);
          return database.call(name, argument, caller);
        },
        close: async () => {},
      };
      const watchedWrites = new TurnWrites(watched, systemClock);
      for (const [index, lines] of [["u: one"], ["u: one", "a: reply 0", "u: two"]].entries()) {
        const turn = makeTurn([...history, ...lines], { userId, conversationId });
        await watchedWrites.begin(turn);
        await endTurn(watchedWrites, turn, makeResult(`reply ${index}`));
      }
      assert.equal((await shown(conversationId, userId)).length, 204);
      assert.equal(sent.length, 4, "one call to begin and one to end each turn");
      assert.ok(Math.max(...sent) < 1500, `${sent.join(", ")} bytes`);
    });

    test("makes an edited message a new branch, and shows the newest", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      await run(["u: one"], "1", { userId, conversationId });
      await run(["u: one", "a: 1", "u: two"], "2", { userId, conversationId });
      await run(["u: one", "a: 1", "u: too"], "II", { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), ["u: one", "a: 1", "u: too", "a: II"]);
      await run(["u: one", "a: 1", "u: two", "a: 2", "u: three"], "3", { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), [
        "u: one",
        "a: 1",
        "u: two",
        "a: 2",
        "u: three",
        "a: 3",
      ]);
      const rows = await sql(
        `select count(*)::int as count from messages where conversation_id = '${conversationId}'`,
      );
      assert.deepEqual(rows, [{ count: 8 }]);
    });

    test("makes a second reply to the same message a branch beside the first", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      for (const answer of ["heads", "tails"]) await run(["u: toss"], answer, { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), ["u: toss", "a: tails"]);
      const rows = await sql(
        `select content from messages where conversation_id = '${conversationId}' order by created_at`,
      );
      assert.deepEqual(rows, [{ content: "toss" }, { content: "heads" }, { content: "tails" }]);
    });

    const changed: readonly [string, string, Parameters<typeof makeResult>[1], string][] = [
      ["with its plan and the boundary", "It is so.", {}, "- plan\n---RESPONSE---\nIt is so.\n"],
      ["in another Unicode form", "é", {}, "e\u0301"],
      [
        "with the [error] line it broke off with",
        "So f",
        { outcome: "failed" },
        "- plan\n---RESPONSE---\nSo f\n[error] model_stalled: The model stopped.\n",
      ],
      [
        "longer than what was kept of it when it broke off",
        "So f",
        { outcome: "interrupted" },
        "So far, so good",
      ],
      [
        "as an answer that itself speaks of the boundary",
        "Write ---RESPONSE--- there.",
        {},
        "Write ---RESPONSE--- there.",
      ],
    ];
    for (const [how, kept, more, resent] of changed) {
      test(`recognizes a reply that is sent back ${how}, and the messages after it`, async () => {
        const userId = randomUUID();
        const conversationId = randomUUID();
        await run(["u: Q"], kept, { userId, conversationId }, makeResult(kept, more));
        await run(["u: Q", `a: ${resent}`, "u: R"], "S", { userId, conversationId });
        const since = ["u: R", "a: S", "u: T"];
        await run(["u: Q", `a: ${resent}`, ...since], "U", { userId, conversationId });
        const unnamed = await run(["u: Q", `a: ${resent}`, ...since, "a: U", "u: V"], "W", { userId });
        assert.equal(unnamed, conversationId);
        const stored = ["u: Q", `a: ${kept}`, ...since, "a: U", "u: V", "a: W"];
        assert.deepEqual(await shown(conversationId, userId), stored);
        const rows = await sql(
          `select count(*)::int as count from messages where conversation_id = '${conversationId}'`,
        );
        assert.deepEqual(rows, [{ count: 8 }]);
      });
    }

    test("recognizes a message sent again without its images, unless it is the last, which is a new question", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const asked: Line = { role: "user", text: "What is it?", images: [image] };
      await run([asked], "A dot", { userId, conversationId });
      await run(["u: What is it?", "a: A dot", "u: Sure?"], "Yes", { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), [
        "u: What is it?",
        "a: A dot",
        "u: Sure?",
        "a: Yes",
      ]);
      await run(["u: What is it?"], "What?", { userId, conversationId });
      const rows = await sql(
        `select metadata from messages where conversation_id = '${conversationId}' order by created_at`,
      );
      assert.equal(rows.length, 6);
      assert.deepEqual(rows[0]?.["metadata"], { images_count: 1 });
    });

    test("sends a long history whose replies come back changed in full only once", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const kept = Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0 ? `u: q${index}` : `a: r${index}`,
      );
      await run(
        kept.slice(0, 1),
        "So f",
        { userId, conversationId },
        makeResult("So f", { outcome: "interrupted" }),
      );
      const told = ["u: q0", "a: So far", ...kept.slice(2)];
      let calls = 0;
      const watched: Database = {
        call: (name, argument, caller) => {
          calls += 1;
          return database.call(name, argument, caller);
        },
        close: async () => {},
      };
      const watchedWrites = new TurnWrites(watched, systemClock);
      const counts: number[] = [];
      for (const lines of [["u: x"], ["u: x", "a: y", "u: z"]]) {
        calls = 0;
        const turn = makeTurn([...told, ...lines], { userId, conversationId });
        await watchedWrites.begin(turn);
        await endTurn(watchedWrites, turn, makeResult("y"));
        counts.push(calls);
      }
      assert.deepEqual(counts, [3, 2]);
      assert.equal((await shown(conversationId, userId)).length, 24);
    });

    test("continues an identified user's unnamed conversation, by its longest path, and never another user's", async () => {
      const userId = randomUUID();
      const first = await run(["u: Who?"], "Me.", { userId });
      assert.equal(await run(["u: Who?", "a: Me.", "u: Why?"], "Because.", { userId }), first);
      assert.equal(
        await run(["u: Who?", "a: Me.", "u: Why?", "a: Because.", "u: So?"], "So.", { userId }),
        first,
      );
      assert.notEqual(
        await run(["u: Who?", "a: Me.", "u: Why?"], "Because.", { userId: randomUUID() }),
        first,
      );
      assert.notEqual(await run(["u: Who?", "a: Me.", "u: Why?"], "Because."), first);
      assert.notEqual(
        await run(["u: Who?"], "Me.", { userId }),
        first,
        "a path without a reply of ours continues nothing",
      );
    });

    test("leaves another user's conversation alone: a turn that names it gets a conversation of its own", async () => {
      const [mine, other] = [randomUUID(), randomUUID()];
      const conversationId = randomUUID();
      await run(["u: mine"], "yours", { userId: mine, conversationId });
      const taken = await run(["u: mine", "a: yours", "u: injected"], "secret", {
        userId: other,
        conversationId,
      });
      assert.notEqual(taken, conversationId);
      assert.deepEqual(await shown(conversationId, mine), ["u: mine", "a: yours"]);
      assert.deepEqual(await shown(taken, other), ["u: mine", "a: yours", "u: injected", "a: secret"]);
      const rows = await sql(
        `select distinct user_id from turns where conversation_id = '${conversationId}'`,
      );
      assert.deepEqual(rows, [{ user_id: mine }]);
    });

    test("answers although a user has made a cycle of messages", async () => {
      const userId = randomUUID();
      const conversationId = await run(["u: round"], "and round", { userId });
      await sql(`update messages set parent_id = (select id from messages m where m.conversation_id = messages.conversation_id
        and m.role = 'assistant') where conversation_id = '${conversationId}'`);
      assert.equal((await shown(conversationId, userId)).length, 1);
    });

    test("does not take examples sent by a client for a conversation to continue", async () => {
      const userId = randomUUID();
      const examples = ["u: 1+1", "a: 2", "u: 2+2"];
      const first = await run(examples, "4", { userId });
      assert.notEqual(await run(["u: 1+1", "a: 2", "u: 3+3"], "6", { userId }), first);
    });

    test("moves the rows of the old service into the tree when their conversation continues", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      await sql(
        `insert into conversations (id, title, user_id) values ('${conversationId}', 'Old', '${userId}')`,
        `insert into messages (conversation_id, role, content, metadata, created_at) values
          ('${conversationId}', 'user', ' See ', '{"images_count": 1}', now() - interval '4 minutes'),
          ('${conversationId}', 'assistant', '- p\n**---RESPONSE---**\nSeen', '{}', now() - interval '3 minutes'),
          ('${conversationId}', 'user', null, null, now() - interval '2 minutes')`,
        `update messages set user_id = '${userId}' where conversation_id = '${conversationId}'`,
      );
      const asked: Line = { role: "user", text: "See", images: [image] };
      await run([asked, "a: Seen", "u: Next"], "Done", { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), [
        "u:  See ",
        "a: - p\n**---RESPONSE---**\nSeen",
        "u: Next",
        "a: Done",
      ]);
      const rows = await sql(
        `select count(*)::int as count from messages where conversation_id = '${conversationId}'`,
      );
      assert.deepEqual(rows, [{ count: 5 }]);
    });

    test("does not bring a deleted conversation back with a late write, but does with a new one", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const turn = makeTurn(["u: Hi"], { userId, conversationId, startedAt: new Date(Date.now() - 60_000) });
      await writes.begin(turn);
      await sql(`delete from conversations where id = '${conversationId}'`);
      assert.deepEqual(await endTurn(writes, turn, makeResult("Hello")), { type: "gone" });
      assert.deepEqual(await writes.begin(turn), { type: "deleted" });
      assert.deepEqual(await readConversations(database, userId), []);
      await run(["u: Hi again"], "Hello again", { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), ["u: Hi again", "a: Hello again"]);
    });

    test("keeps the order of messages when the clock is set back", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      await run(["u: one"], "1", { userId, conversationId });
      await sql(
        `update messages set created_at = created_at + interval '1 hour' where conversation_id = '${conversationId}'`,
      );
      await run(["u: one", "a: 1", "u: two"], "2", { userId, conversationId });
      assert.deepEqual(await shown(conversationId, userId), ["u: one", "a: 1", "u: two", "a: 2"]);
    });

    test("shows a user no other user's rows: inside the functions row level security applies, and ends with the call", async () => {
      const [mine, other] = [randomUUID(), randomUUID()];
      const conversationId = await run(["u: secret"], "kept", { userId: mine });
      for (let time = 0; time < 20; time += 1) {
        assert.deepEqual(await readMessages(database, conversationId, other), []);
        assert.deepEqual(await readConversations(database, other), []);
        assert.equal((await readMessages(database, conversationId, mine)).length, 2);
        await run(["u: in between"], "written as the service", {});
      }
      const nobody = await database.call("chat_list_messages", { conversation_id: conversationId }, service);
      assert.deepEqual(nobody, []);
    });

    test("gives up on a call after 5 s, and serves the next", async () => {
      const clock = new ManualClock();
      await database.close();
      const slow = await harness.open(clock);
      // On a busy machine a result may be there before the deadline is noticed: it is taken.
      let late: unknown;
      for (let attempt = 0; late === undefined && attempt < 50; attempt += 1) {
        const call = slow.call("chat_describe_schema", {}, service);
        await clock.timer(5_000);
        clock.advance(5_000);
        late = await call.then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      assert.equal(toAppError(late).code, "store_unavailable");
      await slow.call("chat_describe_schema", {}, service);
      await slow.close();
      database = await harness.open(systemClock);
      writes = new TurnWrites(database, systemClock);
    });

    test("reports a schema of another version", async () => {
      const turn = makeTurn(["u: Hi"]);
      const newer: Database = {
        call: (name, argument, caller) =>
          database.call(name, { ...argument, schema_version: schemaVersion + 1 }, caller),
        close: async () => {},
      };
      await assert.rejects(new TurnWrites(newer, systemClock).begin(turn), {
        code: "store_schema_mismatch",
      });
      await assert.rejects(newer.call("chat_list_conversations", { limit: 1 }, service), {
        code: "store_schema_mismatch",
      });
    });

    test("reports that a malformed argument will never be accepted", async () => {
      await assert.rejects(
        database.call("chat_list_messages", { conversation_id: "x" }, { ...service, userId: randomUUID() }),
        {
          code: "write_rejected",
        },
      );
    });
  });
}
