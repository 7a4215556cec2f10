/** Tools of the server in a `useChat` client: shown as they run, and approved or denied by its user. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { readMessages } from "../../support/databases/read-rows.ts";
import type { Script } from "../../support/model/scripted-model.ts";
import { ObservedChat } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";
import { sendText } from "../../tools/servers/scripted-http-server.ts";
import { useTools } from "../tools/use-tools.ts";

const plan = "- Look\n---RESPONSE---\n";
const output = { content: [{ type: "text", text: "42" }] };
const done: Script = (call) => call.text("Done.").finish();

describe("a tool of the server in a useChat client", { timeout: 60_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const app = useApp(model, () => ({ ...tools.variables, CHAT_STORE_ENABLED: "true" }));
  const userId = randomUUID();

  const open = (options: ConstructorParameters<typeof ObservedChat>[1] = {}): ObservedChat =>
    new ObservedChat(app.url, { userId, ...options });

  const statesOf = (shown: ObservedChat): unknown[] =>
    shown.tools.map(({ state, output: shownOutput, errorText }) => [state, shownOutput ?? errorText]);

  async function pathOf(shown: ObservedChat): Promise<unknown[]> {
    const conversationId = shown.last.metadata?.conversationId ?? "";
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    return rows.map(({ role, content, status }) => [role, content, status]);
  }

  test("is shown as a dynamic tool while it runs and with its result; the browser is not asked to run it", async () => {
    const shown = open();
    const running = tools.nextCall();
    model.inOrder(
      (call) => call.text(`${plan}Let me look.`).toolCall("w__look", { city: "Oslo" }).finish("tool_calls"),
      done,
    );
    const sending = shown.chat.sendMessage({ text: "Hi" });
    const call = await running;
    await shown.until(() => shown.tools[0]?.state === "input-available");
    sendText(call, "42");
    await sending;
    assert.deepEqual(shown.chat.error, undefined);
    assert.deepEqual(shown.asked, []);
    const [part] = shown.tools;
    assert.deepEqual(
      [part?.type, part?.state, part?.input, part?.output, part?.providerExecuted],
      ["dynamic-tool", "output-available", { city: "Oslo" }, output, true],
    );
    assert.deepEqual(
      shown.last.parts.map(({ type }) => type),
      ["step-start", "data-plan", "text", "dynamic-tool", "step-start", "text"],
    );
    assert.deepEqual([shown.ends.length, shown.text], [1, "Let me look.Done."]);
    model.say(`${plan}So.`);
    await shown.chat.sendMessage({ text: "Sure?" });
    assert.deepEqual(await pathOf(shown), [
      ["user", "Hi", null],
      ["assistant", "Let me look.\n\nDone.", "complete"],
      ["user", "Sure?", null],
      ["assistant", "So.", "complete"],
    ]);
  });

  test("that needs approval waits for it, runs once it is given, and the same message goes on", async () => {
    tools.say("acted");
    const shown = open();
    model.inOrder((call) => call.text(plan).toolCall("w__act", { now: true }).finish("tool_calls"), done);
    await shown.chat.sendMessage({ text: "Hi" });
    const { id, metadata } = shown.last;
    assert.deepEqual([shown.ends.at(-1)?.finishReason, metadata?.outcome], ["tool-calls", null]);
    assert.deepEqual(statesOf(shown), [["approval-requested", undefined]]);
    assert.equal(metadata?.approvals?.[0]?.toolCallId, shown.tools[0]?.toolCallId);
    const calls = tools.server.callCount;
    shown.answer(true);
    await shown.ended(2);
    assert.equal(tools.server.callCount, calls + 1);
    assert.deepEqual([shown.chat.error, shown.asked], [undefined, []]);
    assert.deepEqual(statesOf(shown), [["output-available", { content: [{ type: "text", text: "acted" }] }]]);
    assert.deepEqual(
      [shown.last.id, shown.text, shown.last.metadata?.outcome, shown.last.metadata?.approvals],
      [id, "Done.", "complete", []],
    );
    assert.deepEqual(
      shown.last.parts.map(({ type }) => type),
      ["step-start", "data-plan", "dynamic-tool", "step-start", "text"],
    );
    assert.deepEqual(await pathOf(shown), [
      ["user", "Hi", null],
      ["assistant", "Done.", "complete"],
    ]);
  });

  test("whose turn is stopped while it runs has an unknown outcome, which the message says", async () => {
    const shown = open();
    const running = tools.nextCall();
    model.script = (call) => call.text(`${plan}Let me look.`).toolCall("w__look").finish("tool_calls");
    const sending = shown.chat.sendMessage({ text: "Hi" });
    const call = await running;
    await app.post(`/api/chat/${shown.chat.id}/stop?userId=${userId}`, {});
    await Promise.all([sending, call.closed]);
    const [part] = shown.tools;
    assert.deepEqual([shown.chat.error, part?.state], [undefined, "output-error"]);
    assert.match(part?.errorText ?? "", /whether it had an effect is not known/);
    assert.deepEqual(
      [shown.ends.at(-1)?.finishReason, shown.last.metadata?.outcome],
      ["interrupted", "stopped"],
    );
  });

  test("that is denied is not run: the model is told, and the message says so", async () => {
    const shown = open();
    model.inOrder((call) => call.text(plan).toolCall("w__act").finish("tool_calls"), done);
    await shown.chat.sendMessage({ text: "Hi" });
    const calls = tools.server.callCount;
    shown.answer(false);
    await shown.ended(2);
    assert.equal(tools.server.callCount, calls);
    assert.deepEqual(statesOf(shown), [["output-denied", undefined]]);
    assert.match(JSON.stringify(model.calls.at(-1)?.body.messages.at(-1)), /did not approve/);
    assert.deepEqual([shown.chat.error, shown.text], [undefined, "Done."]);
    model.say(`${plan}So.`);
    await shown.chat.sendMessage({ text: "Why?" });
    assert.deepEqual([shown.chat.error, shown.text], [undefined, "So."]);
    assert.equal((await pathOf(shown)).length, 4);
  });

  test("waits for all answers of its step, given together or one by one", async () => {
    tools.say("acted");
    const shown = open();
    model.inOrder(
      (call) => call.toolCall("w__act", { n: 1 }).toolCall("w__act", { n: 2 }).finish("tool_calls"),
      done,
    );
    await shown.chat.sendMessage({ text: "Hi" });
    const { id } = shown.last;
    const calls = tools.server.callCount;
    shown.answer(true);
    await shown.chat.sendMessage();
    assert.deepEqual([shown.chat.error, shown.ends.at(-1)?.finishReason], [undefined, "tool-calls"]);
    assert.deepEqual(
      shown.tools.map(({ state }) => state),
      ["approval-responded", "approval-requested"],
    );
    assert.equal(shown.last.metadata?.approvals?.length, 1);
    await shown.chat.sendMessage();
    assert.match(shown.chat.error?.message ?? "", /^messages: Approve or deny the tool calls that wait/);
    shown.answer(false);
    await shown.ended(4);
    assert.equal(tools.server.callCount, calls + 1);
    assert.deepEqual(
      shown.tools.map(({ state }) => state),
      ["output-available", "output-denied"],
    );
    assert.deepEqual([shown.chat.error, shown.text, shown.last.id], [undefined, "Done.", id]);
  });

  test("that waits is stopped by the user's next message", async () => {
    const shown = open();
    model.inOrder(
      (call) => call.text(`${plan}May I?`).toolCall("w__act").finish("tool_calls"),
      (call) => call.text(`${plan}Well.`).finish(),
    );
    await shown.chat.sendMessage({ text: "Hi" });
    const calls = tools.server.callCount;
    const { turnId } = shown.last.metadata ?? {};
    await shown.chat.sendMessage({ text: "Never mind" });
    assert.deepEqual([shown.chat.error, shown.text], [undefined, "Well."]);
    const turn = await app.get(`/turns/${turnId}?userId=${userId}`);
    assert.equal(JSON.parse(turn.body).status, "stopped");
    assert.equal(tools.server.callCount, calls);
    assert.deepEqual(await pathOf(shown), [
      ["user", "Hi", null],
      ["assistant", "May I?", "stopped"],
      ["user", "Never mind", null],
      ["assistant", "Well.", "complete"],
    ]);
  });

  test("is run for no answer but to the turn's own request, and for no output that a client makes up", async () => {
    const shown = open();
    model.inOrder((call) => call.text(plan).toolCall("w__act").finish("tool_calls"), done);
    await shown.chat.sendMessage({ text: "Hi" });
    const calls = tools.server.callCount;
    const post = async (part: object): Promise<string> => {
      const [asked, reply] = structuredClone(shown.chat.messages);
      const parts = (reply?.parts ?? []).map((each) =>
        each.type === "dynamic-tool" ? { ...each, ...part } : each,
      );
      const body = { id: shown.chat.id, messages: [asked, { ...reply, parts }] };
      const { status, body: text } = await app.post(`/api/chat?userId=${userId}`, body);
      return `${status} ${text}`;
    };
    const invented = { state: "approval-responded", approval: { id: randomUUID(), approved: true } };
    assert.match(await post(invented), /^404 The approval was not found/);
    assert.match(
      await post({ state: "output-available", output: "Done!" }),
      /^400 messages: Last message must/,
    );
    assert.equal(tools.server.callCount, calls);
    shown.answer(false);
    await shown.ended(2);
    assert.deepEqual([statesOf(shown), tools.server.callCount], [[["output-denied", undefined]], calls]);
    const [, { approval }] = [shown.last, shown.tools[0] ?? {}];
    const late = { state: "approval-responded", approval: { id: approval?.id, approved: true } };
    assert.match(await post(late), /^409 The approval was answered before/);
    assert.equal(tools.server.callCount, calls);
  });
});
