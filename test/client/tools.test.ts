/** A client with tools of its own: a loop of a few lines runs them until the reply is complete. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient, type ClientTool, type ToolResult } from "../../packages/foreword-client/src/client.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const weather: ClientTool = {
  name: "weather",
  description: "The weather in a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const hello = { messages: [{ sender: "user", text: "How warm is it in Oslo and in Rome?" }] } as const;
const degrees: Readonly<Record<string, number>> = { Oslo: 3 };

describe("a client with tools", () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  test("runs all calls of a step, brings results and errors back, and goes on until the reply is complete", async () => {
    model.inOrder(
      (call) =>
        call
          .text("- Look\n---RESPONSE---\nLet me look.")
          .toolCall("weather", { city: "Oslo" }, "c1")
          .toolCall("weather", { city: "Rome" }, "c2")
          .finish("tool_calls"),
      (call) => call.toolCall("weather", { city: "Oslo" }, "c3").finish("tool_calls"),
      (call) => call.text("3 degrees in Oslo.").finish(),
    );
    const client = createClient({ baseUrl: app.url });
    let turn = client.start({ ...hello, tools: [weather] });
    let reply = await turn.reply();
    const texts = [reply.answer];
    while (reply.finishReason === "tool-calls") {
      const results = reply.tools.map(({ callId, input }): ToolResult => {
        const { city }: { city: string } = JSON.parse(input);
        const output = degrees[city];
        return output === undefined ? { callId, error: `There is no ${city}.` } : { callId, output };
      });
      turn = turn.continue(results);
      reply = await turn.reply();
      texts.push(reply.answer);
    }
    assert.deepEqual(texts, ["Let me look.", null, "3 degrees in Oslo."]);
    assert.equal(reply.outcome, "complete");
    const { messages, tools } = model.calls.at(-1)?.body ?? assert.fail();
    assert.deepEqual(tools, [{ type: "function", function: weather }]);
    assert.deepEqual(
      messages.map(({ role, content, tool_call_id: id }) =>
        role === "tool" ? [role, id, content] : [role, content],
      ),
      [
        ["user", hello.messages[0].text],
        ["assistant", "Let me look."],
        ["tool", "c1", "3"],
        ["tool", "c2", "The tool failed. There is no Rome."],
        ["assistant", null],
        ["tool", "c3", "3"],
      ],
    );
  });
});
