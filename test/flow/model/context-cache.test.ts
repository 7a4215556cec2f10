/** A long conversation in a small window: no turn fails, and most input tokens come from a cache. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { startPglite } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { longChats } from "../../support/model/long-chats.ts";
import { pickCount } from "../../support/process/thoroughness.ts";
import { findSentSummary, SummaryScript } from "../../support/model/summary-script.ts";
import { WindowServer } from "../../support/model/window-server.ts";

/** A window of about 30 turns: a short form of `npm run bench:context`. */
const turns = pickCount(60, 120);
const windowTokens = 4_000;
/** Enough for several summaries. */
const summarisedTurns = 120;

describe(`a conversation of ${turns} turns in a window of 30`, { timeout: 240_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPglite);
  const app = useApp(model, {}, { database: harness });
  let server = new WindowServer(model, { windowTokens });
  beforeEach(() => {
    server = new WindowServer(model, { windowTokens });
  });

  for (const [name, chat] of longChats)
    test(`fails in no turn, and is cached for the most part: ${name}`, async () => {
      const ask = chat(app, randomUUID());
      for (let turn = 0; turn < turns; turn += 1) await ask(turn);
      assert.equal(server.accepted.length, turns);
      assert.ok(server.refusals <= 1, `${server.refusals} refusals`);
      const share = server.cachedShare(turns / 2);
      assert.ok(share >= 0.8, `${(share * 100).toFixed(1)} % cached`);
      const late = server.accepted.slice(turns / 2).map(({ inputTokens }) => inputTokens);
      assert.ok(Math.min(...late) > windowTokens * 0.35, "the window is used");
    });
});

describe(`a conversation of ${summarisedTurns} turns whose start is summarised`, { timeout: 240_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPglite);
  const app = useApp(model, { CONTEXT_SUMMARY: "true" }, { database: harness });

  for (const [name, chat] of longChats)
    test(`is cached for the most part, although each cut has a new summary: ${name}`, async () => {
      const server = new WindowServer(model, { windowTokens });
      const summaries = new SummaryScript(model);
      const ask = chat(app, randomUUID());
      for (let turn = 0; turn < summarisedTurns; turn += 1) await ask(turn);
      assert.equal(server.accepted.length, summarisedTurns);
      // The second conversation finds the summaries of the first one, whose path is the same.
      const sent = summaries.replies.map(findSentSummary).filter((text) => text !== undefined);
      assert.ok(new Set(sent).size >= 2 && findSentSummary(summaries.newest) !== undefined);
      const share = server.cachedShare(summarisedTurns / 2);
      assert.ok(share >= 0.75, `${(share * 100).toFixed(1)} % cached`);
    });
});
