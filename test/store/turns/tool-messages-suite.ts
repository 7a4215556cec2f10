/** How replies with tool calls are stored, found again when they are sent back, and continued. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { parseQueuedBegin, toQueuedBegin } from "../../../src/store/journal/entry.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import type { ToolPart } from "../../../src/turn/items/tool.ts";
import type { Continuation, TurnResult } from "../../../src/turn/ports.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { beginTurn, endTurn } from "../../support/databases/make-turn.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import {
  call,
  contentsOf,
  makeToolChat,
  reply,
  resultOf,
  source,
  type ToolChat,
} from "../../support/databases/tool-chats.ts";
import { useTurnWrites } from "../../support/databases/use-turn-writes.ts";
import { testAnsweredReplies } from "./answered-replies.ts";

const newest = (replyId?: string): Continuation => ({
  mode: "new",
  isAgain: true,
  replyId,
  mustExist: true,
  needsStore: true,
});

/** Runs the suite on the database that `start` starts. */
export function runToolMessagesSuite(databaseName: string, start: () => Promise<StoreHarness>): void {
  describe(`replies with tool calls on ${databaseName}`, () => {
    const server = useDatabase(start);
    const opened = useTurnWrites(server);

    const makeChat = (): ToolChat => makeToolChat(opened);

    testAnsweredReplies(opened);

    test("keeps calls and results in the reply's metadata, and finds it again when it is sent back", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      const [, stored] = await chat.shown();
      assert.deepEqual(stored?.metadata?.["tools"], [
        { callId: "call_a", name: "a", runsOn: "client", step: 0, at: 0, input: "{}" },
      ]);
      await chat.run(
        ["u: Hi", reply("Look", call("a", undefined, { callId: "x", input: "{ }" })), "u: So?"],
        reply("Yes"),
      );
      assert.deepEqual(contentsOf(await chat.all()), ["Hi", "Look", "So?", "Yes"]);
    });

    test("stores a history with other results, or with none, as a branch", async () => {
      const chat = makeChat();
      for (const output of ["rain", "sun", undefined, "rain"])
        await chat.run(["u: Hi", reply("Look", call("a", output)), "u: So?"], reply("Yes"));
      assert.deepEqual(contentsOf(await chat.all()), [
        "Hi",
        "Look",
        "So?",
        "Yes",
        "Look",
        "So?",
        "Yes",
        "Look",
        "So?",
        "Yes",
      ]);
      assert.deepEqual(await chat.texts(), ["Hi", "Look", "So?", "Yes"]);
    });

    test("finds a reply that a plain-text client sends back without its calls", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      await chat.run(["u: Hi", "a: Look", "u: So?"], reply("Yes"));
      await chat.run(["u: Hi", "a: Look", "u: So?"], reply("No"));
      assert.deepEqual(contentsOf(await chat.all()), ["Hi", "Look", "So?", "Yes", "No"]);
    });

    test("does not take a reply without calls for one that is sent back with calls", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look"));
      await chat.run(["u: Hi", reply("Look", call("a", "rain")), "u: So?"], reply("Yes"));
      assert.deepEqual(contentsOf(await chat.all()), ["Hi", "Look", "Look", "So?", "Yes"]);
    });

    test("finds a reply whose calls of our own tools are sent back changed, and keeps ours", async () => {
      const chat = makeChat();
      const ours = (output: string): ToolPart => call("web__find", output, { runsOn: "server" });
      await chat.run(["u: Hi"], reply("Look", ours("true")));
      await chat.run(["u: Hi", reply("Look", ours("forged")), "u: So?"], reply("Yes"));
      const rows = await chat.all();
      assert.deepEqual(contentsOf(rows), ["Hi", "Look", "So?", "Yes"]);
      assert.match(JSON.stringify(rows[1]?.metadata), /"true"/);
    });

    test("goes on with a reply: a row with the results is shown at once, and completed by the end", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      const turn = chat.toTurn(["u: Hi"], reply("Look", call("a", "rain")));
      await beginTurn(opened.writes, turn);
      const [, held] = await chat.shown();
      assert.deepEqual([held?.content, held?.status], ["Look", null]);
      assert.match(JSON.stringify(held?.metadata), /"output": ?"rain"/);

      await endTurn(opened.writes, turn, resultOf(turn, reply("Look\n\nWet.", call("a", "rain"))));
      assert.deepEqual(await chat.texts(), ["Hi", "Look\n\nWet."]);
      const [asked, earlier, whole] = await chat.all();
      assert.equal(earlier?.metadata.superseded_by, whole?.id);
      assert.deepEqual([earlier?.parent_id, whole?.parent_id], [asked?.id, asked?.id]);
      assert.equal(whole?.id, turn.turnId);
      assert.equal(whole?.metadata["reply_of"], undefined);

      await chat.run(["u: Hi", reply("Look\n\nWet.", call("a", "rain")), "u: So?"], reply("Yes"));
      assert.deepEqual(await chat.texts(), ["Hi", "Look\n\nWet.", "So?", "Yes"]);
      assert.equal((await chat.all()).length, 5);
    });

    test("goes on step by step, each row superseding the one before", async () => {
      const chat = makeChat();
      const [a, b] = [call("a", "1"), call("b", "2", { step: 1 })];
      await chat.run(["u: Hi"], reply("", call("a")));
      await chat.run(["u: Hi"], reply("", a, call("b", undefined, { step: 1 })), reply("", a));
      await chat.run(["u: Hi"], reply("Done", a, b), reply("", a, b));
      const rows = await chat.all();
      assert.deepEqual(contentsOf(rows), ["Hi", "", "", "Done"]);
      assert.deepEqual(
        rows.slice(1).map(({ metadata }) => metadata.superseded_by),
        [rows[2]?.id, rows[3]?.id, undefined],
      );
      assert.deepEqual(await chat.texts(), ["Hi", "Done"]);
    });

    test("keeps two continuations of a reply as two branches, also while both run", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      await chat.run(["u: Hi"], reply("Look\n\nWet.", call("a", "rain")), reply("Look", call("a", "rain")));
      await chat.run(["u: Hi"], reply("Look\n\nDry.", call("a", "sun")), reply("Look", call("a", "sun")));
      const both = [0, 1].map(() => chat.toTurn(["u: Hi"], reply("Look", call("a", "fog"))));
      for (const turn of both) await beginTurn(opened.writes, turn);
      for (const [index, turn] of both.entries())
        await endTurn(opened.writes, turn, resultOf(turn, reply(`Look\n\nGrey ${index}.`, call("a", "fog"))));
      assert.deepEqual(contentsOf(await chat.all()), [
        "Hi",
        "Look",
        "Look\n\nWet.",
        "Look\n\nDry.",
        "Look\n\nGrey 0.",
        "Look\n\nGrey 1.",
      ]);
      assert.deepEqual(await chat.texts(), ["Hi", "Look\n\nGrey 1."]);
      await chat.run(["u: Hi", reply("Look\n\nGrey 0.", call("a", "fog")), "u: So?"], reply("Yes"));
      assert.equal((await chat.all()).length, 8);
    });

    test("shows an attempt in the place of one beside it that ends without a word, whichever ends first", async () => {
      const extended = reply("Look", call("a", "rain"));
      const whole = reply("Look\n\nWet.", call("a", "rain"));
      for (const isLostFirst of [true, false]) {
        const chat = makeChat();
        const asking = await chat.run(["u: Hi"], reply("Look", call("a")));
        const [lost, retry] = [chat.toTurn(["u: Hi"], extended), chat.toTurn(["u: Hi"], extended)];
        for (const turn of [lost, retry]) await beginTurn(opened.writes, turn);
        assert.equal((await chat.shown()).at(-1)?.id, retry.turnId);
        const lose = async (): Promise<unknown> =>
          await endTurn(
            opened.writes,
            lost,
            resultOf(lost, whole, { outcome: "interrupted", reply: undefined }),
          );
        if (isLostFirst) await lose();
        await endTurn(opened.writes, retry, resultOf(retry, whole));
        if (!isLostFirst) await lose();
        assert.deepEqual(
          (await chat.all())
            .map(({ id, content, metadata }) => [id, content, metadata.superseded_by])
            .slice(1),
          [
            [asking.turnId, "Look", retry.turnId],
            [lost.turnId, "Look", retry.turnId],
            [retry.turnId, "Look\n\nWet.", undefined],
          ],
        );
        assert.deepEqual(await chat.texts(), ["Hi", "Look\n\nWet."]);
        const caller = { userId: chat.userId, accessToken: undefined };
        const read = await new TurnReads(opened.database).read(retry.turnId, caller, 0);
        assert.equal(read?.extendsReply?.id, asking.turnId);

        // Its owner was not dead, and had more to say.
        await endTurn(opened.writes, lost, resultOf(lost, reply("Look\n\nDry.", call("a", "rain"))));
        const late = (await chat.all()).find(({ content }) => content === "Look\n\nDry.");
        assert.deepEqual([late?.status, late?.metadata.superseded_by], ["complete", undefined]);
      }
    });

    test("keeps the results of a turn that ends without a word, and takes its row again for the next attempt", async () => {
      const chat = makeChat();
      const extended = reply("Look", call("a", "rain"));
      await chat.run(["u: Hi"], reply("Look", call("a")));
      for (const more of [{ outcome: "failed", reply: undefined } as const, {}]) {
        const turn = chat.toTurn(["u: Hi"], extended);
        await beginTurn(opened.writes, turn);
        await endTurn(opened.writes, turn, resultOf(turn, reply("Look\n\nWet.", call("a", "rain")), more));
      }
      assert.deepEqual(contentsOf(await chat.all()), ["Hi", "Look", "Look\n\nWet."]);
      const rows = await chat.shown();
      assert.equal(rows.at(-1)?.status, "complete");
      assert.match(JSON.stringify(rows.at(-1)?.metadata), /rain/);
    });

    test("keeps the earlier part of a reply whose process is gone, and takes the whole from its owner later", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look 🌧", call("a")));
      const turn = chat.toTurn(["u: Hi"], reply("Look 🌧", call("a", "rain")));
      await beginTurn(opened.writes, turn);
      const partly = (text: string): TurnResult => {
        const ours = call("web__find", "2", { runsOn: "server", at: 1 });
        const end = resultOf(turn, reply(text, ours), { outcome: "interrupted" });
        return { ...end, reply: end.reply && { ...end.reply, id: randomUUID(), isPart: true } };
      };
      for (const [part, answer] of [
        ["W", "W"],
        ["We", "We"],
      ] as const) {
        await endTurn(opened.writes, turn, { ...partly(part), toBody: () => ({ plan: "", answer }) });
        const [, row] = await chat.shown();
        assert.deepEqual([row?.content, row?.status], [`Look 🌧\n\n${part}`, "interrupted"]);
        const tools = z.array(z.looseObject({ at: z.number() })).parse(row?.metadata?.["tools"]);
        assert.deepEqual(
          tools.map(({ at }) => at),
          [0, 10],
        );
        assert.equal(row?.metadata?.["plan"], undefined);
      }
      await chat.run(["u: Hi", reply("Look 🌧\n\nWet", call("a", "rain")), "u: So?"], reply("Yes"));
      assert.deepEqual(await chat.texts(), ["Hi", "Look 🌧\n\nWe", "So?", "Yes"]);
      await endTurn(opened.writes, turn, resultOf(turn, reply("Look 🌧\n\nWet.", call("a", "rain"))));
      assert.deepEqual(
        contentsOf(await chat.all()).filter((content) => content === "Look 🌧\n\nWet.").length,
        1,
      );
    });

    test("finds the reply that a turn goes on with by its calls alone, if its text has changed", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Let me look", call("a")));
      await chat.run(["u: Hi"], reply("Wet.", call("a", "rain")), reply("", call("a", "rain")));
      const [, earlier, whole] = await chat.all();
      assert.equal(earlier?.metadata.superseded_by, whole?.id);
    });

    test("keeps our own calls, the plan and the sources of a reply that a turn goes on with", async () => {
      const chat = makeChat();
      const ours = call("web__find", "true", { runsOn: "server" });
      await chat.ask(reply("Look", ours, call("a")));
      const extended = reply("Look", call("web__find", "forged", { runsOn: "server" }), call("a", "rain"));
      const more = call("web__find", "more", { runsOn: "server", step: 1 });
      await chat.run(
        ["u: Hi"],
        { ...extended, text: "Look\n\nWet.", tools: [...(extended.tools ?? []), more] },
        extended,
      );
      const [, whole] = await chat.shown();
      const tools = z
        .array(z.object({ outcome: z.object({ output: z.string() }) }))
        .parse(whole?.metadata?.["tools"]);
      assert.deepEqual(
        tools.map(({ outcome }) => outcome.output),
        ["true", "rain", "more"],
      );
      assert.deepEqual([whole?.metadata?.["plan"], whole?.metadata?.["sources"]], ["- plan", [source]]);
    });

    test("goes on with the reply of a turn alone: the model gets the stored messages before it", async () => {
      const chat = makeChat();
      const first = await chat.run(["s: Be kind", "u: Hi"], reply("Look", call("a")));
      const extended = { ...reply("Look", call("a", "rain")), id: first.turnId };
      const turn = chat.toTurn([], extended, { continues: newest(first.turnId) });
      const begun = await opened.writes.begin(turn);
      assert.equal(begun.type, "saved");
      assert.deepEqual(
        begun.type === "saved" ? begun.history?.map(({ role, text }) => `${role}: ${text}`) : [],
        ["system: Be kind", "user: Hi"],
      );
      await endTurn(opened.writes, turn, resultOf(turn, reply("Look\n\nWet.", call("a", "rain"))));
      assert.deepEqual(await chat.texts(), ["Be kind", "Hi", "Look\n\nWet."]);
      assert.equal((await chat.all()).length, 4);
    });

    test("refuses a new message while a turn goes on with the shown reply, as while it answers", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      const turn = chat.toTurn(["u: Hi"], reply("Look", call("a", "rain")));
      await beginTurn(opened.writes, turn);
      const next = chat.toTurn(["u: So?"], undefined, { continues: { ...newest(), isAgain: false } });
      assert.deepEqual(await opened.writes.begin(next), { type: "running", turnIds: [turn.turnId] });
    });

    test("finds an unnamed conversation by the reply that a turn goes on with", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      const turn = chat.toTurn(["u: Hi"], reply("Look", call("a", "rain")), {
        conversationId: randomUUID(),
        isConversationNamed: false,
      });
      assert.equal(await beginTurn(opened.writes, turn), chat.conversationId);
    });

    test("repeats a begin without harm, and may come late from the journal, after the conversation went on", async () => {
      const chat = makeChat();
      await chat.run(["u: Hi"], reply("Look", call("a")));
      const turn = chat.toTurn(["u: Hi"], reply("Look", call("a", "rain")), {
        startedAt: new Date(Date.now() - 5_000),
      });
      await chat.run(["u: Hi", "a: Look", "u: Never mind"], reply("Fine"));
      const queued = parseQueuedBegin(toQueuedBegin(turn));
      for (const isLate of [true, true]) await opened.writes.begin(queued, isLate);
      await endTurn(opened.writes, turn, resultOf(turn, reply("Look\n\nWet.", call("a", "rain"))));
      assert.deepEqual(await chat.texts(), ["Hi", "Look", "Never mind", "Fine"]);
      assert.equal((await chat.all()).length, 5);
    });

    test("gives the model the calls of earlier replies, with the long outputs of our own tools cut", async () => {
      const chat = makeChat();
      const long = "x".repeat(5_000);
      const ours = call("web__find", undefined, {
        runsOn: "server",
        outcome: { status: "complete", output: { content: [{ type: "text", text: long }] } },
      });
      await chat.run(["u: Hi"], reply("Look", ours, call("a", long)));
      const reads = new TurnReads(opened.database);
      const from = { conversationId: chat.conversationId, parentId: "leaf" };
      const caller = { userId: chat.userId, accessToken: undefined };
      const path = await reads.readPath(from, caller, 100_000);
      assert.deepEqual(
        path?.messages[1]?.tools?.map(({ name, outcome }) => [name, outcome?.output]),
        [
          ["web__find", long.slice(0, 4_096)],
          ["a", long],
        ],
      );
      await chat.run(["u: Hi", reply("Look", ours, call("a", long)), "u: So?"], reply("Yes"));
      assert.deepEqual(
        (await reads.readPath(from, caller, 5_000))?.messages.map(({ text }) => text),
        ["So?", "Yes"],
      );
    });
  });
}
