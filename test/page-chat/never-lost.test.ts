/** What a user has written is never lost: it is sent, or back in the field, whatever happens to the page. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { ChatBrowser, until } from "./chat-browser.ts";

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describe("a question", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  /** A browser without a network, in which a question with a file has been asked. */
  async function askOffline() {
    const browser = new ChatBrowser(app);
    browser.isOffline = true;
    const tab = browser.open();
    tab.conversation.draft.add([new File([png], "cat.png", { type: "image/png" })]);
    tab.ask("Which animal?");
    await until(tab.network.store, (state) => state === "reconnecting");
    return { browser, tab, id: tab.conversation.id };
  }

  test("that did not leave before a reload is sent after it, with its files", async () => {
    const { browser, id } = await askOffline();
    model.say("- Look\n---RESPONSE---\nA cat.");
    const later = browser.restart();
    const tab = await later.load(id);
    await tab.shows("> Which animal? + cat.png", "complete: A cat.");
    const [image] = model.calls.at(-1)?.body.messages.slice(-1) ?? [];
    assert.match(JSON.stringify(image), /data:image\/png;base64,iVBORw0K/);
    await until(tab.conversation.store, () => later.memory.readTurns(id).length === 0);
    assert.equal(later.files.kept.size, 0);
    assert.equal(tab.draft, "");
  });

  test("that did not leave is sent by the next page, whatever that shows", async () => {
    const { browser, id } = await askOffline();
    const later = browser.restart();
    assert.deepEqual(later.memory.listUnsent(), [id]);
    const next = model.nextCall();
    await later.deliver(id);
    (await next).text("- Look\n---RESPONSE---\nA cat.").finish();
    assert.deepEqual(later.memory.listUnsent(), []);
    await (await later.load(id)).shows("> Which animal? + cat.png", "complete: A cat.");
  });

  test("whose files the browser has not kept goes back into the field", async () => {
    const { browser, id } = await askOffline();
    const later = browser.restart();
    later.files.kept.clear();
    const tab = await later.load(id);
    await until(tab.conversation.store, ({ problem }) => problem === "file_lost");
    assert.equal(tab.draft, "Which animal?");
    assert.equal(tab.conversation.isNew, true);
    assert.equal(later.memory.readDraft(undefined), "Which animal?");
  });

  test("that the server refuses goes back into the field with its files, also after a reload", async () => {
    const { browser, id } = await askOffline();
    const later = browser.restart();
    later.refuse = { "/stream-chat": [413, "storage_full"] };
    const tab = await later.load(id);
    await until(tab.conversation.store, ({ problem }) => problem === "storage_full");
    assert.deepEqual(tab.shown, []);
    assert.equal(tab.draft, "Which animal?");
    const last = later.restart();
    const { draft } = last.open().conversation;
    await until(draft.store, ({ isReading }) => !isReading);
    const { text, files } = draft.store.state;
    assert.deepEqual([text, ...files.map(({ file }) => file.name)], ["Which animal?", "cat.png"]);
  });

  test("is sent, as is another one that was asked in another tab of its conversation meanwhile", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    model.say("- Greet\n---RESPONSE---\nHello.");
    tab.ask("Hi");
    await tab.untilStored();
    const { id } = tab.conversation;
    const other = await browser.load(id);
    browser.isOffline = true;
    for (const one of [tab, other]) one.ask(one === tab ? "One?" : "Two?");
    for (const one of [tab, other]) await until(one.network.store, (state) => state === "reconnecting");
    model.inOrder(
      (call) => call.text("- First\n---RESPONSE---\nFirst.").finish(),
      (call) => call.text("- Second\n---RESPONSE---\nSecond.").finish(),
    );
    const later = browser.restart();
    assert.deepEqual(later.memory.listUnsent(), [id]);
    const calls = model.calls.length;
    await later.deliver(id);
    const last = await later.load(id);
    await until(last.conversation.store, () => later.memory.readTurns(id).length === 0);
    assert.equal(model.calls.length, calls + 2);
    assert.equal(last.conversation.store.state.messages.length, 4);
    const question = last.conversation.store.state.messages[2];
    assert.ok(question);
    assert.equal(last.conversation.branches(question).ids.length, 2);
    assert.deepEqual([last.draft, last.conversation.store.state.problem], ["", undefined]);
  });
});
