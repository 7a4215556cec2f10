/** Agents whose tools run in their client: OpenAI's, LangChain's, the AI SDK's, and the loop of `openai`. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { Agent, OpenAIChatCompletionsModel, Runner, tool as toAgentTool } from "@openai/agents";
import { isStepCount, streamText, tool as toSdkTool } from "ai";
import { createAgent, tool as toChainTool } from "langchain";
import { zodFunction } from "openai/helpers/zod";
import { z } from "zod";
import { useOpenAiWire, toChat } from "../../support/clients/openai-wire.ts";
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

describe("an agent whose tools run in its client", () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true" });

  /** Checks that all requests of `user` were one exchange: one question, one reply with three calls. */
  async function assertOneReply(user: string): Promise<void> {
    const line = await wire.app.logged((found) => found.msg === "turn" && found["userId"] === user);
    const rows = await readMessages(wire.app.app.store.database, String(line["conversationId"]), user);
    assert.deepEqual(
      rows.map(({ role, content }) => [role, content]),
      timeRows,
    );
    const Tools = z.array(z.looseObject({ input: z.string(), outcome: z.object({ output: z.string() }) }));
    assert.deepEqual(
      Tools.parse(rows[1]?.metadata?.["tools"]).map(({ input, outcome }) => [input, outcome.output]),
      [
        ['{"city":"Lima"}', "07:15"],
        ['{"city":"Oslo"}', "13:15"],
        ['{"city":"Lima"}', "07:15"],
      ],
    );
  }

  test("of the openai client runs them in its loop", async () => {
    const user = randomUUID();
    wire.model.inOrder(...timeSteps);
    const runner = wire.client.chat.completions.runTools({
      model: "scripted",
      user,
      stream: true,
      messages: toChat("Hi"),
      tools: [
        zodFunction({
          name: "get_time",
          description,
          parameters: City,
          function: ({ city }) => times[city] ?? "",
        }),
      ],
    });
    assert.equal(await runner.finalContent(), "Lima 07:15, Oslo 13:15.");
    assert.deepEqual(toLastPrompt(wire.model), timePrompt);
    await assertOneReply(user);
  });

  for (const streams of [true, false]) {
    test(`of LangChain runs them, ${streams ? "" : "not "}streamed`, async () => {
      const user = randomUUID();
      wire.model.inOrder(...timeSteps);
      const agent = createAgent({
        model: new ChatOpenAI({
          model: "scripted",
          apiKey: "none",
          configuration: { baseURL: wire.url },
          user,
          useResponsesApi: false,
        }),
        tools: [
          toChainTool(({ city }: z.output<typeof City>) => times[city] ?? "", {
            name: "get_time",
            description,
            schema: City,
          }),
        ],
      });
      const asked = { messages: [{ role: "user", content: "Hi" }] };
      let messages: readonly BaseMessage[] = [];
      if (streams)
        for await (const [mode, state] of await agent.stream(asked, { streamMode: ["messages", "values"] })) {
          if (mode === "values") ({ messages } = state);
        }
      else ({ messages } = await agent.invoke(asked));
      const last = messages.at(-1);
      assert.ok(AIMessage.isInstance(last));
      assert.equal(last.content, "Lima 07:15, Oslo 13:15.");
      assert.deepEqual(toLastPrompt(wire.model), timePrompt);
      await assertOneReply(user);
    });

    test(`of OpenAI's agents runs them and hands over to another agent, ${streams ? "" : "not "}streamed`, async () => {
      const model = new OpenAIChatCompletionsModel(wire.client, "scripted");
      const clock = new Agent({
        name: "Clock",
        model,
        tools: [
          toAgentTool({
            name: "get_time",
            description,
            parameters: City,
            execute: ({ city }) => times[city] ?? "",
          }),
        ],
      });
      const desk = new Agent({ name: "Desk", model, handoffs: [clock] });
      wire.model.inOrder(
        (call) => call.toolCall("transfer_to_Clock", {}, "call_0").finish("tool_calls"),
        ...timeSteps,
      );
      const runner = new Runner({ tracingDisabled: true });
      const result = await run(runner, desk, streams);
      assert.deepEqual([result.finalOutput, result.lastAgent?.name], ["Lima 07:15, Oslo 13:15.", "Clock"]);
      assert.deepEqual(toLastPrompt(wire.model), [
        ["user"],
        ["assistant", "call_0"],
        ["tool", "call_0"],
        ...timePrompt.slice(1),
      ]);
    });
  }

  test("of the AI SDK runs them, and sends its results as JSON", async () => {
    const user = randomUUID();
    wire.model.inOrder(...timeSteps);
    const result = streamText({
      model: createOpenAICompatible({ name: "foreword", baseURL: wire.url })("scripted"),
      prompt: "Hi",
      stopWhen: isStepCount(5),
      providerOptions: { foreword: { user } },
      tools: {
        get_time: toSdkTool({ inputSchema: City, execute: ({ city }) => times[city] ?? "" }),
      },
    });
    await result.consumeStream();
    assert.equal(await result.text, "Lima 07:15, Oslo 13:15.");
    assert.equal((await result.steps).length, 3);
    assert.deepEqual(toLastPrompt(wire.model), timePrompt);
    await assertOneReply(user);
  });
});

/** Runs an agent to its end. */
async function run(runner: Runner, agent: Agent, streams: boolean) {
  if (!streams) return await runner.run(agent, "Hi");
  const result = await runner.run(agent, "Hi", { stream: true });
  await result.completed;
  return result;
}
