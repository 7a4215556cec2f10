/** Replies in the page while the database is away. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startPostgresSite } from "../faults/database-bench.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { ChatBrowser, until } from "./chat-browser.ts";

describe("a reply while the database is away", { timeout: 120_000 }, () => {
  const model = useModel();
  const site = useDatabase(startPostgresSite);
  const app = useApp(model, {}, { database: site });

  test("is shown as queued, also after a reload, and as stored once it is", async () => {
    const { proxy } = site.harness;
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    const next = model.nextCall();
    tab.ask("Question");
    const call = await next;
    call.text("- Think\n---RESPONSE---\nSo");
    await tab.shows("> Question", "running: So");
    proxy.refuse();
    proxy.cutAll();
    call.text(" be it.").finish();
    const storage = (one: typeof tab) => one.conversation.store.state.messages.at(-1)?.reply?.storage;
    await until(tab.conversation.store, () => storage(tab) === "queued");
    await tab.shows("> Question", "complete: So be it.");
    const later = browser.restart();
    const reloaded = await later.load(tab.conversation.id);
    await until(reloaded.conversation.store, () => storage(reloaded) === "queued");
    await reloaded.shows("> Question", "complete: So be it.");
    await later.clock.timer(5_000);
    proxy.pass();
    await app.logged(({ msg }) => msg === "queued write stored");
    later.clock.advance(5_000);
    await until(reloaded.conversation.store, () => storage(reloaded) === "stored");
    assert.deepEqual(later.memory.readTurns(tab.conversation.id), []);
  });
});
