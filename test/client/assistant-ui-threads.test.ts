/** The list of threads of assistant-ui: pages, names, archives, deletions and failures. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { ChatModelAdapter, ThreadMessage } from "@assistant-ui/react";
import {
  createChatModelAdapter,
  createThreadListAdapter,
} from "../../packages/foreword-client/src/assistant-ui/assistant-ui.ts";
import { createClient, type ForewordClient } from "../../packages/foreword-client/src/client.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { makePng } from "../support/clients/file-client.ts";
import { AssistantPage } from "./assistant-ui-page.ts";

describe("the threads of assistant-ui", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const connect = (): ForewordClient => createClient({ baseUrl: app.url, userId: randomUUID() });

  test("are all conversations, in pages: first those that are not archived, newest first", async () => {
    const client = connect();
    for (let index = 0; index < 45; index += 1) {
      const { id } = await client.conversations.create({ title: `Chat ${index}`, metadata: { index } });
      if (index < 22) await client.conversations.update(id, { archived: true });
    }
    const adapter = createThreadListAdapter(client);
    const sizes = [];
    const threads = [];
    for (let after: string | undefined; sizes.length === 0 || after !== undefined;) {
      const page = await adapter.list({ after });
      sizes.push(page.threads.length);
      threads.push(...page.threads);
      after = page.nextCursor;
    }
    assert.deepEqual(sizes, [20, 23, 2]);
    assert.equal(new Set(threads.map(({ remoteId }) => remoteId)).size, 45);
    assert.deepEqual(
      [threads[0]?.title, threads[0]?.custom, threads[23]?.status, threads[22]?.status],
      ["Chat 44", { index: 44 }, "archived", "regular"],
    );
  });

  test("are renamed, archived, restored and deleted by their page", async (context) => {
    const client = connect();
    const { id } = await client.conversations.create({ title: "Old" });
    const page = await AssistantPage.openFor(context, client);
    const item = () => page.runtime.threads.getItemById(id);
    await page.do(async () => await item().rename("New"));
    assert.equal((await client.conversations.get(id)).title, "New");
    await page.do(async () => await item().archive());
    assert.notEqual((await client.conversations.get(id)).archivedAt, null);
    assert.deepEqual(page.runtime.threads.getState().archivedThreadIds, [id]);
    await page.do(async () => await item().unarchive());
    assert.equal((await client.conversations.get(id)).archivedAt, null);
    await page.do(async () => await item().delete());
    await assert.rejects(client.conversations.get(id), { code: "conversation_not_found" });
  });

  test("become conversations with their first turn, or with metadata that a page gives them", async () => {
    const client = connect();
    const adapter = createThreadListAdapter(client);
    const { remoteId } = await adapter.initialize("local");
    await assert.rejects(client.conversations.get(remoteId), { code: "conversation_not_found" });
    await adapter.delete(remoteId);
    const named = await adapter.initialize("local", { custom: { color: "red" } });
    assert.deepEqual((await adapter.fetch(named.remoteId)).custom, { color: "red" });
    await adapter.updateCustom?.(named.remoteId, undefined);
    assert.deepEqual((await adapter.fetch(named.remoteId)).custom, {});
  });

  test("show a failed reply with its sentence, and go on after it", async (context) => {
    const client = connect();
    const page = await AssistantPage.openFor(context, client);
    model.script = (call) => call.head(400).end(JSON.stringify({ error: { message: "no", code: "x" } }));
    await page.ask("First");
    const failed = page.messages.at(-1)?.status;
    assert.ok(failed?.type === "incomplete" && failed.reason === "error");
    assert.match(JSON.stringify(failed.error), /^"The model /);
    model.say("- p\n---RESPONSE---\nBoth.");
    await page.ask("Second");
    assert.equal(page.texts.at(-1), "assistant: Both.");
    const { messages } = await client.conversations.messages(page.conversationId);
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["First", "Second", "Both."],
    );
  });

  test("send and show images, which are stored once", async (context) => {
    const client = connect();
    const { url, bytes } = makePng("assistant", 5_000);
    const page = await AssistantPage.openFor(context, client);
    model.say("- p\n---RESPONSE---\nA cat.");
    const image = { type: "image", image: url, filename: "cat.png" } as const;
    await page.do((runtime) =>
      runtime.thread.append({ role: "user", content: [{ type: "text", text: "Look" }, image] }),
    );
    await page.untilIdle();
    const other = await AssistantPage.openFor(context, client);
    await other.show(page.conversationId);
    const [message] = other.messages;
    assert.ok(message?.role === "user");
    const [attachment] = message.attachments;
    const [part] = attachment?.content ?? [];
    assert.ok(attachment !== undefined && part?.type === "image");
    assert.deepEqual([attachment.name, attachment.contentType], ["cat.png", "image/png"]);
    const shown = await (await fetch(part.image)).arrayBuffer();
    assert.ok(Buffer.from(shown).equals(bytes));
  });
});

describe("assistant-ui without a store", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  test("sends the whole chat with each turn", async () => {
    const client = createClient({ baseUrl: app.url });
    const chat = createChatModelAdapter(client);
    const texts: string[] = [];
    const messages: ThreadMessage[] = [];
    for (const text of ["One", "Two"]) {
      model.say(`- p\n---RESPONSE---\nReply to ${text}.`);
      messages.push(toUserMessage(text));
      const reply = await runModel(chat, messages);
      messages.push(reply);
      texts.push(...reply.content.flatMap((part) => (part.type === "text" ? [part.text] : [])));
    }
    assert.deepEqual(texts, ["Reply to One.", "Reply to Two."]);
    assert.deepEqual(
      model.calls
        .at(-1)
        ?.body.messages.filter(({ role }) => role !== "system")
        .map(({ content }) => content),
      ["One", "Reply to One.", "Two"],
    );
  });
});

function toUserMessage(text: string): ThreadMessage {
  return {
    id: randomUUID(),
    createdAt: new Date(0),
    role: "user",
    content: [{ type: "text", text }],
    attachments: [],
    metadata: { custom: {} },
  };
}

/** Runs the model as the local runtime does; resolves with the reply. */
async function runModel(chat: ChatModelAdapter, messages: readonly ThreadMessage[]): Promise<ThreadMessage> {
  let reply: Extract<ThreadMessage, { readonly role: "assistant" }> = {
    id: randomUUID(),
    createdAt: new Date(0),
    role: "assistant",
    content: [],
    status: { type: "running" },
    metadata: { unstable_state: null, unstable_annotations: [], unstable_data: [], steps: [], custom: {} },
  };
  const results = chat.run({
    messages,
    runConfig: {},
    abortSignal: new AbortController().signal,
    context: {},
    unstable_getMessage: () => reply,
  });
  assert.ok(Symbol.asyncIterator in results);
  for await (const { content = [], status = reply.status, metadata } of results)
    reply = { ...reply, content, status, metadata: { ...reply.metadata, custom: metadata?.custom ?? {} } };
  return reply;
}
