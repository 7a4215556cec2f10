/** The embedded database stores turns together that begin or end at the same time. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { service } from "../../../src/store/database/database.ts";
import { CallQueue } from "../../../src/store/database/pglite/call-queue.ts";
import type { WorkerCalls } from "../../../src/store/database/pglite/worker-messages.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { startPglite } from "../../support/databases/store-harness.ts";

describe("turns that begin at the same time on the embedded database", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(async () => {
    const harness = await startPglite();
    const created = await harness.open(systemClock);
    await created.close();
    await harness.sql(
      "alter table public.messages add constraint refused check (content <> 'Refuse me') not valid",
    );
    return harness;
  });
  const app = useApp(model, {}, { database });

  test("are stored once each and in full, and a refused write spoils no other", async () => {
    const texts = Array.from({ length: 60 }, (_, place) => (place % 20 === 7 ? "Refuse me" : `Hi ${place}`));
    const chats = texts.map((text) => ({ text, userId: randomUUID() }));
    const answers = await Promise.all(
      chats.map(async ({ text, userId }) => await app.chat(text, { userId })),
    );
    assert.ok(answers.every(({ status, isComplete }) => status === 200 && isComplete));
    for (const { text, userId } of chats) {
      const list = await app.get(`/conversations?userId=${userId}`);
      assert.equal(list.body.split(`"${text}"`).length - 1, text === "Refuse me" ? 0 : 1, list.body);
    }
    const readiness = await app.get("/readyz");
    assert.match(readiness.body, /"rejected":6/, "the begin and the end of each of three turns");
  });
});

describe("calls of the embedded database", () => {
  test("are sent in their order: begins and ends that wait as one list of at most 12, all others alone", async () => {
    const sent: WorkerCalls[] = [];
    const queue = new CallQueue((request) => void sent.push(request));
    const results: Promise<string>[] = [];
    const add = (name: "chat_begin_turn" | "chat_end_turn" | "chat_read_turn", size = 10): void => {
      results.push(queue.add(name, () => JSON.stringify("x".repeat(size))).result);
    };
    add("chat_read_turn");
    add("chat_begin_turn");
    assert.deepEqual(queue.state, { max: 2, available: 0, waiting: 0 });
    for (let count = 0; count < 40; count += 1) add(count % 2 === 0 ? "chat_begin_turn" : "chat_end_turn");
    add("chat_read_turn");
    add("chat_end_turn", 300_000);
    add("chat_end_turn");
    const abandoned = queue.add("chat_end_turn", () => "{}");
    abandoned.abandon();
    for (let place = 0; place < sent.length; place += 1) {
      const { id, calls } = sent[place] ?? { id: 0, calls: [] };
      queue.settle(
        id,
        calls.map(({ name }, index) => (index === 11 ? { code: "23514", message: name } : { result: name })),
      );
    }
    assert.deepEqual(
      sent.map(({ calls }) => calls.length),
      [1, 1, 12, 12, 12, 4, 1, 1, 1],
    );
    const settled = await Promise.allSettled(results);
    assert.equal(settled.filter(({ status }) => status === "rejected").length, 3);
    assert.deepEqual(queue.state, { max: 2, available: 2, waiting: 0 });
  });

  test("that wait when it closes are refused, and those that its thread has are answered", async (context) => {
    const harness = await startPglite();
    context.after(() => harness.stop());
    const database = await harness.open(systemClock);
    await database.call("chat_list_conversations", { limit: 1 }, service);
    const calls = Array.from(
      { length: 200 },
      async () => await database.call("chat_list_conversations", { limit: 1 }, service),
    );
    const settling = Promise.allSettled(calls);
    await new Promise(setImmediate);
    await database.close();
    const settled = await settling;
    const refusals = settled
      .filter((outcome) => outcome.status === "rejected")
      .map(({ reason }) => String(reason));
    assert.ok(refusals.length > 0);
    for (const refusal of refusals) assert.match(refusal, /the embedded database is closed/);
  });
});
