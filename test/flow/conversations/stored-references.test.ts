/** Requests of OpenAI's clients refer to stored responses, conversations and items. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import {
  Agent,
  OpenAIConversationsSession,
  OpenAIProvider,
  Runner,
  tool,
  setTracingDisabled,
} from "@openai/agents";
import { streamText, type ModelMessage } from "ai";
import OpenAI from "openai";
import { z } from "zod";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";

setTracingDisabled(true);

const Conversations = z.object({ conversations: z.array(z.object({ id: z.string(), title: z.string() })) });
const Asked = z.object({ messages: z.array(z.object({ role: z.string(), content: z.unknown() })) });

for (const start of [startPglite, startPostgresHarness, startSupabaseHarness])
  describe(`references of OpenAI's clients on ${start.name}`, { timeout: 180_000 }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const app = useApp(model, {}, { database });

    function answerWith(...answers: readonly string[]): unknown[] {
      const asked: unknown[] = [];
      const left = [...answers];
      model.script = (call) => {
        asked.push(
          Asked.parse(call.body).messages.map(({ role, content }) => `${role}: ${JSON.stringify(content)}`),
        );
        call.text(left.shift() ?? "?").finish();
      };
      return asked;
    }

    function connect(userId: string): OpenAI {
      return new OpenAI({
        apiKey: "sk-none",
        baseURL: `${app.url}/v1`,
        maxRetries: 0,
        defaultQuery: { userId },
      });
    }

    async function listConversations(userId: string): Promise<string[]> {
      const { body } = await app.get(`/conversations?userId=${userId}`);
      return Conversations.parse(JSON.parse(body)).conversations.map(({ id }) => id);
    }

    async function listTexts(client: OpenAI, id: string): Promise<string[]> {
      const texts: string[] = [];
      for await (const item of client.conversations.items.list(id, { order: "asc" }))
        texts.push(
          item.type === "message"
            ? `${item.role}: ${item.content.map((part) => ("text" in part ? part.text : part.type)).join("+")}`
            : item.type,
        );
      return texts;
    }

    for (const stream of [false, true])
      test(`the session of @openai/agents stores nothing twice, ${stream ? "streamed" : "whole"}`, async () => {
        const userId = randomUUID();
        const client = connect(userId);
        const asked = answerWith("Hello", "Again", "Third");
        const session = new OpenAIConversationsSession({ client });
        const provider = new OpenAIProvider({ openAIClient: client });
        const runner = new Runner({ modelProvider: provider });
        const agent = new Agent({
          name: "a",
          instructions: "Be brief.",
          model: "scripted",
        });
        for (const text of ["One", "Two", "Three"]) {
          if (!stream) {
            await runner.run(agent, text, { session });
            continue;
          }
          const running = await runner.run(agent, text, { session, stream });
          await running.completed;
        }
        const id = await session.getSessionId();
        const texts = [
          "user: One",
          "assistant: Hello",
          "user: Two",
          "assistant: Again",
          "user: Three",
          "assistant: Third",
        ];
        assert.deepEqual(await listTexts(client, id), texts);
        assert.deepEqual(await listConversations(userId), [id.slice("conv_".length)]);
        assert.equal(asked.length, 3);
        const popped = await session.popItem();
        assert.ok(popped !== undefined && "role" in popped && popped.role === "assistant");
        assert.deepEqual(await listTexts(client, id), texts.slice(0, -1));
        await session.clearSession();
        assert.deepEqual(await listConversations(userId), []);
      });

    test("a stranger with the same chat keeps their response, if no user is named", async () => {
      const client = new OpenAI({ apiKey: "sk-none", baseURL: `${app.url}/v1`, maxRetries: 0 });
      const text = `Hi ${randomUUID()}`;
      model.inOrder((call) => call.text("Hello").finish());
      const theirs = await client.responses.create({ model: "scripted", input: text });
      const { id } = await client.conversations.create({
        items: [
          { role: "user", content: text },
          { role: "assistant", content: "Hello" },
        ],
      });
      await client.conversations.delete(id);
      assert.equal((await client.responses.retrieve(theirs.id)).output_text, "Hello");
    });

    test("the session of @openai/agents stores nothing twice if the client runs tools, either", async () => {
      const userId = randomUUID();
      const client = connect(userId);
      model.inOrder(
        (call) => call.toolCall("look", { at: "sky" }, "c1").finish("tool_calls"),
        (call) => call.text("Blue").finish(),
        (call) => call.text("Bye").finish(),
      );
      const session = new OpenAIConversationsSession({ client });
      const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: client }) });
      const look = tool({
        name: "look",
        description: "Looks",
        parameters: z.object({ at: z.string() }),
        execute: async () => "blue",
      });
      const agent = new Agent({ name: "a", instructions: "Be brief.", model: "scripted", tools: [look] });
      for (const text of ["One", "Two"]) await runner.run(agent, text, { session });
      const id = await session.getSessionId();
      assert.deepEqual(await listTexts(client, id), [
        "user: One",
        "function_call",
        "function_call_output",
        "assistant: Blue",
        "user: Two",
        "assistant: Bye",
      ]);
      assert.deepEqual(await listConversations(userId), [id.slice("conv_".length)]);
    });

    test("the AI SDK's second turn names the items of the first, whose text and conversation it gets", async () => {
      const userId = randomUUID();
      const asked = answerWith("- a\n---RESPONSE---\nHello", "Again");
      const provider = createOpenAI({
        apiKey: "sk-none",
        baseURL: `${app.url}/v1`,
        fetch: async (url, init) =>
          await fetch(
            `${app.url}${new URL(url instanceof Request ? url.url : url).pathname}?userId=${userId}`,
            init,
          ),
      });
      const messages: ModelMessage[] = [{ role: "user", content: "One" }];
      const options = { model: provider("scripted+plan"), providerOptions: { openai: { user: userId } } };
      const first = streamText({ ...options, messages });
      await first.consumeStream();
      messages.push(...(await first.response).messages, { role: "user", content: "Two" });
      const second = streamText({ ...options, messages });
      await second.consumeStream();
      assert.equal(await second.text, "Again");
      assert.deepEqual(z.array(z.array(z.string())).parse(asked)[1]?.slice(-3), [
        'user: "One"',
        'assistant: "Hello"',
        'user: "Two"',
      ]);
      const [id, ...others] = await listConversations(userId);
      assert.deepEqual(others, []);
      assert.deepEqual(await listTexts(connect(userId), `conv_${id}`), [
        "user: One",
        "reasoning",
        "assistant: Hello",
        "user: Two",
        "assistant: Again",
      ]);
    });

    test("any stored response can be continued, which branches; its input items can be listed", async () => {
      const userId = randomUUID();
      const client = connect(userId);
      const asked = answerWith("A", "B", "C");
      const create = async (input: string, previous?: string): Promise<string> =>
        (
          await client.responses.create({
            model: "scripted",
            input,
            user: userId,
            ...(previous !== undefined && { previous_response_id: previous }),
          })
        ).id;
      const first = await create("One");
      const second = await create("Two", first);
      const branch = await create("Other", first);
      assert.deepEqual(asked.at(-1), ['user: "One"', 'assistant: "A"', 'user: "Other"']);
      assert.equal((await listConversations(userId)).length, 1);
      const listed: string[] = [];
      for await (const item of client.responses.inputItems.list(second, { order: "asc", limit: 1 }))
        listed.push(JSON.stringify("content" in item ? item.content : item));
      assert.deepEqual(
        listed.map((text) => z.array(z.object({ text: z.string() })).parse(JSON.parse(text))[0]?.text),
        ["One", "A", "Two"],
      );
      await client.responses.delete(branch);
      await assert.rejects(client.responses.retrieve(branch), { status: 404 });
      await assert.rejects(create("Lost", branch), {
        status: 400,
        code: "previous_response_not_found",
        param: "previous_response_id",
      });
      await assert.rejects(client.responses.inputItems.list(branch), { status: 404 });
      const [id] = await listConversations(userId);
      assert.deepEqual(await listTexts(client, `conv_${id}`), [
        "user: One",
        "assistant: A",
        "user: Two",
        "assistant: B",
      ]);
    });

    test("a response that failed without a word is continued from its question", async () => {
      const userId = randomUUID();
      const client = connect(userId);
      model.script = (call) => call.head(401, { "content-type": "application/json" }).end("{}");
      const failed = await client.responses
        .create({ model: "scripted", input: "One", user: userId }, { headers: { "x-turn-id": randomUUID() } })
        .catch((error: unknown) => error);
      assert.ok(failed instanceof OpenAI.APIError);
      const turnId = failed.headers?.get("x-turn-id") ?? failed.headers?.get("x-request-id");
      const asked = answerWith("A");
      await client.responses.create({
        model: "scripted",
        input: "Two",
        user: userId,
        previous_response_id: `resp_${turnId}`,
      });
      assert.deepEqual(asked, [['user: "One"', 'user: "Two"']]);
    });

    test("a conversation is continued at its end, unless it is in progress, unknown or another user's", async () => {
      const userId = randomUUID();
      const client = connect(userId);
      const { id } = await client.conversations.create({ items: [{ role: "user", content: "One" }] });
      await client.conversations.items.create(id, {
        items: [{ type: "message", role: "assistant", content: "A" }],
      });
      const asked = answerWith("B");
      const body = { model: "scripted", input: "Two", user: userId, conversation: id } as const;
      const response = await client.responses.create(body);
      assert.deepEqual(asked, [['user: "One"', 'assistant: "A"', 'user: "Two"']]);
      assert.deepEqual(response.conversation, { id });
      assert.deepEqual(await listTexts(client, id), [
        "user: One",
        "assistant: A",
        "user: Two",
        "assistant: B",
      ]);
      const called = model.nextCall();
      const running = client.responses.create({ ...body, input: "Three" });
      const call = await called;
      await assert.rejects(client.responses.create({ ...body, input: "Four" }), {
        status: 409,
        code: "turn_running",
      });
      await assert.rejects(
        client.conversations.items.create(id, { items: [{ role: "user", content: "Four" }] }),
        { status: 409, code: "turn_running" },
      );
      call.text("C").finish();
      await running;
      await client.responses.delete(response.id);
      assert.equal((await listTexts(client, id)).length, 6, "later items continue it");
      for (const [user, named] of [
        [userId, `conv_${randomUUID()}`],
        [randomUUID(), id],
      ] as const)
        await assert.rejects(client.responses.create({ ...body, user, conversation: named }), {
          status: 404,
          code: "conversation_not_found",
          param: "conversation",
        });
    });

    test("unknown items, and those of other users, are refused by their fields", async () => {
      const userId = randomUUID();
      const client = connect(userId);
      answerWith("A", "B");
      const { output } = await client.responses.create({ model: "scripted", input: "One", user: userId });
      const reference = { type: "item_reference", id: output[0]?.id ?? "" } as const;
      for (const [user, item] of [
        [randomUUID(), reference],
        [userId, { ...reference, id: `msg_${randomUUID()}` }],
        [userId, { ...reference, id: `${reference.id}_7` }],
        [userId, { ...reference, id: "rs_1" }],
      ] as const)
        await assert.rejects(
          client.responses.create({
            model: "scripted",
            input: [item, { role: "user", content: "Two" }],
            user,
          }),
          { status: 404, param: "input[0]" },
        );
    });
  });
