/** No user fills the journal for others, neither with queued writes nor with quarantined ones. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { AppError } from "../../../src/base/errors.ts";
import type { JournalWrite } from "../../../src/store/journal/write.ts";
import { Journal } from "../../../src/store/journal/journal.ts";
import { makeFolder } from "../../support/apps/start-app.ts";

async function openJournal(context: TestContext): Promise<Journal> {
  const folder = await makeFolder();
  const journal = await Journal.open(folder.path, 1024 * 1024);
  context.after(async () => {
    await journal.close();
    await folder.remove();
  });
  return journal;
}

function makeWrite(more: Partial<JournalWrite>): JournalWrite {
  const ids = { turnId: randomUUID(), conversationId: randomUUID(), userId: randomUUID() };
  return { kind: "begin", ...ids, toArgument: () => "{}", ...more };
}

describe("a journal of many users", () => {
  test("keeps room for other users, however much one user queues, and for the ends of those whose begin it has", async (context) => {
    const journal = await openJournal(context);
    const toArgument = (): string => JSON.stringify("x".repeat(20_000));
    const fill = async (userId: string, kind: "begin" | "end"): Promise<number> => {
      for (let count = 0; ; count += 1) {
        const [added] = await Promise.allSettled([journal.append(makeWrite({ userId, kind, toArgument }))]);
        if (added.status === "fulfilled") continue;
        assert.match(String(added.reason), /^AppError: the journal in .*: it is full: /);
        return count;
      }
    };
    const users = Array.from({ length: 5 }, () => randomUUID());
    const counts: number[] = [];
    for (const user of users) counts.push(await fill(user, "begin"));
    assert.ok(
      counts.every((count) => count > 0),
      `each finds some room: ${counts.join(", ")}`,
    );
    assert.ok(Number(counts[0]) * 20_000 < 600_000, "one leaves almost half");
    assert.ok((await fill(String(users[0]), "end")) < 20, "ends leave room as well");
    assert.ok((await fill(randomUUID(), "end")) > 0);
  });

  test("keeps quarantined writes out of the room for queued ones, within a bound for each user", async (context) => {
    const journal = await openJournal(context);
    const toArgument = (): string => JSON.stringify("x".repeat(40_000));
    const [garbler, other] = [randomUUID(), randomUUID()];
    const early = await journal.append(makeWrite({ userId: other, toArgument }));
    await journal.quarantine(early.id, "no");
    for (let count = 0; count < 200; count += 1) {
      const { id } = await journal.append(makeWrite({ userId: garbler, toArgument }));
      await journal.quarantine(id, "no");
    }
    assert.equal(
      journal.quarantinedCount,
      1 + Math.floor(2 ** 18 / 40_002),
      "the newest of one user's, and the other's",
    );
    for (let count = 0; count < 8; count += 1) await journal.append(makeWrite({ toArgument }));
    assert.equal(journal.queue.size, 8);
  });

  test("refuses a write whose argument cannot be made, and no other", async (context) => {
    const journal = await openJournal(context);
    const unreadable = makeWrite({
      toArgument: () => {
        throw new AppError("store_unavailable", "unreadable");
      },
    });
    const writes = [makeWrite({}), unreadable, makeWrite({})];
    const outcomes = await Promise.allSettled(writes.map((write) => journal.append(write)));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    await assert.rejects(journal.append(unreadable), { code: "store_unavailable" });
    await journal.append(makeWrite({}));
    assert.equal(journal.queue.size, 3);
  });
});
