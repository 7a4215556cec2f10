/** Queued work for the database or the journal does not exist twice, as its turn's log and as JSON. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { randomUUID } from "node:crypto";
import type { JsonObject } from "../../../src/base/json.ts";
import { toArgumentText } from "../../../src/store/database/database.ts";
import { toEndArgument, TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { Journal } from "../../../src/store/journal/journal.ts";
import { systemClock } from "../../../src/base/clock.ts";
import type { Body } from "../../../src/turn/body.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { makeFolder } from "../../support/apps/start-app.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";

/** Counts pieces of work: their number, and the most at the same time. */
class Meter {
  readonly begun = new Set<string>();
  #done = 0;
  most = 0;

  begin(name: string): void {
    this.begun.add(name);
    this.most = Math.max(this.most, this.begun.size - this.#done);
  }

  end(): void {
    this.#done += 1;
  }
}

describe("queued work does not exist twice", { timeout: 120_000 }, () => {
  for (const [name, start] of Object.entries({
    PGlite: startPglite,
    Postgres: startPostgresHarness,
    PostgREST: startSupabaseHarness,
  })) {
    test(`of 100 replies that end at once, only those that ${name} is about to accept become JSON`, async (context) => {
      const harness = await start();
      context.after(() => harness.stop());
      const database = await harness.open(systemClock);
      const writes = new TurnWrites(database, systemClock);
      const turns = Array.from({ length: 100 }, (_, index) => makeTurn([`u: Question ${index}`]));
      for (const turn of turns) await beginTurn(writes, turn);
      const meter = new Meter();
      const ended = await Promise.all(
        turns.map(async (turn) => {
          const toBody = (): Body => {
            meter.begin(turn.turnId);
            return { plan: "- plan", answer: `Answer ${turn.turnId}` };
          };
          const row = await endTurn(writes, turn, makeResult(`Answer ${turn.turnId}`, { toBody }));
          meter.end();
          return row;
        }),
      );
      await database.close();
      assert.ok(ended.every((row) => row.type === "ended" && row.isChanged));
      assert.equal(meter.begun.size, turns.length);
      assert.ok(meter.most <= 40, `${meter.most} at a time`);
    });
  }

  test("of 50 writes of 1 MiB that are journaled at once, only a few at a time become JSON", async (context) => {
    const folder = await makeFolder();
    context.after(() => folder.remove());
    const journal = await Journal.open(folder.path, 256 * 1024 * 1024);
    context.after(() => journal.close());
    const text = "x".repeat(1024 * 1024);
    const meter = new Meter();
    const writes = Array.from({ length: 50 }, () => randomUUID()).map(async (turnId) => {
      const toArgument = (): string => {
        meter.begin(turnId);
        return JSON.stringify(turnId + text);
      };
      await journal.append({ kind: "end", turnId, conversationId: turnId, userId: undefined, toArgument });
      meter.end();
    });
    await Promise.all(writes);
    assert.deepEqual(
      Array.from(journal.queue.values(), ({ turnId }) => turnId),
      [...meter.begun],
    );
    assert.equal(meter.begun.size, writes.length);
    assert.ok(meter.most <= 10, `${meter.most} at a time`);
  });

  test("the end of a long reply, made in parts, is read from the journal as it was", async (context) => {
    const folder = await makeFolder();
    context.after(() => folder.remove());
    const journal = await Journal.open(folder.path, 64 * 1024 * 1024);
    context.after(() => journal.close());
    const turnId = randomUUID();
    const argument = toEndArgument(turnId, makeResult('naïve "流" \u{1F600}\n'.repeat(100_000)));
    const text = toArgumentText(argument);
    assert.notEqual(typeof text, "string");
    const write = { kind: "end", turnId, conversationId: turnId, userId: undefined } as const;
    const { id } = await journal.append({ ...write, toArgument: () => text });
    assert.equal(await journal.read(id), JSON.stringify(argument));
  });

  for (const [place, toArgument] of Object.entries<(text: string) => JsonObject>({
    "the answer of a turn": (text) => ({ turn: { answer: text } }),
    "the reply that a turn goes on with": (text) => ({ turn: { answer: "ok" }, reply: { content: text } }),
    "the plan of a reply": (text) => ({ reply: { metadata: { plan: text } } }),
    "the text of a turn that waits": (text) => ({ text }),
    "the text of an item": (text) => ({ items: [{ data: { text } }] }),
    "a message of a path": (text) => ({ path: [{ content: "short" }, { content: text }] }),
  })) {
    test(`an argument becomes JSON in parts if ${place} is long`, () => {
      assert.equal(typeof toArgumentText(toArgument("x".repeat(2 * 1024 * 1024))), "object");
      assert.equal(typeof toArgumentText(toArgument("x".repeat(1024))), "string");
    });
  }
});
