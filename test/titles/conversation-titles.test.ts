/** Titles by a model while their server stops. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversationTitles } from "../../src/titles/conversation-titles.ts";
import { DemoModel } from "../../src/model/demo-model.ts";
import { BackgroundCounter } from "../../src/turn/background/background-usage.ts";
import { ManualClock } from "../support/manual-clock.ts";

test(
  "a server that stops before the database has answered asks no model for a title",
  { timeout: 10_000 },
  async () => {
    const clock = new ManualClock();
    const allowed = Promise.withResolvers<boolean>();
    const counter = new BackgroundCounter({ countBackground: undefined, pricing: undefined, clock });
    const rows = { mayTitle: async () => await allowed.promise, save: async () => true };
    const titles = new ConversationTitles({
      model: new DemoModel(clock),
      rows,
      counter,
      clock,
      observe: () => {},
    });
    const place = { turnId: "turn", conversationId: "conversation", userId: undefined };
    const made = titles.make({ ...place, text: "Weather?", answer: "Sunny.", replaces: ["Weather?"] });
    const closed = titles.close(0);
    allowed.resolve(true);
    await closed;
    assert.equal(await made, undefined);
  },
);
