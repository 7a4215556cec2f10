/** The parts of a request that its wire repeats are kept with the turn, on every database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { DatabaseHealth } from "../../../src/store/database/database-health.ts";
import { parseQueuedBegin, toQueuedBegin } from "../../../src/store/journal/entry.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import { toPauseArgument } from "../../../src/store/turns/turn-writes.ts";
import { StoredWaitingTurns } from "../../../src/store/turns/waiting-turns.ts";
import { maxRequestBytes, toStoredRequest } from "../../../src/turn/items/stored-request.ts";
import { beginTurn, makeTurn } from "../../support/databases/make-turn.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";
import { useWrites } from "../../support/databases/use-writes.ts";

const request = toStoredRequest({
  instructions: "Say \0 hi",
  metadata: { topic: "ä" },
  tools: [],
  user: undefined,
});

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness])
  describe(`the stored request of a turn, on ${start.name}`, { timeout: 180_000 }, () => {
    const store = useWrites(start);

    test("is read with the turn, and is absent for turns without one", async () => {
      for (const own of [request, undefined]) {
        const turn = makeTurn(["u: Hi"], { userId: randomUUID(), ...(own && { request: own }) });
        await beginTurn(store.writes, turn);
        const read = await new TurnReads(store.database).read(turn.turnId, turn.caller, 0);
        assert.deepEqual(read?.request, own);
      }
    });

    test("outlives a begin that waits in the journal, and the wait for its user", async () => {
      const turn = makeTurn(["u: Hi"], { userId: randomUUID(), request });
      const { turnId, caller } = turn;
      assert.equal((await store.writes.begin(parseQueuedBegin(toQueuedBegin(turn)), true)).type, "saved");
      const toBody = () => ({ plan: "", answer: undefined });
      const expiresAt = new Date(0);
      const paused = { toBody, items: [], state: {}, expiresAt, usage: undefined };
      await store.writes.pause(toPauseArgument(turnId, paused, undefined, new Date()));
      const health = new DatabaseHealth(store.database, systemClock);
      const waiting = new StoredWaitingTurns({ database: health, journal: undefined });
      assert.deepEqual((await waiting.claim(turnId, "expired"))?.request, request);
      assert.deepEqual((await new TurnReads(store.database).read(turnId, caller, 0))?.request, request);
    });
  });

describe("a request to be stored", () => {
  test("is refused by the name of its largest field if it is over 64 KiB of JSON", () => {
    const fits = { instructions: "x".repeat(maxRequestBytes - 19) };
    assert.equal(JSON.stringify(toStoredRequest(fits)).length, maxRequestBytes);
    const tools = [{ name: "x".repeat(maxRequestBytes / 2) }];
    for (const large of [
      { instructions: `${fits.instructions}x` },
      { instructions: "ä".repeat(maxRequestBytes / 2) },
      { instructions: "x".repeat(maxRequestBytes / 2 + 100), tools },
    ])
      assert.throws(() => toStoredRequest(large), { code: "invalid_request", field: "instructions" });
  });

  test("is refused by the name of a field that is nested too deep for a database", () => {
    const deep = JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`);
    assert.throws(() => toStoredRequest({ text: deep }), { code: "invalid_request", field: "text" });
  });

  test("is stored without NUL and half surrogate pairs", () => {
    const odd = { "a\0": "b\0", list: ["\ud800"] };
    assert.deepEqual(toStoredRequest(odd), { "a\ufffd": "b\ufffd", list: ["\ufffd"] });
  });
});
