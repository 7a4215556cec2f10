/**
 * Checks that who follows another replica's turn is never left without a word, whatever the store's trouble.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { schemaVersion } from "../../src/store/database/database.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { loadSchemaOf } from "../support/databases/schema-versions.ts";
import { type ScriptedCall } from "../support/model/scripted-model.ts";
import { openTurn, readResponse, type AppResponse } from "../support/apps/start-app.ts";
import { useReplicas } from "../support/apps/use-app.ts";

/** The delays before the reads of another replica's turn, the last one again and again. */
const pollDelaysMs = Array.from({ length: 7 }, (_, count) => Math.min(2_000, 250 * 1.5 ** count));

describe(
  "a follower of another replica's turn, while the store refuses every call",
  { timeout: 120_000 },
  () => {
    const clock = new ManualClock();
    const { model, database, here: owner, there: other } = useReplicas({ there: clock });

    /** Starts a turn at its owner that has said `text`, and follows it elsewhere until that has come. */
    async function follow(
      text: string,
      accept: string,
    ): Promise<{ call: ScriptedCall; reply: Promise<AppResponse>; read: Promise<AppResponse> }> {
      const { call, opening } = await openTurn(owner, model, {});
      call.text(text);
      const response = await opening;
      const turnId = String(response.headers["x-turn-id"]);
      const reply = readResponse(response);
      for (;;) {
        const state = await other.get(`/turns/${turnId}`);
        if (state.status === 200 && state.body.includes("Think")) break;
      }
      const stream = await other.open("GET", `/turns/${turnId}/stream`, undefined, { accept });
      return { call, reply, read: readResponse(stream) };
    }

    /**
     * Lets `ms` pass where it is followed, one read after the other: none is late by the clock, however long
     * it takes.
     */
    async function pass(ms: number): Promise<void> {
      for (let passedMs = 0; passedMs < ms;) {
        const delayMs = await clock.timerThat((waitMs) => pollDelaysMs.includes(waitMs));
        await clock.pass(delayMs);
        passedMs += delayMs;
      }
    }

    test("gets the sign of life of its wire, and the whole reply once the store is back", async () => {
      const { call, reply, read } = await follow("- Think\n---RESPONSE---\nHel", "text/event-stream");
      await database.sql(await loadSchemaOf(schemaVersion + 1));
      await pass(50_000);
      await database.sql(await loadSchemaOf(schemaVersion, { isForced: true }));
      call.text("lo.").finish();
      assert.equal((await reply).isComplete, true);
      let whole: AppResponse | undefined;
      while (whole === undefined) whole = await Promise.race([read, pass(2_000).then(() => undefined)]);
      const { body, isComplete } = whole;
      assert.equal(isComplete, true);
      assert.ok((body.match(/^:/gm) ?? []).length >= 3, body);
      assert.match(body, /lo\.[^]*event: turn-end[^]*"outcome":"complete"/);
    });

    for (const [accept, sign] of [
      ["text/event-stream", /event: turn-error[^]*store_schema_mismatch[^]*event: turn-end/],
      ["text/plain", /\[error\] store_schema_mismatch: .*\n$/],
    ] as const)
      test(`is told the reason after a minute, as ${accept}`, async () => {
        const { call, reply, read } = await follow("- Think\n---RESPONSE---\nHel", accept);
        await database.sql(await loadSchemaOf(schemaVersion + 1));
        await Promise.race([read, pass(120_000)]);
        const { body } = await read;
        assert.match(body, sign);
        await database.sql(await loadSchemaOf(schemaVersion, { isForced: true }));
        call.text("lo.").finish();
        assert.equal((await reply).isComplete, true);
      });
  },
);
