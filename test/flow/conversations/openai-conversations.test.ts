/** OpenAI's client keeps its conversations here: items are messages, on every database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { allStores } from "../../support/databases/store-harness.ts";

const png =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

for (const start of allStores)
  describe(`OpenAI's conversations on ${start.name}`, { timeout: 180_000 }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const app = useApp(model, {}, { database });

    function connect(userId = randomUUID()): OpenAI {
      return new OpenAI({
        apiKey: "sk-none",
        baseURL: `${app.url}/v1`,
        maxRetries: 0,
        defaultQuery: { userId },
      });
    }

    async function listTexts(client: OpenAI, id: string, order: "asc" | "desc" = "asc"): Promise<string[]> {
      const texts: string[] = [];
      for await (const item of client.conversations.items.list(id, { order, limit: 2 })) {
        if (item.type === "message")
          texts.push(
            `${item.role}: ${item.content.map((part) => ("text" in part ? part.text : part.type)).join("+")}`,
          );
        else texts.push(item.type);
      }
      return texts;
    }

    test("are created, read, changed and deleted", async () => {
      const client = connect();
      const made = await client.conversations.create({ metadata: { topic: "demo" } });
      assert.match(made.id, /^conv_[0-9a-f-]{36}$/);
      assert.ok(Math.abs(made.created_at * 1_000 - Date.now()) < 60_000);
      assert.deepEqual(await client.conversations.retrieve(made.id), made);
      const changed = await client.conversations.update(made.id, { metadata: { topic: "travel" } });
      assert.deepEqual(changed, { ...made, metadata: { topic: "travel" } });
      const deleted = { id: made.id, object: "conversation.deleted", deleted: true };
      assert.deepEqual(await client.conversations.delete(made.id), deleted);
      for (const call of [
        async () => await client.conversations.retrieve(made.id),
        async () => await client.conversations.items.list(made.id),
        async () =>
          await client.conversations.items.create(made.id, { items: [{ role: "user", content: "Hi" }] }),
        async () => await connect().conversations.retrieve("conv_none"),
      ])
        await assert.rejects(call, { status: 404, code: "conversation_not_found" });
    });

    test("hold their items in both orders, page by page", async () => {
      const client = connect();
      const { id } = await client.conversations.create({
        items: [
          { type: "message", role: "developer", content: "Be brief." },
          { role: "user", content: [{ type: "input_text", text: "One" }] },
        ],
      });
      const added = await client.conversations.items.create(id, {
        items: [
          { type: "message", role: "assistant", content: "Two" },
          {
            role: "user",
            content: [
              { type: "input_text", text: "See" },
              { type: "input_image", image_url: png, detail: "auto" },
            ],
          },
          { type: "function_call", call_id: "c1", name: "look", arguments: "{}" },
          { type: "function_call_output", call_id: "c1", output: "seen" },
          { type: "message", role: "assistant", content: "Done" },
        ],
      });
      assert.equal(added.data.length, 5);
      const texts = [
        "system: Be brief.",
        "user: One",
        "assistant: Two",
        "user: See+input_image",
        "function_call",
        "function_call_output",
        "assistant: Done",
      ];
      assert.deepEqual(await listTexts(client, id), texts);
      assert.deepEqual(await listTexts(client, id, "desc"), texts.toReversed());
      for (const item of added.data) {
        assert.ok("id" in item && typeof item.id === "string");
        assert.deepEqual(await client.conversations.items.retrieve(item.id, { conversation_id: id }), item);
      }
      await assert.rejects(client.conversations.items.list(id, { after: `msg_${randomUUID()}` }), {
        status: 404,
        param: "after",
      });
      await assert.rejects(client.conversations.items.retrieve("msg_1", { conversation_id: id }), {
        status: 404,
      });
    });

    test("do not get the items that their end already is", async () => {
      const client = connect();
      const items = [
        { role: "user", content: "Hi" },
        { type: "message", role: "assistant", content: "Hello" },
      ] as const;
      const { id } = await client.conversations.create({ items: [...items] });
      const first = await client.conversations.items.list(id);
      const again = await client.conversations.items.create(id, {
        items: [...items, { role: "user", content: "Hi" }],
      });
      assert.deepEqual(again.data.slice(0, 2), first.data.toReversed());
      await client.conversations.items.create(id, { items: [{ role: "user", content: "Hi" }] });
      assert.deepEqual(await listTexts(client, id), ["user: Hi", "assistant: Hello", "user: Hi"]);
    });

    test("lose the items that are deleted, and keep the others in their order", async () => {
      const client = connect();
      const { id } = await client.conversations.create({
        items: [
          { role: "user", content: "Lost one" },
          { type: "message", role: "assistant", content: "Lost two" },
          { role: "user", content: "Lost three" },
        ],
      });
      const remove = async (index: number): Promise<void> => {
        const { data } = await client.conversations.items.list(id, { order: "asc" });
        const item = data[index];
        assert.ok(item !== undefined && "id" in item && typeof item.id === "string");
        assert.equal((await client.conversations.items.delete(item.id, { conversation_id: id })).id, id);
        await assert.rejects(client.conversations.items.delete(item.id, { conversation_id: id }), {
          status: 404,
        });
      };
      await remove(1);
      assert.deepEqual(await listTexts(client, id), ["user: Lost one", "user: Lost three"]);
      await remove(1);
      assert.deepEqual(await listTexts(client, id), ["user: Lost one"]);
      await client.conversations.items.create(id, { items: [{ role: "user", content: "Lost four" }] });
      assert.deepEqual(await listTexts(client, id), ["user: Lost one", "user: Lost four"]);
      const rows = await database.sql(
        "select count(*)::int as count from messages where content in ('Lost two', 'Lost three')",
      );
      assert.deepEqual(rows, [{ count: 0 }]);
    });

    test("belong to their user alone", async () => {
      const [client, other] = [connect(), connect()];
      const { id } = await client.conversations.create({ items: [{ role: "user", content: "Mine" }] });
      const [item] = (await client.conversations.items.list(id)).data;
      assert.ok(item !== undefined && "id" in item && typeof item.id === "string");
      const itemId = item.id;
      for (const call of [
        async () => await other.conversations.retrieve(id),
        async () => await other.conversations.update(id, { metadata: {} }),
        async () => await other.conversations.delete(id),
        async () => await other.conversations.items.list(id),
        async () =>
          await other.conversations.items.create(id, { items: [{ role: "user", content: "Theirs" }] }),
        async () => await other.conversations.items.retrieve(itemId, { conversation_id: id }),
        async () => await other.conversations.items.delete(itemId, { conversation_id: id }),
      ])
        await assert.rejects(call, { status: 404 });
      assert.deepEqual(await listTexts(client, id), ["user: Mine"]);
    });
  });
