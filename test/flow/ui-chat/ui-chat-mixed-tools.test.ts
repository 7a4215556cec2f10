/** Tools of a `useChat` reply over two replicas, and of the browser and the server in one step. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ObservedChat, textOf } from "../../support/clients/ui-chat.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import type { Script } from "../../support/model/scripted-model.ts";
import { useApp, useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";
import { useTools } from "../tools/use-tools.ts";

const plan = "- Look\n---RESPONSE---\n";
const tools = [{ type: "function", function: { name: "locate", parameters: { type: "object" } } }];
const done: Script = (call) => call.text("Done.").finish();

/** Returns a value as JSON has it: the client keeps the text of arguments that it has read in pieces. */
const toPlain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === "rawInput" ? undefined : inner)));

describe("a useChat reply with tools, over two replicas", { timeout: 120_000 }, () => {
  const model = useModel();
  const server = useTools("suite");
  const database = useDatabase(startPostgresHarness);
  const variables = (): Readonly<Record<string, string>> => server.variables;
  const here = useApp(model, variables, { database });
  const there = useApp(model, variables, { database });
  const startApp = useStartApp(model, {}, { database });
  const userId = randomUUID();

  const at = (url: string, options: ConstructorParameters<typeof ObservedChat>[1] = {}): ObservedChat =>
    new ObservedChat(url, { userId, body: { tools }, ...options });

  const statesOf = (shown: ObservedChat): unknown[] => shown.tools.map(({ type, state }) => [type, state]);

  test("whose step calls both kinds goes on after the approval, and then with the browser's result", async () => {
    server.say("acted");
    const shown = at(here.url, { runTool: undefined });
    model.inOrder((call) => call.text(plan).toolCall("locate").toolCall("w__act").finish("tool_calls"), done);
    await shown.chat.sendMessage({ text: "Hi" });
    const [locate] = shown.tools;
    assert.deepEqual(statesOf(shown), [
      ["tool-locate", "input-available"],
      ["dynamic-tool", "approval-requested"],
    ]);
    await shown.chat.addToolOutput({ tool: "locate", toolCallId: locate?.toolCallId ?? "", output: "Oslo" });
    await shown.ended(2);
    assert.match(shown.chat.error?.message ?? "", /Approve or deny the tool calls/);
    shown.answer(true);
    await shown.ended(4);
    assert.equal(shown.chat.error, undefined);
    assert.deepEqual(statesOf(shown), [
      ["tool-locate", "output-available"],
      ["dynamic-tool", "output-available"],
    ]);
    assert.deepEqual([shown.text, shown.chat.messages.length], ["Done.", 2]);
    const sent = JSON.stringify(model.calls.at(-1)?.body.messages);
    assert.match(sent, /acted/);
    assert.match(sent, /Oslo/);
  });

  test("is approved on the other replica, after its own has stopped", async () => {
    server.say("acted");
    const first = await startApp(variables());
    const shown = at(first.url);
    model.inOrder((call) => call.text(`${plan}May I?`).toolCall("w__act").finish("tool_calls"), done);
    await shown.chat.sendMessage({ text: "Hi" });
    await first.close();
    const moved = at(there.url, { id: shown.chat.id, messages: structuredClone(shown.chat.messages) });
    moved.answer(true);
    await moved.ended(1);
    assert.deepEqual(
      [moved.chat.error, moved.text, moved.last.id],
      [undefined, "May I?Done.", shown.last.id],
    );
    assert.equal(moved.tools[0]?.state, "output-available");
    const conversationId = moved.last.metadata?.conversationId ?? "";
    const rows = await readMessages(here.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["May I?\n\nDone.", "complete"],
      ],
    );
  });

  test("that waits is resumed with its request, on either replica, and answered from there", async () => {
    const shown = at(here.url);
    model.inOrder((call) => call.text(plan).toolCall("w__act").finish("tool_calls"), done);
    await shown.chat.sendMessage({ text: "Hi" });
    for (const { url } of [here, there]) {
      const loaded = at(url, { id: shown.chat.id });
      await loaded.chat.resumeStream();
      assert.equal(loaded.chat.error, undefined);
      assert.equal(JSON.stringify(loaded.last.metadata), JSON.stringify(shown.last.metadata));
      assert.deepEqual(toPlain(loaded.last.parts), toPlain(shown.last.parts));
    }
    const loaded = at(there.url, { id: shown.chat.id });
    await loaded.chat.resumeStream();
    loaded.answer(false);
    await loaded.ended(2);
    assert.deepEqual([loaded.tools[0]?.state, loaded.text], ["output-denied", "Done."]);
  });

  test("that continues is resumed whole, under the id of its message", async () => {
    const shown = at(here.url, { runTool: () => "Oslo" });
    model.inOrder(
      (call) => call.text(`${plan}Where?`).toolCall("locate").finish("tool_calls"),
      (call) => call.text("In"),
    );
    void shown.chat.sendMessage({ text: "Hi" });
    await shown.until(() => shown.text === "Where?In");
    for (const { url } of [here, there]) {
      const loaded = at(url, { id: shown.chat.id, messages: structuredClone(shown.chat.messages) });
      void loaded.chat.resumeStream();
      await loaded.until(() => loaded.chat.status === "streaming" && loaded.text.endsWith("In"));
      assert.deepEqual(loaded.chat.messages.map(textOf), ["Hi", "Where?In"]);
      assert.deepEqual(statesOf(loaded), [["tool-locate", "output-available"]]);
      assert.equal(loaded.last.id, shown.last.id);
      await loaded.chat.stop();
    }
    await here.post(`/api/chat/${shown.chat.id}/stop?userId=${userId}`, {});
    await shown.ended(2);
  });
});
