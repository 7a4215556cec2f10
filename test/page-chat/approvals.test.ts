/** Calls in the page that wait for their user: answers that are not taken, or come too late. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useTools } from "../flow/tools/use-tools.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { ChatBrowser, until, type ChatTab } from "./chat-browser.ts";

describe("a call that waits for its user", { timeout: 120_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, () => tools.variables, { database });

  /** Asks for an act, and resolves with the id of its approval once it waits. */
  async function askToAct(tab: ChatTab): Promise<string> {
    model.script = (call) => call.text("- Act\n---RESPONSE---\nSo.").toolCall("w__act").finish("tool_calls");
    tab.ask("Act");
    await tab.shows("> Act", "waiting: So.");
    const [call] = tab.conversation.live.state?.tools ?? [];
    return call?.approval?.approvalId ?? "";
  }

  function readTool({ conversation }: ChatTab): string | null | undefined {
    return conversation.store.state.messages.at(-1)?.reply?.tools[0]?.status;
  }

  test("can be answered again if the server has not taken the answer", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    const approvalId = await askToAct(tab);
    const turnId = tab.conversation.store.state.runningId;
    browser.refuse = { [`/turns/${turnId}/approvals`]: [503, "store_unavailable"] };
    assert.equal(await tab.conversation.approve(approvalId, true), false);
    await until(tab.conversation.store, ({ problem }) => problem === "store_unavailable");
    await tab.shows("> Act", "waiting: So.");
    browser.refuse = {};
    model.script = (call) => call.text("Done.").finish();
    assert.equal(await tab.conversation.approve(approvalId, true), true);
    await tab.untilStored();
    assert.equal(readTool(tab), "complete");
  });

  test("shows the reply after the answer once, however often the page reads it meanwhile", async () => {
    const browser = new ChatBrowser(app);
    const tab = browser.open();
    const approvalId = await askToAct(tab);
    model.script = (call) => call.text("Done.").finish();
    const { conversation } = tab;
    const approved = conversation.approve(approvalId, true);
    await Promise.all([approved, conversation.refresh(), conversation.refresh(), conversation.refresh()]);
    await tab.untilStored();
    assert.match(conversation.store.state.messages.at(-1)?.reply?.answer ?? "", /^So\.\s*Done\.$/);
    assert.equal(readTool(tab), "complete");
    const ends = conversation.store.state.messages.map(({ role }) => role);
    assert.deepEqual(ends, ["user", "assistant"]);
  });

  test("is not run if the answer comes too late, which is said, and the reply goes on without it", async () => {
    const tab = new ChatBrowser(app).open();
    const approvalId = await askToAct(tab);
    const turnId = tab.conversation.store.state.runningId;
    const calls = tools.server.callCount;
    const goesOn = model.nextCall();
    await database.sql(
      `update turn_waits set expires_at = now() - interval '1 second' where turn_id = '${turnId}'`,
    );
    assert.equal(await tab.conversation.approve(approvalId, true), false);
    const { problem } = tab.conversation.store.state;
    assert.match(problem ?? "", /^approval_(?:expired|settled)$/);
    (await goesOn).text("Too late.").finish();
    await tab.conversation.refresh();
    await tab.untilStored();
    assert.equal(readTool(tab), "denied");
    assert.equal(tools.server.callCount, calls);
  });
});
