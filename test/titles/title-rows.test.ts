/** Which of several first replies gives a conversation its title, on every database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Database } from "../../src/store/database/database.ts";
import { TurnWrites } from "../../src/store/turns/turn-writes.ts";
import { StoredTitles } from "../../src/titles/title-rows.ts";
import type { TurnBegin } from "../../src/turn/ports.ts";
import { useDatabase, useResource } from "../support/apps/use-app.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../support/databases/make-turn.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../support/databases/store-harness.ts";

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness])
  describe(`first replies on ${start.name}`, { timeout: 180_000 }, () => {
    const server = useDatabase(start);

    let database: Database;
    useResource(async (closing) => {
      database = await server.harness.open(systemClock);
      closing.defer(() => database.close());
    });

    test("of several that are stored before any has asked, the first alone may give the title", async () => {
      const writes = new TurnWrites(database, systemClock);
      const titles = new StoredTitles(database);
      const place = { userId: randomUUID(), conversationId: randomUUID() };
      const turns = ["u: One", "u: Two", "u: Three"].map((question, index) =>
        makeTurn([question], { ...place, startedAt: new Date(1_800_000_000_000 + index) }),
      );
      for (const turn of turns) await beginTurn(writes, turn);
      for (const turn of turns.toReversed()) await endTurn(writes, turn, makeResult("Sunny."));
      const replaces = ["One", "Two", "Three"];
      const toReply = ({ turnId, conversationId }: TurnBegin) => {
        return { turnId, conversationId, userId: place.userId, text: "", answer: "Sunny.", replaces };
      };
      const may = await Promise.all(turns.map(async (turn) => await titles.mayTitle(toReply(turn))));
      assert.deepEqual(may, [true, false, false]);
    });
  });
