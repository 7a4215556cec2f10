/** Replies in the page whose server is killed, and starts again. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Replica } from "../support/apps/replica.ts";
import { toVariables, useModel, useResource } from "../support/apps/use-app.ts";
import { ChatBrowser, until } from "./chat-browser.ts";

describe("a reply whose server is killed", { timeout: 120_000 }, () => {
  const model = useModel();
  let replica: Replica;
  useResource(async (closing) => {
    replica = await Replica.start(toVariables(model, undefined, { CHAT_STORE_ENABLED: "true" }));
    closing.defer(async () => await replica.close());
  });

  test("is interrupted when the server is back, and does not keep its user from going on", async () => {
    const browser = new ChatBrowser({
      get url() {
        return replica.url;
      },
    });
    const tab = browser.open();
    const next = model.nextCall();
    tab.ask("Count");
    const call = await next;
    const text = "one two ".repeat(50);
    call.text(`- Count\n---RESPONSE---\n${text}`);
    await tab.shows("> Count", `running: ${text}`);
    await until(tab.conversation.store, ({ runningId }) => runningId !== undefined);
    replica.kill("SIGKILL");
    await browser.clock.timer(5_000);
    browser.clock.advance(5_000);
    await until(tab.network.store, (state) => state === "reconnecting");
    await tab.shows("> Count", `running: ${text}`);
    await replica.restart();
    await browser.clock.timer(5_000);
    browser.clock.advance(5_000);
    await until(tab.conversation.store, ({ runningId }) => runningId === undefined);
    const { reply } = tab.conversation.store.state.messages.at(-1) ?? {};
    assert.equal(reply?.status, "interrupted");
    assert.equal(tab.network.store.state, "online");
    model.say("- Go on\n---RESPONSE---\nthree.");
    tab.ask("Go on");
    await until(tab.conversation.store, ({ messages }) => messages.at(-1)?.reply?.answer === "three.");
    await tab.untilStored();
    const later = await browser.restart().load(tab.conversation.id);
    const questions = later.shown.filter((line) => !line.startsWith("interrupted: ")); // its text may be lost
    assert.deepEqual(questions, ["> Count", "> Go on", "complete: three."]);
  });
});
