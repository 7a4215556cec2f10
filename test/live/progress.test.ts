/**
 * Saving progress: one call per tick for all turns, each piece of text sent once, and the journal beside it.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { ManualClock } from "../support/manual-clock.ts";
import { ScriptedModel, type ScriptedCall } from "../support/model/scripted-model.ts";
import { openTurn, readResponse, startApp, type RunningApp } from "../support/apps/start-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";

const tickMs = 500;

describe("progress", { timeout: 60_000 }, () => {
  let harness: Awaited<ReturnType<typeof startPostgresHarness>>;
  let model: ScriptedModel;
  let clock: ManualClock;
  let app: RunningApp;
  before(async () => {
    [harness, model] = await Promise.all([startPostgresHarness(), ScriptedModel.start()]);
    // The server's calls are counted at the database.
    await harness.sql(
      "create table calls (id serial, argument jsonb)",
      "alter function public.chat_save_progress(jsonb) rename to real_save_progress",
      `create function public.chat_save_progress(argument jsonb) returns jsonb language plpgsql as $$
       begin insert into calls (argument) values (argument); return public.real_save_progress(argument); end $$`,
    );
    clock = new ManualClock();
    const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
    app = await startApp({ ...base, ...harness.variables }, clock);
  });
  after(async () => {
    await app.close();
    await model.close();
    await harness.stop();
  });

  /** Moves the clock by one tick; resolves with the calls so far, once they are there. */
  async function tick(count: number): Promise<{ running: number; text: string }[]> {
    clock.advance(tickMs);
    for (;;) {
      const rows = await harness.sql("select argument from calls order by id");
      if (rows.length < count) continue;
      await app.get("/readyz"); // by then the server has the result as well
      return rows.map(({ argument }) => {
        const { running, pieces }: { running: string[]; pieces: { text: string }[] } = JSON.parse(
          JSON.stringify(argument),
        );
        return { running: running.length, text: pieces.map(({ text }) => text).join(" | ") };
      });
    }
  }

  test("of all turns is saved in one call per tick, which holds only new text", async () => {
    const userId = randomUUID();
    const calls: ScriptedCall[] = [];
    const answers = [];
    for (const word of ["one", "two", "three"]) {
      const { call, opening } = await openTurn(app, model, { userId });
      call.text(`- p\n---RESPONSE---\n${word}`);
      answers.push(readResponse(await opening));
      calls.push(call);
    }
    const body = (word: string): string => `- p\n---RESPONSE---\n${word}`;
    const saved = [{ running: 3, text: [body("one"), body("two"), body("three")].join(" | ") }];
    assert.deepEqual(await tick(1), saved);
    saved.push({ running: 3, text: "" });
    assert.deepEqual(await tick(2), saved);
    const turns = await harness.sql("select text from turn_pieces order by text");
    assert.equal(turns.length, 3);
    for (const call of calls) call.finish();
    await Promise.all(answers);
    assert.deepEqual(await harness.sql("select * from turn_pieces"), []);
  });
});
