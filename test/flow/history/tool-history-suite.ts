/** Tool calls in the history on every database, whichever wire the client uses. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { HistoryClient, type MessagePage } from "../../support/clients/history-client.ts";
import { ObservedChat } from "../../support/clients/ui-chat.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";

const Completion = z.object({
  choices: z.tuple([z.object({ message: z.looseObject({ role: z.literal("assistant") }) })]),
});
type Sent = Readonly<Record<string, unknown>>;

const tools = [{ type: "function", function: { name: "get_weather" } }];
const asks =
  (city: string, text = "") =>
  (call: ScriptedCall): void => {
    if (text !== "") call.text(text);
    call.toolCall("get_weather", { city }).finish("tool_calls");
  };
const says =
  (text: string) =>
  (call: ScriptedCall): void =>
    call.text(text).finish();

/** Runs the suite on the database that `start` starts. */
export function runToolHistorySuite(name: string, start: () => Promise<StoreHarness>): void {
  describe(`tool calls in the history on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const app = useApp(model, {}, { database: harness });
    const history = new HistoryClient(app);

    /** A chat on OpenAI's wire that resends its history, as agents do. */
    function openChat(more: Sent = {}) {
      const user = randomUUID();
      const conversations = new Set<string>();
      const ask = async (messages: readonly Sent[], script: (call: ScriptedCall) => void): Promise<Sent> => {
        model.script = script;
        const body = { model: "scripted", user, tools, messages, ...more };
        const response = await app.post("/v1/chat/completions", body);
        assert.equal(response.status, 200, response.body);
        conversations.add(String(response.headers["x-conversation-id"]));
        await app.logged((line) => line["turnId"] === response.headers["x-turn-id"]);
        return Completion.parse(JSON.parse(response.body)).choices[0].message;
      };
      const read = async (query = ""): Promise<MessagePage["messages"]> => {
        assert.equal(conversations.size, 1, "all turns are in one conversation");
        return (await history.read(user, [...conversations][0] ?? "", query)).messages;
      };
      return { user, ask, read };
    }
    const u = (content: string): Sent => ({ role: "user", content });
    const Calls = z.tuple([z.object({ id: z.string() })]);
    const result = (content: string, asking: Sent | undefined): Sent => ({
      role: "tool",
      tool_call_id: Calls.parse(asking?.["tool_calls"])[0].id,
      content,
    });
    const textsOf = (messages: MessagePage["messages"]): string[] => messages.map(({ content }) => content);

    test("an agent's calls and results are one reply, in one conversation, found again when it goes on", async () => {
      const { ask, read } = openChat();
      const messages = [u("Rain?")];
      messages.push(await ask(messages, asks("Oslo", "Let me look.")));
      assert.deepEqual(
        (await read()).map(({ content, tools: calls, status }) => [content, calls, status]),
        [
          ["Rain?", null, null],
          [
            "Let me look.",
            [
              {
                callId: "call_0",
                name: "get_weather",
                title: null,
                runsOn: "client",
                step: 0,
                at: 12,
                input: '{"city":"Oslo"}',
                status: null,
                output: null,
              },
            ],
            "complete",
          ],
        ],
      );
      messages.push(result("wet", messages.at(-1)));
      messages.push(await ask(messages, asks("Rome")));
      messages.push(result("dry", messages.at(-1)));
      messages.push(await ask(messages, says("  Wet in Oslo, dry in Rome.\n")));
      const [, reply] = await read();
      assert.equal(reply?.content, "Let me look.\n\n  Wet in Oslo, dry in Rome.");
      assert.deepEqual(
        reply.tools?.map(({ step, at, input, status, output }) => [step, at, input, status, output]),
        [
          [0, 12, '{"city":"Oslo"}', "complete", "wet"],
          [1, 12, '{"city":"Rome"}', "complete", "dry"],
        ],
      );
      assert.equal(reply.metadata["tools"], undefined);
      assert.equal(reply.metadata["tools_digest"], undefined);
      messages.push(u("Thanks"), await ask([...messages, u("Thanks")], says("Welcome.")));
      messages.push(u("Bye"), await ask([...messages, u("Bye")], says("Bye.")));
      assert.deepEqual(textsOf(await read()), ["Rain?", reply.content, "Thanks", "Welcome.", "Bye", "Bye."]);
      const all = await read("tree=true&limit=100");
      assert.equal(all.length, 8, "two rows are of the reply before its results");
      assert.deepEqual(
        all.slice(1, 4).map(({ metadata }) => metadata["superseded_by"]),
        [all[2]?.id, all[3]?.id, undefined],
      );
    });

    test("a history that differs only in a tool's result is a branch", async () => {
      const { ask, read } = openChat();
      const messages = [u("Rain?")];
      messages.push(await ask(messages, asks("Oslo")));
      for (const output of ["wet", "dry", "wet"]) {
        const answered = [...messages, result(output, messages[1])];
        const answer = await ask(answered, says("See above."));
        await ask([...answered, answer, u("Sure?")], says(`Sure: ${output}.`));
      }
      assert.deepEqual(textsOf(await read()), ["Rain?", "See above.", "Sure?", "Sure: wet."]);
      const outputs = (await read("tree=true&limit=100"))
        .filter(({ content }) => content === "See above.")
        .map(({ tools: calls }) => calls?.[0]?.output);
      assert.deepEqual(outputs.slice(0, 2), ["wet", "dry"]);
    });

    test("a reply with a plan and calls goes on without its plan in the text, and is found again", async () => {
      const { ask, read } = openChat({ model: "scripted+plan" });
      const messages = [u("Rain?")];
      messages.push(await ask(messages, asks("Oslo", "- Look\n---RESPONSE---\nLet me look.")));
      messages.push(result("wet", messages.at(-1)));
      messages.push(await ask(messages, says("It is wet.")));
      const [, reply] = await read();
      assert.deepEqual([reply?.content, reply?.metadata["plan"]], ["Let me look.\n\nIt is wet.", "- Look"]);
      await ask([...messages, u("Thanks")], says("- p\n---RESPONSE---\nWelcome."));
      assert.deepEqual(textsOf(await read()), ["Rain?", reply?.content, "Thanks", "Welcome."]);
      assert.equal((await read("tree=true")).length, 5);
    });

    for (const sendsLastOnly of [false, true]) {
      test(`the AI SDK's client runs its tools in one reply, ${sendsLastOnly ? "sending its newest message only" : "resending its history"}`, async () => {
        const userId = randomUUID();
        const id = randomUUID();
        const scripts = [asks("Oslo", "Let me look."), asks("Rome"), says("Wet, dry."), says("Welcome.")];
        model.script = (call) => scripts.shift()?.(call);
        const { chat } = new ObservedChat(app.url, {
          id,
          userId,
          sendsLastOnly,
          body: { tools },
          runTool: () => ({ sky: "wet", 1: [2] }),
        });
        await chat.sendMessage({ text: "Rain?" });
        await chat.sendMessage({ text: "Thanks" });
        const { messages } = await history.read(userId, id);
        assert.deepEqual(textsOf(messages), ["Rain?", "Let me look.\n\nWet, dry.", "Thanks", "Welcome."]);
        assert.deepEqual(
          messages[1]?.tools?.map(({ step, status, output }) => [step, status, output]),
          [
            [0, "complete", { sky: "wet", 1: [2] }],
            [1, "complete", { sky: "wet", 1: [2] }],
          ],
        );
        const sent = z.array(z.looseObject({ role: z.string() })).parse(model.calls.at(-1)?.body.messages);
        assert.deepEqual(
          sent.filter(({ role }) => role !== "system").map(({ role }) => role),
          ["user", "assistant", "tool", "assistant", "tool", "assistant", "user"],
        );
        assert.equal((await history.read(userId, id, "tree=true")).messages.length, 6);
      });
    }

    test("an export has the calls, and every branch", async () => {
      const { ask, user, read } = openChat();
      const messages = [u("Rain?")];
      messages.push(await ask(messages, asks("Oslo")));
      await ask([...messages, result("wet", messages[1])], says("Wet."));
      const [first] = await read();
      assert.ok(first !== undefined);
      const { conversations } = await history.list(user);
      const exported = await history.send("GET", `/conversations/${conversations[0]?.id}/export`, user);
      const { messages: all } = z
        .object({
          messages: z.array(z.object({ tools: z.array(z.object({ output: z.unknown() })).nullable() })),
        })
        .parse(JSON.parse(exported.body));
      assert.deepEqual(
        all.map(({ tools: calls }) => calls?.map(({ output }) => output) ?? null),
        [null, [null], ["wet"]],
      );
    });
  });
}
