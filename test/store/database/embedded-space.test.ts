/** The files of the embedded database: they hold no space for rows that are gone. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { toPauseArgument, TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import type { Body } from "../../../src/turn/body.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { startPglite } from "../../support/databases/store-harness.ts";

describe("the embedded database", { timeout: 60_000 }, () => {
  const server = useDatabase(startPglite);

  test("keeps no space for turns that have waited for their user", async () => {
    const database = await server.harness.open(systemClock);
    const writes = new TurnWrites(database, systemClock, randomUUID());
    for (let count = 0; count < 30; count += 1) {
      const turn = makeTurn(["u: Hi"]);
      await beginTurn(writes, turn);
      const toBody = (): Body => ({ plan: "- Think", answer: "One." });
      const expiresAt = new Date(Date.now() + 3_600_000);
      const paused = { toBody, items: [], state: { step: 1 }, expiresAt, usage: undefined };
      await writes.pause(toPauseArgument(turn.turnId, paused, undefined, new Date()));
      await endTurn(writes, turn, makeResult("Done."));
    }
    await database.close();
    const sizes = ["turn_pieces", "turn_waits"].map(
      (table) => `pg_relation_size('${table}')::int as ${table}`,
    );
    const rows = await server.harness.sql(`select ${sizes.join()}`);
    assert.deepEqual(rows, [{ turn_pieces: 0, turn_waits: 0 }]);
  });
});
