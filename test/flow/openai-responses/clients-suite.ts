/**
 * Other clients of the Responses API than OpenAI's own: their tools, approvals, next questions and errors.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenResponses } from "@ai-sdk/open-responses";
import type { BaseMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import {
  Agent,
  hostedMcpTool,
  OpenAIResponsesModel,
  Runner,
  tool as toAgentTool,
  type AgentInputItem,
} from "@openai/agents";
import { isStepCount, streamText, tool as toSdkTool, type LanguageModel, type ModelMessage } from "ai";
import { createAgent, tool as toChainTool } from "langchain";
import OpenAI from "openai";
import { z } from "zod";
import {
  City,
  description,
  timePrompt,
  timeRows,
  times,
  timeSteps,
  toLastPrompt,
} from "../../support/clients/time-tool.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { useTools } from "../tools/use-tools.ts";

const twoQuestions = [
  ["user", "How are you?"],
  ["assistant", "Fine."],
  ["user", "And?"],
];

/** Runs the suite on the database that `start` starts; requests alternate between `replicas`. */
export function runClientsSuite(name: string, start: () => Promise<StoreHarness>, replicas: 1 | 2): void {
  describe(`the clients of the Responses API, on ${name}`, { timeout: 240_000 }, () => {
    const model = useModel();
    const tools = useTools("suite");
    const database = useDatabase(start);
    const apps = Array.from({ length: replicas }, () => useApp(model, () => tools.variables, { database }));
    const [here = assert.fail()] = apps;
    let requests = 0;

    /** A client of OpenAI's, whose every request goes to the next replica. */
    function connect(): OpenAI {
      return new OpenAI({ apiKey: "none", baseURL: `${here.url}/v1`, maxRetries: 0, fetch: alternate });
    }

    const alternate: typeof fetch = async (input, init) => {
      const { url } = apps[requests % apps.length] ?? here;
      requests += 1;
      const address = String(input instanceof Request ? input.url : input);
      return await fetch(address.replace(here.url, url), init);
    };

    const sdk = (id = "scripted"): LanguageModel =>
      createOpenAI({ apiKey: "none", baseURL: `${here.url}/v1`, fetch: alternate })(id);
    const open = (id = "scripted"): LanguageModel =>
      createOpenResponses({ name: "foreword", url: `${here.url}/v1/responses`, fetch: alternate })(id);

    function createChain(user: string, id = "scripted"): ChatOpenAI {
      const configuration = { baseURL: `${here.url}/v1`, fetch: alternate };
      return new ChatOpenAI({
        model: id,
        apiKey: "none",
        configuration,
        user,
        useResponsesApi: true,
        maxRetries: 0,
      });
    }

    function createClock(id = "scripted"): Agent {
      const execute = ({ city }: z.output<typeof City>): string => times[city] ?? "";
      const clock = toAgentTool({ name: "get_time", description, parameters: City, execute });
      return new Agent({ name: "Clock", model: new OpenAIResponsesModel(connect(), id), tools: [clock] });
    }

    /** The texts of the model's last request. */
    const toTexts = (): unknown[] =>
      (model.calls.at(-1)?.body.messages ?? []).map(({ role, content }) => [role, content]);

    /** Checks that all requests of `user` were one exchange: one question, one reply with three calls. */
    async function assertOneReply(user: string): Promise<void> {
      const { body } = await here.get(`/conversations?userId=${user}`);
      const List = z.object({ conversations: z.array(z.object({ id: z.string() })) });
      const [conversation, ...others] = List.parse(JSON.parse(body)).conversations;
      assert.deepEqual(others, []);
      const rows = await readMessages(here.app.store.database, conversation?.id ?? "", user);
      assert.deepEqual(
        rows.map(({ role, content }) => [role, content]),
        timeRows,
      );
    }

    const runner = new Runner({ tracingDisabled: true });

    /** Runs an agent to its end. */
    async function run(agent: Agent, input: string | AgentInputItem[], streams: boolean) {
      if (!streams) return await runner.run(agent, input);
      const result = await runner.run(agent, input, { stream: true });
      await result.completed;
      return result;
    }

    for (const streams of [true, false]) {
      const how = streams ? "streamed" : "not streamed";

      test(`OpenAI's agents run their tools, ${how}`, async () => {
        model.inOrder(...timeSteps);
        const { finalOutput } = await run(createClock(), "Hi", streams);
        assert.equal(finalOutput, "Lima 07:15, Oslo 13:15.");
        assert.deepEqual(toLastPrompt(model), timePrompt);
      });

      test(`OpenAI's agents send plan and calls back, and get the next answer, ${how}`, async () => {
        model.inOrder((call) => call.text("- p\n---RESPONSE---\nFine.").finish(), ...timeSteps);
        const agent = createClock("scripted+plan");
        const first = await run(agent, "How are you?", streams);
        assert.equal(first.finalOutput, "Fine.");
        model.inOrder((call) => call.text("- q\n---RESPONSE---\nGood.").finish());
        const second = await run(agent, [...first.history, { role: "user", content: "And?" }], streams);
        assert.equal(second.finalOutput, "Good.");
        assert.deepEqual(toTexts().slice(1), twoQuestions);
      });

      test(`OpenAI's agents have calls of the server's approved, ${how}`, async () => {
        model.inOrder(
          (call) => call.toolCall("w__act", { a: 1 }, "c1").finish("tool_calls"),
          (call) => call.text("Done.").finish(),
        );
        const responses = new OpenAIResponsesModel(connect(), "scripted");
        // Its types demand an address: the server knows it.
        const hosted = hostedMcpTool({ serverLabel: "w", connectorId: "", requireApproval: "never" });
        delete hosted.providerData?.["connector_id"];
        const agent = new Agent({ name: "A", model: responses, tools: [hosted] });
        const first = await run(agent, "Do it.", streams);
        assert.equal(first.interruptions.length, 1);
        for (const interruption of first.interruptions) first.state.approve(interruption);
        const { finalOutput } = await runner.run(agent, first.state);
        assert.equal(finalOutput, "Done.");
      });

      test(`LangChain's agents run their tools, ${how}`, async () => {
        const user = randomUUID();
        model.inOrder(...timeSteps);
        const clock = toChainTool(({ city }: z.output<typeof City>) => times[city] ?? "", {
          name: "get_time",
          description,
          schema: City,
        });
        const agent = createAgent({ model: createChain(user), tools: [clock] });
        const asked = { messages: [{ role: "user", content: "Hi" }] };
        let messages: readonly BaseMessage[] = [];
        if (streams)
          for await (const [mode, state] of await agent.stream(asked, {
            streamMode: ["messages", "values"],
          })) {
            if (mode === "values") ({ messages } = state);
          }
        else ({ messages } = await agent.invoke(asked));
        assert.equal(messages.at(-1)?.text, "Lima 07:15, Oslo 13:15.");
        assert.deepEqual(toLastPrompt(model), timePrompt);
        await assertOneReply(user);
      });
    }

    test("LangChain shows the plan as reasoning, and the server's calls", async () => {
      model.inOrder(
        (call) => call.text("- p\n---RESPONSE---\nWait.").toolCall("w__look", {}, "c1").finish("tool_calls"),
        (call) => call.text("Done.").finish(),
      );
      const reply = await createChain(randomUUID(), "scripted+plan").invoke("Hi");
      assert.deepEqual(
        [reply.text, reply.contentBlocks.map(({ type }) => type).toSorted()],
        ["Wait.\n\nDone.", ["reasoning", "server_tool_call", "text", "text"]],
      );
    });

    for (const [client, create] of [
      ["@ai-sdk/openai", sdk],
      ["@ai-sdk/open-responses", open],
    ] as const) {
      const ask = (messages: ModelMessage[], id?: string) =>
        streamText({
          model: create(id),
          messages,
          stopWhen: isStepCount(5),
          maxRetries: 0,
          onError: () => {},
          tools: { get_time: toSdkTool({ inputSchema: City, execute: ({ city }) => times[city] ?? "" }) },
        });

      test(`${client} runs its tools`, async () => {
        model.inOrder(...timeSteps);
        const result = ask([{ role: "user", content: "Hi" }]);
        await result.consumeStream();
        assert.equal(await result.text, "Lima 07:15, Oslo 13:15.");
        assert.equal((await result.steps).length, 3);
        assert.deepEqual(toLastPrompt(model), timePrompt);
      });

      test(`${client} shows the plan as reasoning, and its next question has the answer before it`, async () => {
        model.script = (call) => call.text("- p\n---RESPONSE---\nFine.").finish();
        const question: ModelMessage = { role: "user", content: "How are you?" };
        const first = ask([question], "scripted+plan");
        await first.consumeStream();
        assert.deepEqual([await first.reasoningText, await first.text], ["- p", "Fine."]);
        const { messages } = await first.response;
        const second = ask([question, ...messages, { role: "user", content: "And?" }], "scripted");
        await second.consumeStream();
        assert.deepEqual(toTexts(), twoQuestions);
      });

      test(`${client} reports a failure with its sentence`, async () => {
        model.script = (call) => call.text("Half").cutOff();
        const result = ask([{ role: "user", content: "Hi" }]);
        const errors: unknown[] = [];
        for await (const part of result.fullStream) if (part.type === "error") errors.push(part.error);
        assert.match(JSON.stringify(errors) + String(errors[0]), /The model's reply was cut off/);
      });
    }

    test("@ai-sdk/openai has a call of the server's approved", async () => {
      model.inOrder(
        (call) => call.toolCall("w__act", { a: 1 }, "c1").finish("tool_calls"),
        (call) => call.text("Done.").finish(),
      );
      const question: ModelMessage = { role: "user", content: "Do it." };
      const first = streamText({ model: sdk(), messages: [question] });
      await first.consumeStream();
      const { messages } = await first.response;
      const [request] = (await first.content).filter(({ type }) => type === "tool-approval-request");
      assert.ok(request?.type === "tool-approval-request");
      const approval: ModelMessage = {
        role: "tool",
        content: [{ type: "tool-approval-response", approvalId: request.approvalId, approved: true }],
      };
      const second = streamText({ model: sdk(), messages: [question, ...messages, approval] });
      await second.consumeStream();
      assert.equal(await second.text, "Done.");
    });

    test("OpenAI's agents and LangChain report a failure with its code", async () => {
      model.script = (call) => call.text("Half").cutOff();
      await assert.rejects(run(createClock(), "Hi", true), { code: "model_truncated" });
      await assert.rejects(
        async () => {
          for await (const _ of await createChain(randomUUID()).stream("Hi"));
        },
        { code: "model_truncated" },
      );
    });
  });
}
