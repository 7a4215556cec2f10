/**
 * An item's id means one item, in responses and in conversations, on every replica, however often tools
 * ran.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { z } from "zod";
import { useReplicas } from "../../support/apps/use-app.ts";

const Items = z.array(z.looseObject({ id: z.string(), type: z.string() }));
type Item = z.output<typeof Items>[number];
const Asked = z.object({ messages: z.array(z.object({ role: z.string(), content: z.unknown() })) });

const round = ["message", "call", "call_output", "call", "call_output"];
const look = { type: "function", name: "look", parameters: {}, strict: false } as const;

describe("the ids of items", { timeout: 120_000 }, () => {
  const { model, here, there } = useReplicas();

  const connect = (app: typeof here): OpenAI =>
    new OpenAI({ apiKey: "sk-none", baseURL: `${app.url}/v1`, maxRetries: 0 });

  async function readItems(client: OpenAI, conversation: string): Promise<readonly Item[]> {
    const { data } = await client.conversations.items.list(conversation, { order: "asc", limit: 100 });
    return Items.parse(data);
  }

  /** A reply of three turns: each but the last calls the client's tool twice. */
  async function ask() {
    const client = connect(here);
    const { id: conversation } = await client.conversations.create({});
    model.inOrder(
      (call) => call.text("Again").toolCall("look", {}, "a").toolCall("look", {}, "b").finish("tool_calls"),
      (call) => call.text("Again").toolCall("look", {}, "c").toolCall("look", {}, "d").finish("tool_calls"),
      (call) => call.text("Done").finish(),
    );
    const body = { model: "scripted", tools: [look] };
    const first = await client.responses.create({ ...body, input: "Go", conversation });
    const outputs = [first.output];
    let previous = first.id;
    for (const calls of [
      ["a", "b"],
      ["c", "d"],
    ]) {
      const input = calls.map((id) => ({
        type: "function_call_output" as const,
        call_id: id,
        output: `${id}!`,
      }));
      const next = await client.responses.create({ ...body, input, previous_response_id: previous });
      outputs.push(next.output);
      previous = next.id;
    }
    return { client, conversation, previous, outputs: outputs.map((output) => Items.parse(output)) };
  }

  test("never stand for two items of a reply", async () => {
    const { client, conversation, outputs } = await ask();
    const stored = await readItems(client, conversation);
    assert.deepEqual(
      stored.map(({ type }) => type.replace("function_", "")),
      ["message", ...round, ...round, "message"],
    );
    assert.equal(new Set(stored.map(({ id }) => id)).size, stored.length);
    const own = outputs.flat();
    assert.equal(new Set(own.map(({ id }) => id)).size, own.length);
    const last = outputs.at(-1)?.[0]?.id ?? "";
    assert.ok(!stored.slice(0, -1).some(({ id }) => id === last), "the last text's id is not the first's");
    const texts = ({ call_id: callId, content }: Item): string => JSON.stringify([callId, content]);
    for (const item of own)
      for (const other of stored) if (item.id === other.id) assert.equal(texts(item), texts(other));
  });

  test("are the same on another replica, and when they are read again", async () => {
    const { client, conversation, previous, outputs } = await ask();
    const stored = await readItems(client, conversation);
    assert.deepEqual(await readItems(connect(there), conversation), stored);
    assert.deepEqual(await readItems(client, conversation), stored);
    const again = await connect(there).responses.retrieve(previous);
    assert.deepEqual(Items.parse(again.output), outputs.at(-1));
    for (const item of stored) {
      const found = await connect(there).conversations.items.retrieve(item.id, {
        conversation_id: conversation,
      });
      assert.deepEqual(Items.parse([found]), [item]);
    }
  });

  test("name their items in another request's input", async () => {
    const { client, conversation, outputs } = await ask();
    const stored = await readItems(client, conversation);
    const texts = [...stored, ...outputs.flat()].filter(
      ({ type, role }) => type === "message" && role === "assistant",
    );
    assert.equal(texts.length, 6);
    for (const { id, content } of texts) {
      const [{ text }] = z.tuple([z.object({ text: z.string() })]).parse(content);
      model.script = (call) => call.text("?").finish();
      await client.responses.create({
        model: "scripted",
        input: [
          { role: "user", content: "Go" },
          { type: "item_reference", id },
          { role: "user", content: "And?" },
        ],
      });
      const { messages } = Asked.parse(model.calls.at(-1)?.body);
      assert.deepEqual(messages.at(-2), { role: "assistant", content: text }, id);
    }
  });

  test("of a response name the items of its conversation", async () => {
    const client = connect(here);
    const { id: conversation } = await client.conversations.create({});
    model.script = (call) =>
      call
        .text("Wait")
        .toolCall("look", { at: 1 }, "a")
        .toolCall("look", { at: 2 }, "b")
        .finish("tool_calls");
    const { output } = await client.responses.create({
      model: "scripted",
      tools: [look],
      input: "Go",
      conversation,
    });
    for (const item of Items.parse(output)) {
      const found = await client.conversations.items.retrieve(item.id, { conversation_id: conversation });
      assert.equal(found.type, item.type);
      assert.deepEqual("call_id" in found && found.call_id, item["call_id"] ?? false);
      await client.conversations.items.delete(item.id, { conversation_id: conversation });
      await assert.rejects(client.conversations.items.delete(item.id, { conversation_id: conversation }), {
        status: 404,
      });
    }
    assert.deepEqual(
      (await readItems(client, conversation)).map(({ role }) => role),
      ["user"],
    );
  });
});
