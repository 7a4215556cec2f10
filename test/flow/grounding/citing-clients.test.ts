/** Other clients of OpenAI's wires: they read the citations of documents, and send them back. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { ChatOpenAI } from "@langchain/openai";
import { Agent, OpenAIResponsesModel, Runner, type AgentInputItem } from "@openai/agents";
import { generateText, streamText, type LanguageModel } from "ai";
import OpenAI from "openai";
import { KnowledgeClient } from "../../support/clients/knowledge-client.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";

const question = "What is the secret word?";
const answer = "🔑 It is xylophone [1].";

describe("clients that read the citations of a document", { timeout: 120_000 }, () => {
  const model = useModel("test");
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, () => ({}), { database, lifetime: "test" });
  const userId = randomUUID();
  let url = "";

  beforeEach(async () => {
    const client = new KnowledgeClient(app, userId);
    const { id } = await client.addRead("handbook", "The secret word is xylophone.", "secret.txt");
    url = `/documents/${id}/text`;
    model.say("- Look it up\n---RESPONSE---\n", answer);
  });

  /** Adds the fields that such clients have no place for. */
  const withBase: typeof fetch = async (input, init) => {
    const body = typeof init?.body === "string" ? JSON.parse(init.body) : {};
    return await fetch(input, {
      ...init,
      body: JSON.stringify({ ...body, knowledge_base: "handbook", user: userId }),
    });
  };

  const provider = () => createOpenAI({ apiKey: "none", baseURL: `${app.url}/v1`, fetch: withBase });
  const lastReply = (): unknown =>
    model.calls.at(-1)?.body.messages.find(({ role }) => role === "assistant")?.content;

  async function assertLoads(address: string | undefined): Promise<void> {
    assert.equal(address, url);
    const { status, body } = await app.get(`${address}?userId=${userId}`);
    assert.equal(status, 200, body);
    assert.match(body, /xylophone/);
  }

  const models: readonly (readonly [string, () => LanguageModel])[] = [
    ["Chat Completions", () => provider().chat("scripted+plan")],
    ["Responses", () => provider()("scripted+plan")],
  ];
  for (const [wire, toModel] of models)
    test(`the AI SDK over ${wire}, whole and streamed: its sources are the documents`, async () => {
      const whole = await generateText({ model: toModel(), prompt: question });
      const streamed = streamText({ model: toModel(), prompt: question });
      await streamed.consumeStream();
      for (const sources of [whole.sources, await streamed.sources]) {
        const [source, ...others] = sources;
        assert.deepEqual(others, []);
        assert.ok(source?.sourceType === "url");
        assert.equal(source.title, "secret.txt");
        await assertLoads(source.url);
      }
      const messages = [
        { role: "user" as const, content: question },
        ...whole.response.messages,
        { role: "user" as const, content: "Thanks" },
      ];
      await generateText({ model: toModel(), messages });
      assert.equal(lastReply(), "🔑 It is xylophone.");
    });

  test("LangChain over Responses: its content blocks have the citation", async () => {
    const configuration = { baseURL: `${app.url}/v1`, fetch: withBase };
    const options = { model: "scripted+plan", apiKey: "none", configuration, maxRetries: 0 };
    const chain = new ChatOpenAI({ ...options, useResponsesApi: true });
    const reply = await chain.invoke(question);
    assert.equal(reply.text, answer);
    assert.ok(JSON.stringify(reply.content).includes(url));
    await chain.invoke([{ role: "user", content: question }, reply, { role: "user", content: "Thanks" }]);
    assert.equal(lastReply(), "🔑 It is xylophone.");
  });

  test("OpenAI's agents, whose history has the citation", async () => {
    const client = new OpenAI({ apiKey: "none", baseURL: `${app.url}/v1`, maxRetries: 0, fetch: withBase });
    const agent = new Agent({ name: "Clerk", model: new OpenAIResponsesModel(client, "scripted+plan") });
    const runner = new Runner({ tracingDisabled: true });
    const first = await runner.run(agent, question);
    assert.equal(first.finalOutput, answer);
    const thanks: AgentInputItem = { role: "user", content: "Thanks" };
    await runner.run(agent, [...first.history, thanks]);
    assert.equal(lastReply(), "🔑 It is xylophone.");
  });

  test("a plain model, which is told nothing of a base that its user does not have", async () => {
    model.say("Hello.");
    const client = new OpenAI({ apiKey: "none", baseURL: `${app.url}/v1`, maxRetries: 0 });
    const messages = [{ role: "user" as const, content: question }];
    const wish = { knowledge_base: "none such", user: userId };
    await client.chat.completions.create({ model: "scripted", messages, ...wish });
    assert.deepEqual(model.calls.at(-1)?.body.messages, messages);
  });
});
