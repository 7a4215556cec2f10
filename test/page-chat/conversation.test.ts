/** A conversation in the page: its messages, its turn, and the tabs that show it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useTools } from "../flow/tools/use-tools.ts";
import { useApp, useModel, useResource } from "../support/apps/use-app.ts";
import { ChatBrowser, until, type ChatTab } from "./chat-browser.ts";

describe("Conversation", { timeout: 120_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  useResource(async () => {
    const tool = { description: "A tool", inputSchema: { type: "object" } };
    tools.server.pages = [
      [
        { ...tool, name: "look", title: "Look around" },
        { ...tool, name: "act" },
      ],
    ];
  });
  const app = useApp(model, () => ({ CHAT_STORE_ENABLED: "true", ...tools.variables }));

  /** Asks a question in a new conversation, and resolves once the reply is stored. */
  async function ask(tab: ChatTab, question: string, answer: string): Promise<void> {
    model.say(`- Think\n---RESPONSE---\n${answer}`);
    tab.ask(question);
    await tab.untilStored();
  }

  function readIds({ conversation }: ChatTab): readonly string[] {
    return conversation.store.state.messages.map(({ id }) => id);
  }

  test("regenerates a reply below the stored question, which a reload shows as well", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await ask(tab, "Question", "One.");
    const [questionId] = readIds(tab);
    model.say("- Think\n---RESPONSE---\nTwo.");
    const [question] = tab.conversation.store.state.messages;
    assert.ok(question);
    assert.equal(await tab.conversation.replyAgain(question), true);
    await tab.untilStored();
    await tab.shows("> Question", "complete: Two.");
    const later = await browser.restart().load(tab.conversation.id);
    await later.shows("> Question", "complete: Two.");
    const [stored, reply] = later.conversation.store.state.messages;
    assert.equal(stored?.id, questionId);
    assert.equal(reply && later.conversation.branches(reply).ids.length, 2);
  });

  test("asks with the knowledge base and the web search that its tab shows, whatever another tab chooses", async () => {
    const browser = new ChatBrowser(app);
    const [tab, other] = [browser.open(), browser.open()];
    const { memory } = other.conversation;
    memory.writeKnowledgeBase("Harbour");
    memory.writeWebSearch(true);
    await ask(tab, "Question", "One.");
    const { body } = browser.requests.find(({ method }) => method === "POST") ?? {};
    assert.match(body ?? "", /"text":"Question"/);
    assert.doesNotMatch(body ?? "", /knowledge_base|use_web_search/);
    const { knowledgeBase, webSearch } = browser.open().conversation.memory;
    assert.deepEqual([knowledgeBase.state, webSearch.state], ["Harbour", true], "a new tab begins with them");
  });

  test("has one reply to a question that was sent over a broken connection", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    browser.isOffline = true;
    tab.ask("Question");
    await until(tab.network.store, (state) => state === "reconnecting");
    tab.network.setOnline(false);
    browser.isOffline = false;
    model.say("- Think\n---RESPONSE---\nOne.");
    tab.network.setOnline(true);
    await tab.shows("> Question", "complete: One.");
    await tab.untilStored();
    const reply = tab.conversation.store.state.messages[1];
    assert.equal(reply && tab.conversation.branches(reply).ids.length, 1);
  });

  test("takes a question back that is stopped before it could leave", async () => {
    const browser = new ChatBrowser(app);
    browser.isOffline = true;
    const tab = browser.open();
    tab.ask("Question");
    await until(tab.network.store, (state) => state === "reconnecting");
    await tab.conversation.stop();
    await until(tab.conversation.store, ({ runningId }) => runningId === undefined);
    assert.deepEqual([tab.shown, tab.draft, tab.conversation.isNew], [[], "Question", true]);
    assert.equal(tab.conversation.store.state.problem, undefined);
  });

  test("sends a question once, however often that is asked for", async () => {
    const tab = new ChatBrowser(app).open();
    const calls = model.calls.length;
    model.say("- Think\n---RESPONSE---\nOne.");
    tab.ask("Question");
    void tab.conversation.sendDraft();
    void tab.conversation.sendDraft();
    await tab.untilStored();
    assert.equal(model.calls.length, calls + 1);
    assert.equal(tab.draft, "");
  });

  test("sends no draft of spaces, and one of a single character", async () => {
    const tab = new ChatBrowser(app).open();
    tab.ask(" \n\t ");
    assert.deepEqual([tab.shown, tab.draft], [[], " \n\t "]);
    await ask(tab, "?", "One.");
    await tab.shows("> ?", "complete: One.");
  });

  test("has a text that is larger than the server takes in the field again", async () => {
    const tab = new ChatBrowser(app).open();
    const text = "word ".repeat(420_000).trim();
    tab.ask(text);
    await until(tab.conversation.store, ({ problem }) => problem === "message_too_large");
    assert.deepEqual([tab.shown, tab.draft === text], [[], true]);
  });

  test("keeps an edited text that the server refuses as an edit, and the old question", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await ask(tab, "Question", "One.");
    const [question] = tab.conversation.store.state.messages;
    assert.ok(question);
    browser.refuse = { "/stream-chat": [429, "rate_limited"] };
    assert.equal(await tab.conversation.edit(question, "Better question"), false);
    await tab.shows("> Question", "complete: One.");
    assert.equal(tab.conversation.readEdit(question), "Better question");
    assert.equal(tab.draft, "");
  });

  test("follows the reply of another tab, and stops it", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await ask(tab, "Hi", "Hello.");
    const other = await browser.load(tab.conversation.id);
    await other.shows("> Hi", "complete: Hello.");
    const next = model.nextCall();
    tab.ask("More");
    const call = await next;
    call.text("- Go on\n---RESPONSE---\nYes");
    await other.shows("> Hi", "complete: Hello.", "> More", "running: Yes");
    await other.conversation.stop();
    for (const one of [tab, other]) await one.shows("> Hi", "complete: Hello.", "> More", "stopped: Yes");
  });

  test("does not make tabs read more and more of each other's turns", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await ask(tab, "Hi", "Hello.");
    const others = [await browser.load(tab.conversation.id), await browser.load(tab.conversation.id)];
    await Promise.all(others.map((other) => other.shows("> Hi", "complete: Hello.")));
    browser.requests.length = 0;
    model.say("- Think\n---RESPONSE---\nMore.");
    tab.ask("More");
    const all = ["> Hi", "complete: Hello.", "> More", "complete: More."];
    await Promise.all([tab, ...others].map((one) => one.shows(...all)));
    await tab.untilStored();
    assert.ok(browser.requests.length <= 20, JSON.stringify(browser.requests.map(({ path }) => path)));
  });

  test("asks for an approval, also after a reload, and goes on with the answer", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    model.inOrder(
      (call) => call.text("- Act\n---RESPONSE---\nSo. ").toolCall("w__act").finish("tool_calls"),
      (call) => call.text("Done.").finish(),
    );
    tab.ask("Act");
    await tab.shows("> Act", "waiting: So. ");
    const later = await browser.restart().load(tab.conversation.id);
    await later.shows("> Act", "waiting: So. ");
    const [call] = later.conversation.live.state?.tools ?? [];
    assert.equal(call?.status, "waiting");
    await later.conversation.approve(call?.approval?.approvalId ?? "", true);
    await later.untilStored();
    const { reply } = later.conversation.store.state.messages.at(-1) ?? {};
    assert.deepEqual([reply?.status, reply?.tools[0]?.status], ["complete", "complete"]);
    assert.match(reply?.answer ?? "", /^So\.\s+Done\.$/);
  });

  test("is the same after a reload: its tools with their titles, results and places, and its times", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    model.inOrder(
      (call) => call.text("- Look\n---RESPONSE---\nSo. ").toolCall("w__look").finish("tool_calls"),
      (call) => call.text("Done.").finish(),
    );
    tab.ask("Look");
    await tab.untilStored();
    const later = await browser.restart().load(tab.conversation.id);
    const [live, stored] = [tab, later].map((one) => one.conversation.store.state.messages.at(-1)?.reply);
    assert.equal(live?.tools[0]?.title, "Look around");
    assert.ok(live.firstTextMs !== null && live.durationMs !== null);
    const toShown = ({ tools: calls, usage, ...reply }: typeof live) => ({
      ...reply,
      answer: reply.answer?.trim(),
      tokens: [usage?.inputTokens, usage?.outputTokens],
      calls: calls.map(({ callId, name, title, ...call }) => [
        callId,
        name,
        title,
        call.input,
        call.status,
        call.output,
        call.at,
      ]),
    });
    assert.deepEqual(stored && toShown(stored), toShown(live));
  });

  for (const [name, end, line] of [
    ["complete", "stop", "complete: One."],
    ["cut off at its longest", "length", "complete: One."],
    ["filtered", "content_filter", "complete: One."],
  ] as const)
    test(`shows how a reply ended, also after a reload: ${name}`, async () => {
      const browser = new ChatBrowser(app);
      const tab = browser.open();
      model.script = (call) => call.text("- Think\n---RESPONSE---\nOne.").finish(end);
      tab.ask("Question");
      await tab.untilStored();
      const later = await browser.restart().load(tab.conversation.id);
      for (const one of [tab, later]) {
        await one.shows("> Question", line);
        const { reply } = one.conversation.store.state.messages.at(-1) ?? {};
        assert.equal(reply?.finishReason, end.replace("_", "-"));
      }
    });

  for (const [name, script, code] of [
    ["an empty reply", (call) => call.finish(), "empty_reply"],
    ["a model that breaks off", (call) => call.text("- T\n---RESPONSE---\nSo").end(), "model_truncated"],
    ["a plan alone", (call) => call.text("- T\n---RESPONSE---\n").finish(), "empty_answer"],
  ] as const satisfies readonly (readonly [string, typeof model.script, string])[])
    test(`tells why a reply failed, also after a reload: ${name}`, async () => {
      const browser = new ChatBrowser(app);
      const tab = browser.open();
      model.script = script;
      tab.ask("Question");
      await tab.untilFailed(code);
      const later = await browser.restart().load(tab.conversation.id);
      await later.untilFailed(code);
    });

  test("that could not be loaded is loaded as soon as the server can be reached, and shows what it missed", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await ask(tab, "Hi", "Hello.");
    const { id } = tab.conversation;
    const away = browser.restart();
    away.isOffline = true;
    const later = await away.load(id);
    assert.equal(later.conversation.store.state.phase, "failed");
    away.isOffline = false;
    const timer = away.clock.timer(5_000);
    await timer;
    away.clock.advance(5_000);
    await later.shows("> Hi", "complete: Hello.");
    assert.equal(later.conversation.store.state.problem, undefined);
    away.isOffline = true;
    await later.conversation.refresh();
    later.network.setOnline(false);
    away.isOffline = false;
    const elsewhere = await new ChatBrowser(app, away).load(id);
    await ask(elsewhere, "More", "Yes.");
    later.network.setOnline(true);
    await later.shows("> Hi", "complete: Hello.", "> More", "complete: Yes.");
  });

  test("in progress is shown after a reload before its stored messages if these are slow, and goes on with them", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    await ask(tab, "Hi", "Hello.");
    const next = model.nextCall();
    tab.ask("More");
    const call = await next;
    call.text("- Count\n---RESPONSE---\nOne");
    await tab.shows("> Hi", "complete: Hello.", "> More", "running: One");
    const later = browser.restart();
    const { tab: reloaded, release } = await later.loadSlowly(tab.conversation.id);
    await reloaded.shows("> More", "running: One");
    release();
    await reloaded.shows("> Hi", "complete: Hello.", "> More", "running: One");
    const { messages } = reloaded.conversation.store.state;
    assert.deepEqual(
      messages.map((message) => reloaded.conversation.branches(message).ids.length),
      [1, 1, 1, 1],
    );
    call.text(" two.").finish();
    await reloaded.untilStored();
    await reloaded.shows("> Hi", "complete: Hello.", "> More", "complete: One two.");
    assert.deepEqual(later.memory.readTurns(tab.conversation.id), []);
  });

  test("shows a call that was not allowed as denied, and the reply after it", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    model.inOrder(
      (call) => call.text("- Act\n---RESPONSE---\nSo. ").toolCall("w__act").finish("tool_calls"),
      (call) => call.text("Not done.").finish(),
    );
    tab.ask("Act");
    await tab.shows("> Act", "waiting: So. ");
    const [call] = tab.conversation.live.state?.tools ?? [];
    await tab.conversation.approve(call?.approval?.approvalId ?? "", false, "Too dangerous");
    await tab.untilStored();
    const later = await browser.restart().load(tab.conversation.id);
    for (const one of [tab, later]) {
      const { reply } = one.conversation.store.state.messages.at(-1) ?? {};
      assert.deepEqual([reply?.status, reply?.tools[0]?.status], ["complete", "denied"]);
      assert.match(reply?.answer ?? "", /Not done\.$/);
    }
  });

  test("has a file in the field again that is not what its name says", async () => {
    const tab = new ChatBrowser(app).open();
    tab.conversation.draft.add([new File(["no picture"], "cat.png", { type: "image/png" })]);
    tab.ask("Which animal?");
    await until(tab.conversation.store, ({ problem }) => problem !== undefined);
    assert.equal(tab.conversation.store.state.problem, "invalid_request");
    assert.deepEqual([tab.draft, tab.shown], ["Which animal?", []]);
  });

  test("says of a draft that the browser has no room for it, until it has", async () => {
    const browser = new ChatBrowser(app);
    const { draft } = browser.open().conversation;
    browser.texts.isFull = true;
    draft.write("A long text");
    assert.deepEqual([draft.store.state.text, draft.store.state.isKept], ["A long text", false]);
    browser.texts.isFull = false;
    draft.write("A text");
    assert.equal(draft.store.state.isKept, true);
    assert.equal(browser.restart().memory.readDraft(undefined), "A text");
  });
});
