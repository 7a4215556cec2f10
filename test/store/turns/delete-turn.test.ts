/** A turn that its user deletes takes along the rows that nothing else needs, on every database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { service } from "../../../src/store/database/database.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import { toEndArgument } from "../../../src/store/turns/turn-writes.ts";
import type { TurnBegin } from "../../../src/turn/ports.ts";
import { beginTurn, endTurn, makeResult, makeTurn, type Line } from "../../support/databases/make-turn.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";
import { useWrites } from "../../support/databases/use-writes.ts";

const Missing = z.object({ missing: z.literal(true) });
const Conversation = z.object({ leaf_id: z.string().nullable() });
const Messages = z.array(z.object({ id: z.string(), content: z.string() }));

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness])
  describe(`a deleted turn on ${start.name}`, { timeout: 180_000 }, () => {
    const store = useWrites(start, { owner: randomUUID() });

    async function run(
      answer: string,
      lines: readonly Line[],
      more: Parameters<typeof makeTurn>[1],
    ): Promise<TurnBegin> {
      const turn = makeTurn(lines, more);
      await beginTurn(store.writes, turn);
      const { reply, ...result } = makeResult(answer);
      await endTurn(store.writes, turn, { ...result, reply: reply && { ...reply, id: turn.turnId } });
      return turn;
    }

    function makePlace(): { readonly userId: string; readonly conversationId: string } {
      return { userId: randomUUID(), conversationId: randomUUID() };
    }

    async function remove({ turnId, caller }: TurnBegin, userId = caller.userId): Promise<unknown> {
      return await store.database.call("chat_delete_turn", { turn_id: turnId }, { ...service, userId });
    }

    /** Returns the texts of all messages in a conversation, the last one of the shown path in brackets. */
    async function list({ conversationId, userId }: ReturnType<typeof makePlace>): Promise<string> {
      const conversation = { conversation_id: conversationId };
      const caller = { ...service, userId };
      const found = await store.database.call("chat_get_conversation", conversation, caller);
      if (Missing.safeParse(found).success) return "gone";
      const { leaf_id: leafId } = Conversation.parse(found);
      const argument = { ...conversation, is_tree: true, after: null };
      const messages = Messages.parse(await store.database.call("chat_list_messages", argument, caller));
      return messages.map(({ id, content }) => (id === leafId ? `[${content}]` : content)).join(" ");
    }

    async function exists({ turnId, caller }: TurnBegin): Promise<boolean> {
      return (await new TurnReads(store.database).read(turnId, caller, 0)) !== undefined;
    }

    test("takes its conversation along if that is left empty, and does not come back late", async () => {
      const place = makePlace();
      const turn = await run("A", ["u: Hi"], place);
      assert.deepEqual(await remove(turn), { deleted: true });
      assert.equal(await list(place), "gone");
      assert.equal((await store.writes.begin(turn, true)).type, "deleted");
      assert.equal((await store.writes.end(toEndArgument(turn.turnId, makeResult("A")))).type, "gone");
      assert.equal(await list(place), "gone");
      assert.deepEqual(await remove(turn), { missing: true });
    });

    test("does not come back in a conversation that goes on", async () => {
      const place = makePlace();
      const first = await run("A", ["u: Q1"], place);
      const second = await run("B", ["u: Q1", "a: A", "u: Q2"], place);
      assert.deepEqual(await remove(second), { deleted: true });
      assert.equal(await list(place), "Q1 [A]");
      assert.equal((await store.writes.begin(second, true)).type, "deleted");
      assert.equal(await list(place), "Q1 [A]");
      assert.deepEqual([await exists(first), await exists(second)], [true, false]);
    });

    test("leaves what a later turn continues", async () => {
      const place = makePlace();
      const first = await run("A", ["u: Q1"], place);
      const second = await run("B", ["u: Q1", "a: A", "u: Q2"], place);
      assert.deepEqual(await remove(first), { deleted: true });
      assert.equal(await list(place), "Q1 A Q2 [B]");
      assert.equal(await exists(first), false);
      await remove(second);
      assert.equal(await list(place), "Q1 [A]");
    });

    test("leaves its question with another reply, which is shown then", async () => {
      const place = makePlace();
      const one = await run("A", ["u: Q"], place);
      const other = await run("B", ["u: Q"], place);
      assert.equal(await list(place), "Q A [B]");
      assert.deepEqual(await remove(other), { deleted: true });
      assert.equal(await list(place), "Q [A]");
      assert.deepEqual(await remove(one), { deleted: true });
      assert.equal(await list(place), "gone");
    });

    test("ends nowhere if it was in progress", async () => {
      const place = makePlace();
      const turn = makeTurn(["s: Be brief", "u: Q"], place);
      await beginTurn(store.writes, turn);
      const piece = { turnId: turn.turnId, position: 0, text: "A", items: [] };
      await new TurnReads(store.database).saveProgress([], [turn.turnId], [piece]);
      assert.deepEqual(await remove(turn), { deleted: true });
      assert.equal((await endTurn(store.writes, turn, makeResult("A"))).type, "gone");
      assert.equal(await list(place), "gone");
    });

    test("leaves a conversation that its request has named, empty", async () => {
      const place = makePlace();
      const turn = await run("A", ["u: Q"], { ...place, request: { conversation: place.conversationId } });
      await remove(turn);
      assert.equal(await list(place), "");
    });

    test("is its user's own", async () => {
      const place = makePlace();
      const turn = await run("A", ["u: Q"], place);
      for (const userId of [randomUUID(), undefined]) {
        const argument = { turn_id: turn.turnId };
        assert.deepEqual(await store.database.call("chat_delete_turn", argument, { ...service, userId }), {
          missing: true,
        });
      }
      assert.equal(await list(place), "Q [A]");
    });
  });
