/** The client's history, files, models and usage against the real server. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createClient, toChatImage, type ForewordClient } from "../../packages/foreword-client/src/client.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { makePng } from "../support/clients/file-client.ts";

describe("the client's conversations", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const connect = (userId = randomUUID()): ForewordClient => createClient({ baseUrl: app.url, userId });

  /** Asks `question` in a conversation, below `parentId` if it is given; resolves with the turn's id. */
  async function ask(
    client: ForewordClient,
    conversationId: string,
    question: string,
    parentId?: string,
  ): Promise<string> {
    model.say(`- Think\n---RESPONSE---\nAnswer to ${question}.`);
    const messages = [{ sender: "user", text: question }] as const;
    const turn = client.start({ messages, conversationId, parentId });
    assert.equal((await turn.reply()).storage, "stored");
    return turn.id;
  }

  test("are created, listed in pages, renamed, archived and deleted", async () => {
    const { conversations } = connect();
    const titles = ["One", "Two", "Three"];
    const created = [];
    for (const title of titles) created.push(await conversations.create({ title, metadata: { title } }));
    const first = await conversations.list({ limit: 2 });
    const second = await conversations.list({ limit: 2, cursor: first.nextCursor });
    assert.deepEqual(
      [first, second].map((page) => page.conversations.map(({ title }) => title)),
      [["Three", "Two"], ["One"]],
    );
    assert.equal(second.nextCursor, null);

    const [one, two, three] = created.map(({ id }) => id);
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const renamed = await conversations.update(one, { title: "First" });
    assert.deepEqual([renamed.title, renamed.metadata], ["First", { title: "One" }]);
    assert.notEqual((await conversations.update(two, { archived: true })).archivedAt, null);
    const archived = await conversations.list({ archived: true });
    assert.deepEqual(
      archived.conversations.map(({ id }) => id),
      [two],
    );
    assert.equal((await conversations.update(two, { archived: false })).archivedAt, null);

    await conversations.delete(three);
    await assert.rejects(conversations.get(three), { code: "conversation_not_found", status: 404 });
    await assert.rejects(conversations.delete(three), { code: "conversation_not_found" });
    assert.equal(await conversations.deleteAll(), 2);
    assert.deepEqual(await conversations.list(), { conversations: [], nextCursor: null });
  });

  test("have messages in pages, branches, and a leaf that can be moved", async () => {
    const client = connect();
    const { id } = await client.conversations.create();
    const first = await ask(client, id, "Oslo?");
    const second = await ask(client, id, "Rome?", first);
    const branch = await ask(client, id, "Bern?", first);

    const newest = await client.conversations.messages(id, { limit: 2 });
    assert.deepEqual(
      newest.messages.map(({ role, content }) => [role, content]),
      [
        ["user", "Bern?"],
        ["assistant", "Answer to Bern?."],
      ],
    );
    const older = await client.conversations.messages(id, { before: newest.nextBefore });
    assert.deepEqual(older.messages.map(({ id: message }) => message).at(-1), first);
    assert.deepEqual([older.messages.at(-1)?.metadata["plan"], older.nextBefore], ["- Think", null]);

    const tree = await client.conversations.messages(id, { tree: true, limit: 100 });
    assert.equal(tree.messages.length, 6);
    assert.equal(tree.messages.filter(({ parentId }) => parentId === first).length, 2);
    assert.equal((await client.conversations.update(id, { leaf: second })).leafId, second);
    assert.equal((await client.conversations.messages(id)).messages.at(-1)?.id, second);
    assert.notEqual(branch, second);
    await assert.rejects(client.conversations.update(id, { leaf: randomUUID() }), {
      code: "message_not_found",
    });
  });

  test("are searched and exported", async () => {
    const client = connect();
    const id = randomUUID();
    await ask(client, id, "Reykjavík");
    await client.conversations.create({ title: "Another" });
    const { conversations } = await client.conversations.list({ query: "reykjavik" });
    assert.deepEqual(
      conversations.map((found) => found.id),
      [id],
    );
    const exported = await client.conversations.export(id);
    assert.deepEqual(
      [exported.conversation.id, exported.messages.map(({ content }) => content)],
      [id, ["Reykjavík", "Answer to Reykjavík."]],
    );
    assert.match(await client.conversations.exportMarkdown(id), /## Assistant\n\nAnswer to Reykjavík\./);
  });

  test("belong to their user, and errors have the server's codes and sentences", async () => {
    const { conversations } = connect();
    const { id } = await conversations.create({ title: "Mine" });
    const other = connect().conversations;
    const calls = [
      async () => await other.get(id),
      async () => await other.update(id, { title: "Theirs" }),
      async () => await other.delete(id),
      async () => await other.messages(id),
      async () => await other.export(id),
      async () => await other.exportMarkdown(id),
    ];
    const error = { name: "ForewordError", code: "conversation_not_found", status: 404 };
    for (const call of calls) await assert.rejects(call, error);
    await assert.rejects(conversations.create({ id }), { code: "conversation_exists", status: 409 });
    await assert.rejects(conversations.list({ limit: 101 }), { code: "invalid_request", message: /limit/ });
    await assert.rejects(conversations.update(id, {}), { code: "invalid_request" });
    await assert.rejects(conversations.get("../usage"), { status: 400 });
  });

  test("keep images, which are read back by their URL or id, from no other server", async () => {
    const client = connect();
    const { bytes } = makePng("client", 20_000);
    const image = await toChatImage(new File([new Uint8Array(bytes)], "cat.png", { type: "image/png" }));
    const conversationId = randomUUID();
    model.say("- Look\n---RESPONSE---\nA cat.");
    await client
      .start({ messages: [{ sender: "user", text: "Look", images: [image] }], conversationId })
      .reply();
    const { messages } = await client.conversations.messages(conversationId);
    const [attachment] = messages[0]?.attachments ?? [];
    assert.ok(attachment !== undefined);
    assert.deepEqual([attachment.name, attachment.sizeBytes], ["cat.png", 20_000]);
    for (const place of [attachment.id, attachment.url, `https://elsewhere.example${attachment.url}?a=b`]) {
      const file = await client.file(place);
      assert.deepEqual([file.type, Buffer.from(await file.arrayBuffer()).equals(bytes)], ["image/png", true]);
    }
    await assert.rejects(connect().file(attachment.id), { code: "file_not_found", status: 404 });
    await assert.rejects(toChatImage(new Blob(["x"], { type: "text/html" })), TypeError);
  });

  test("stand beside the user's models and usage", async () => {
    const client = connect();
    await ask(client, randomUUID(), "Count");
    assert.deepEqual(await client.models(), ["scripted"]);
    const { total, days } = await client.usage();
    assert.deepEqual([total.turns, days.length], [1, 1]);
    await assert.rejects(client.usage({ from: "yesterday" }), { code: "invalid_request" });
    await assert.rejects(client.usage({ signal: AbortSignal.abort() }), { name: "AbortError" });
  });
});

describe("the client of a server without a store", () => {
  const model = useModel();
  const app = useApp(model);

  test("is told that there is no history", async () => {
    const { conversations } = createClient({ baseUrl: app.url });
    await assert.rejects(conversations.list(), { code: "history_off", status: 404 });
  });
});
