/** Replies in the page while the database is away. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startPostgresSite } from "../faults/database-bench.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { ChatBrowser, until, type ChatTab } from "./chat-browser.ts";

describe("a reply while the database is away", { timeout: 120_000 }, () => {
  const model = useModel();
  const site = useDatabase(startPostgresSite);
  const app = useApp(model, {}, { database: site });

  /** Asks a question whose reply ends while the database is away. */
  async function askQueued(tab: ChatTab, ...before: readonly string[]): Promise<void> {
    const { proxy } = site.harness;
    app.logs.length = 0;
    const next = model.nextCall();
    tab.ask("Question");
    const call = await next;
    call.text("- Think\n---RESPONSE---\nSo");
    await tab.shows(...before, "> Question", "running: So");
    proxy.refuse();
    call.text(" be it.").finish();
    await until(tab.conversation.store, () => readStorage(tab) === "queued");
    await tab.shows(...before, "> Question", "complete: So be it.");
  }

  /** Brings the database back; resolves once it has the reply. */
  async function bringBack(): Promise<void> {
    site.harness.proxy.pass();
    await app.logged(({ msg }) => msg === "queued write stored");
  }

  test("is shown as queued, also after a reload, and as stored once it is", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await askQueued(tab);
    const later = browser.restart();
    const reloaded = await later.load(tab.conversation.id);
    await until(reloaded.conversation.store, () => readStorage(reloaded) === "queued");
    await reloaded.shows("> Question", "complete: So be it.");
    await later.clock.timer(5_000);
    await bringBack();
    later.clock.advance(5_000);
    await until(reloaded.conversation.store, () => readStorage(reloaded) === "stored");
    assert.deepEqual(later.memory.readTurns(tab.conversation.id), []);
  });

  test("is shown after a reload before the stored messages if these are slow to come, and once with them", async () => {
    model.say("- Greet\n---RESPONSE---\nHello.");
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    tab.ask("Hi");
    await tab.untilStored();
    await askQueued(tab, "> Hi", "complete: Hello.");
    const later = browser.restart();
    const { tab: reloaded, release } = await later.loadSlowly(tab.conversation.id);
    const { conversation } = reloaded;
    await reloaded.shows("> Question", "complete: So be it.");
    const [question, reply] = conversation.store.state.messages;
    assert.equal(reply?.reply?.storage, "queued");
    const seen: string[] = [];
    conversation.store.subscribe(() => {
      const { messages, phase } = conversation.store.state;
      const versions = messages.map((message) => conversation.branches(message).ids.length);
      const end = messages.slice(-2).map(({ key }) => key === question?.key || key === reply?.key);
      seen.push(JSON.stringify({ phase, versions: new Set(versions).size, end }));
    });
    await bringBack();
    release();
    await reloaded.shows("> Hi", "complete: Hello.", "> Question", "complete: So be it.");
    await until(conversation.store, ({ title }) => title === "Hi" && readStorage(reloaded) === "stored");
    assert.deepEqual(new Set(seen), new Set(['{"phase":"ready","versions":1,"end":[true,true]}']));
    await until(conversation.store, () => later.memory.readTurns(conversation.id).length === 0);
  });
});

/** Where the last reply of a tab is. */
function readStorage({ conversation }: ChatTab): string | null | undefined {
  return conversation.store.state.messages.at(-1)?.reply?.storage;
}
