/** Ends and waits of turns that have moved to another process, on every database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { service } from "../../../src/store/database/database.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import { toEndArgument, toPauseArgument, type PausedRow } from "../../../src/store/turns/turn-writes.ts";
import type { TurnBegin } from "../../../src/turn/ports.ts";
import type { SavedItem } from "../../../src/turn/turn-event.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { beginTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";
import { useTurnWrites } from "../../support/databases/use-turn-writes.ts";

const expiresAt = new Date(Date.now() + 3_600_000);

const items: readonly SavedItem[] = [
  {
    type: "tool-call",
    position: 4,
    ordinal: 1,
    callId: "1",
    name: "files__write",
    title: "Write",
    runsOn: "server",
    step: 0,
    input: "{}",
  },
  {
    type: "approval-request",
    position: 4,
    ordinal: 2,
    approvalId: "a",
    callId: "1",
    expiresAt: expiresAt.toISOString(),
  },
];

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness])
  describe(`a turn that moves to another process, on ${start.name}`, { timeout: 180_000 }, () => {
    const server = useDatabase(start);
    const [owner, other] = [randomUUID(), randomUUID()];
    const opened = useTurnWrites(server, owner);

    async function pause({ turnId }: TurnBegin, process: string): Promise<PausedRow> {
      const toBody = () => ({ plan: "Plan", answer: undefined });
      const paused = { toBody, items, state: {}, expiresAt, usage: undefined };
      return await opened.writes.pause(toPauseArgument(turnId, paused, [process], new Date()));
    }

    async function readStatus({ turnId, caller }: TurnBegin): Promise<string | undefined> {
      return (await new TurnReads(opened.database).read(turnId, caller, 0))?.status;
    }

    test("is not ended, and does not wait again, for the process in which it waited", async () => {
      const turn = makeTurn(["u: Hi"], { userId: randomUUID() });
      const conversationId = await beginTurn(opened.writes, turn);
      const { turnId, caller } = turn;
      assert.equal((await pause(turn, owner)).type, "ended");
      const answers = [{ approval_id: "a", is_approved: true }];
      const claim = {
        turn_id: turnId,
        user_id: caller.userId,
        answers,
        owner: other,
        claim: randomUUID(),
      };
      await opened.database.call("chat_answer_approvals", claim, service);
      const unchanged = { type: "ended", conversationId, isChanged: false };
      const stopped = makeResult("", { outcome: "stopped" });
      assert.deepEqual(await opened.writes.end(toEndArgument(turnId, stopped, [owner])), unchanged);
      assert.deepEqual(await pause(turn, owner), unchanged);
      assert.equal(await readStatus(turn), "running");
      const ended = await opened.writes.end(toEndArgument(turnId, makeResult("Done."), [other]));
      assert.deepEqual(ended, { ...unchanged, isChanged: true });
      assert.equal(await readStatus(turn), "complete");
    });

    for (const kind of ["end", "pause"] as const)
      test(`keeps the ${kind} from the journal of its process, which another process has adopted`, async () => {
        const turn = makeTurn(["u: Hi"], { userId: randomUUID() });
        assert.equal((await opened.writes.begin(turn, true, [other, owner])).type, "saved");
        const end = toEndArgument(turn.turnId, makeResult("Done."), [other]);
        const row = kind === "end" ? await opened.writes.end(end) : await pause(turn, other);
        assert.ok(row.type === "ended" && row.isChanged);
        assert.equal(await readStatus(turn), kind === "end" ? "complete" : "waiting");
      });
  });
