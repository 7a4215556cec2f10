/** Tools of a `useChat` client: the model calls them, the browser runs them, and the same message goes on. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { readMessages } from "../../support/databases/read-rows.ts";
import { toChunk, type Script } from "../../support/model/scripted-model.ts";
import { ObservedChat, type ShownMessage } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const tools = ["weather", "clock"].map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: { city: { type: "string" } } } },
}));
const plan = "- Look\n---RESPONSE---\n";
const look: Script = (call) =>
  call.text(`${plan}Let me look.`).toolCall("weather", { city: "Oslo" }).finish("tool_calls");
const tell: Script = (call) => call.text("It is 7 degrees.").finish();

describe("a tool of a useChat client", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true", SHOW_REASONING: "true" });
  const userId = randomUUID();

  const open = (options: Partial<ConstructorParameters<typeof ObservedChat>[1]> = {}): ObservedChat =>
    new ObservedChat(app.url, { userId, body: { tools }, runTool: () => ({ degrees: 7 }), ...options });

  /** Sends a message, and resolves once the client has had `replies` responses in all. */
  async function ask(shown: ObservedChat, text: string, replies: number): Promise<void> {
    await shown.chat.sendMessage({ text });
    await shown.ended(replies);
  }

  async function pathOf(shown: ObservedChat): Promise<string[]> {
    const conversationId = shown.last.metadata?.conversationId ?? "";
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    return rows.map(({ role, content, metadata }) => {
      const count = Array.isArray(metadata?.["tools"]) ? ` (${metadata["tools"].length})` : "";
      return `${role}: ${content}${count}`;
    });
  }

  /** Returns the model's prompt without Foreword's instruction: a line for each message. */
  function promptOf(): string[] {
    const { messages = [] } = model.calls.at(-1)?.body ?? {};
    return messages
      .filter(({ role }) => role !== "system")
      .map(({ role, content, tool_calls: calls }) => {
        return `${role}: ${String(content)}${Array.isArray(calls) ? ` (${calls.length})` : ""}`;
      });
  }

  test("is run once, and its result continues the same message, which is one row and found again", async () => {
    const shown = open();
    model.inOrder(look, tell);
    await ask(shown, "How warm is it?", 2);
    assert.deepEqual([shown.chat.error, shown.asked], [undefined, ["weather"]]);
    assert.deepEqual(
      shown.ends.map(({ finishReason }) => finishReason),
      ["tool-calls", "stop"],
    );
    assert.deepEqual(
      shown.last.parts.map((part) => [part.type, "text" in part ? part.text : undefined]),
      [
        ["step-start", undefined],
        ["data-plan", undefined],
        ["text", "Let me look."],
        ["tool-weather", undefined],
        ["step-start", undefined],
        ["text", "It is 7 degrees."],
      ],
    );
    const { state, input, output, providerExecuted } = shown.tools[0] ?? {};
    assert.deepEqual(
      [state, input, output, providerExecuted],
      ["output-available", { city: "Oslo" }, { degrees: 7 }, undefined],
    );
    assert.deepEqual(promptOf(), [
      "user: How warm is it?",
      "assistant: Let me look. (1)",
      'tool: {"degrees":7}',
    ]);
    assert.equal(shown.chat.messages.length, 2);
    const [answered, whole] = ["user: How warm is it?", "assistant: Let me look.\n\nIt is 7 degrees. (1)"];
    assert.deepEqual(await pathOf(shown), [answered, whole]);
    model.say(`${plan}You are welcome.`);
    await ask(shown, "Thanks", 3);
    assert.deepEqual(promptOf(), [
      "user: How warm is it?",
      "assistant: Let me look. (1)",
      'tool: {"degrees":7}',
      "assistant: It is 7 degrees.",
      "user: Thanks",
    ]);
    const said = [answered, whole, "user: Thanks", "assistant: You are welcome."];
    assert.deepEqual(await pathOf(shown), said);
  });

  test("that is called beside another, in two steps, brings all results in one request each", async () => {
    const shown = open({
      runTool: ({ toolName }) => {
        if (toolName === "clock") throw new Error("no clock");
        return "warm";
      },
    });
    model.inOrder(
      (call) => call.toolCall("weather").toolCall("clock").finish("tool_calls"),
      (call) => call.text("Once more.").toolCall("weather", {}, "again").finish("tool_calls"),
      tell,
    );
    const calls = model.calls.length;
    await ask(shown, "Hi", 3);
    assert.equal(model.calls.length, calls + 3);
    assert.deepEqual(
      shown.tools.map((part) => [part.type, part.state, part.output ?? part.errorText]),
      [
        ["tool-weather", "output-available", "warm"],
        ["tool-clock", "output-error", "Error: no clock"],
        ["tool-weather", "output-available", "warm"],
      ],
    );
    const prompt = promptOf();
    assert.deepEqual(
      [prompt.length, prompt[1], prompt[4]],
      [6, "assistant: null (2)", "assistant: Once more. (1)"],
    );
    assert.match(prompt[3] ?? "", /no clock/);
    assert.deepEqual(await pathOf(shown), ["user: Hi", "assistant: Once more.\n\nIt is 7 degrees. (3)"]);
  });

  test("with arguments that are no JSON is not run: the model is told, in the same message", async () => {
    const shown = open();
    model.inOrder((call) => call.toolCall("weather", '{"city":').finish("tool_calls"), tell);
    await ask(shown, "Hi", 2);
    assert.deepEqual(shown.asked, []);
    const [part] = shown.tools;
    assert.deepEqual([part?.state, part?.input], ["output-error", '{"city":']);
    assert.match(promptOf().at(-1) ?? "", /not valid JSON/);
    assert.deepEqual(await pathOf(shown), ["user: Hi", "assistant: It is 7 degrees. (1)"]);
  });

  test("may come back as a dynamic tool, and from a client that sends only its newest message", async () => {
    const shown = open({ sendsLastOnly: true, runTool: undefined });
    model.inOrder(look, tell);
    await ask(shown, "Hi", 1);
    const { parts, ...reply } = shown.last;
    const dynamic = parts.map((part): ShownMessage["parts"][number] => {
      if (part.type !== "tool-weather") return part;
      const { toolCallId, input } = part;
      const type = "dynamic-tool" as const;
      return { type, toolName: "weather", toolCallId, state: "output-available", input, output: [7] };
    });
    shown.chat.messages = [...shown.chat.messages.slice(0, -1), { ...reply, parts: dynamic }];
    await shown.chat.sendMessage();
    assert.equal(shown.chat.error, undefined);
    assert.deepEqual(promptOf(), ["user: Hi", "assistant: Let me look. (1)", "tool: [7]"]);
    assert.deepEqual(await pathOf(shown), ["user: Hi", "assistant: Let me look.\n\nIt is 7 degrees. (1)"]);
    assert.equal(shown.last.id, reply.id);
  });

  test("with its result beside the next message keeps the plan, though the client has left that out", async () => {
    const shown = open({ runTool: undefined });
    model.inOrder(look, (call) => call.text("Warm.").finish());
    await ask(shown, "Hi", 1);
    const { parts, ...reply } = shown.last;
    const answered = parts.flatMap((part): ShownMessage["parts"] => {
      if (part.type === "data-plan") return [];
      if (part.type !== "tool-weather") return [part];
      const { type, toolCallId, input } = part;
      return [{ type, toolCallId, state: "output-available", input, output: [7] }];
    });
    shown.chat.messages = [...shown.chat.messages.slice(0, -1), { ...reply, parts: answered }];
    await ask(shown, "So?", 2);
    assert.deepEqual(promptOf(), ["user: Hi", "assistant: Let me look. (1)", "tool: [7]", "user: So?"]);
    const loaded = await app.get(`/api/chat/${shown.chat.id}?userId=${userId}`);
    const [, again] = z
      .array(z.object({ id: z.string(), parts: z.array(z.looseObject({})) }))
      .parse(JSON.parse(loaded.body));
    assert.equal(again?.id, reply.id);
    assert.deepEqual(
      again.parts.map(({ type, state }) => [type, state]),
      [
        ["step-start", undefined],
        ["data-plan", undefined],
        ["text", "done"],
        ["tool-weather", "output-available"],
      ],
    );
  });

  test("with another result is another branch, and the first is there when its history is sent again", async () => {
    const shown = open();
    model.inOrder(look, tell);
    await ask(shown, "Hi", 2);
    const first = structuredClone(shown.chat.messages);
    const [user, reply] = structuredClone(first);
    assert.ok(user !== undefined && reply !== undefined);
    reply.parts.splice(4);
    for (const part of reply.parts)
      if (part.type === "tool-weather" && part.state === "output-available") part.output = { degrees: -7 };
    const other = open({ id: shown.chat.id, messages: [user, reply] });
    model.say("It is -7 degrees.");
    await other.chat.sendMessage();
    assert.deepEqual(await pathOf(other), ["user: Hi", "assistant: Let me look.\n\nIt is -7 degrees. (1)"]);
    model.say(`${plan}So.`);
    await ask(shown, "Sure?", 3);
    const whole = "assistant: Let me look.\n\nIt is 7 degrees. (1)";
    assert.deepEqual(await pathOf(shown), ["user: Hi", whole, "user: Sure?", "assistant: So."]);
  });

  test("is asked for again when the reply is generated again", async () => {
    const shown = open();
    model.inOrder(look, tell, look, (call) => call.text("Still 7.").finish());
    await ask(shown, "Hi", 2);
    const { id } = shown.last;
    await shown.chat.regenerate();
    await shown.until(() => shown.ends.length === 4);
    assert.notEqual(shown.last.id, id);
    assert.deepEqual(await pathOf(shown), ["user: Hi", "assistant: Let me look.\n\nStill 7. (1)"]);
  });

  test("is not run if the reply is stopped, or breaks off, while its arguments come", async () => {
    const start = { index: 0, id: "c", type: "function", function: { name: "weather", arguments: '{"ci' } };
    for (const ending of ["stop", "cut"]) {
      const shown = open();
      const { call, sending } = await shown.ask(model, "Hi");
      call.text(plan).event(toChunk({ tool_calls: [start] }));
      await shown.until(() => shown.chat.messages.length === 2 && shown.tools.length === 1);
      if (ending === "stop") await app.post(`/api/chat/${shown.chat.id}/stop?userId=${userId}`, {});
      else call.cutOff();
      await sending;
      assert.deepEqual([shown.asked, shown.tools[0]?.state], [[], "input-streaming"]);
      const isCut = ending === "cut";
      assert.equal(shown.chat.error?.message, isCut ? "The model's reply was cut off." : undefined);
      model.say(`${plan}So.`);
      await shown.chat.sendMessage({ text: "Go on" });
      assert.deepEqual([shown.chat.error, shown.text], [undefined, "So."]);
    }
  });
});
