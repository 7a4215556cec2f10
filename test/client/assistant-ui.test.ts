/** The adapters for assistant-ui, driven by its real runtime against the real server. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createClient, type ForewordClient } from "../../packages/foreword-client/src/client.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { AssistantPage } from "./assistant-ui-page.ts";

describe("assistant-ui", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const connect = (userId = randomUUID()): ForewordClient => createClient({ baseUrl: app.url, userId });

  test("makes a conversation of a new thread, with the server's title, plan and rows", async (context) => {
    const client = connect();
    const page = await AssistantPage.openFor(context, client);
    model.say("- Look it up\n---RESPONSE---\nIt is sunny.");
    await page.ask("The weather in Oslo?");
    assert.deepEqual(page.texts, ["user: The weather in Oslo?", "assistant: It is sunny."]);
    const [plan] = page.messages[1]?.content ?? [];
    assert.deepEqual(plan, { type: "reasoning", id: "plan", text: "- Look it up" });
    await page.until(() => page.titles[0] !== undefined);
    assert.deepEqual(page.titles, ["The weather in Oslo?"]);

    model.say("- Again\n---RESPONSE---\nIn Rome, too.");
    await page.ask("And in Rome?");
    const { messages } = await client.conversations.messages(page.conversationId);
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["The weather in Oslo?", "It is sunny.", "And in Rome?", "In Rome, too."],
    );
  });

  test("shows all branches of a conversation after a reload, with the server's ids, and goes on", async (context) => {
    const client = connect();
    const first = await AssistantPage.openFor(context, client);
    model.say("- a\n---RESPONSE---\nOne.");
    await first.ask("Count");
    model.say("- b\n---RESPONSE---\nUn.");
    await first.do((runtime) => runtime.thread.startRun({ parentId: first.messages[0]?.id ?? null }));
    await first.until(() => first.texts.at(-1) === "assistant: Un.");
    await first.untilIdle();

    const { conversationId } = first;
    const second = await AssistantPage.openFor(context, client);
    await second.until(() => second.titles.length > 0);
    await second.show(conversationId);
    assert.deepEqual(second.texts, ["user: Count", "assistant: Un."]);
    const tree = await client.conversations.messages(conversationId, { tree: true });
    assert.equal(tree.messages.length, 3);
    const reply = second.messages[1];
    assert.ok(reply !== undefined && tree.messages.some(({ id }) => id === reply.id));
    assert.deepEqual(
      [second.runtime.thread.getMessageByIndex(1).getState().branchNumber, reply.status],
      [2, { type: "complete", reason: "stop" }],
    );
    assert.equal(reply.content.find((part) => part.type === "reasoning")?.text, "- b");

    model.say("- c\n---RESPONSE---\nDeux.");
    await second.ask("More");
    const { messages } = await client.conversations.messages(conversationId);
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["Count", "Un.", "More", "Deux."],
    );
  });

  test("follows a reply in progress after a reload, and it is not made twice", async (context) => {
    const client = connect();
    const first = await AssistantPage.open(client);
    const next = model.nextCall();
    await first.do((runtime) => runtime.thread.append("Slowly"));
    const call = await next;
    call.text("- p\n---RESPONSE---\nBe");
    await first.until(() => first.texts.at(-1) === "assistant: Be");
    const { conversationId } = first;
    await first.close();

    const second = await AssistantPage.openFor(context, client);
    await second.show(conversationId);
    await second.until(() => second.texts.at(-1) === "assistant: Be");
    assert.equal(second.runtime.thread.getState().isRunning, true);
    call.text("fore and after.").finish();
    await second.untilIdle();
    assert.deepEqual(second.texts, ["user: Slowly", "assistant: Before and after."]);
    const tree = await client.conversations.messages(conversationId, { tree: true });
    assert.equal(tree.messages.length, 2);
  });

  test("stops the turn that its user cancels", async (context) => {
    const client = connect();
    const page = await AssistantPage.openFor(context, client);
    const next = model.nextCall();
    await page.do((runtime) => runtime.thread.append("Long"));
    const call = await next;
    call.text("- p\n---RESPONSE---\nBe");
    await page.until(() => page.texts.at(-1) === "assistant: Be");
    await page.do((runtime) => runtime.thread.cancelRun());
    await page.untilIdle();
    const last = page.messages.at(-1);
    assert.deepEqual(last?.status, { type: "incomplete", reason: "cancelled" });
    await call.closed;
    const [, reply] = (await client.conversations.messages(page.conversationId)).messages;
    assert.deepEqual([reply?.content, reply?.status], ["Be", "stopped"]);
  });
});
