/** Tool calls of completions as rows: parts of the reply that asked, found again in a resent history. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type OpenAI from "openai";
import { z } from "zod";
import { useOpenAiWire, toChat } from "../../support/clients/openai-wire.ts";
import { readMessages, type MessageRow } from "../../support/databases/read-rows.ts";

const tools: OpenAI.ChatCompletionTool[] = [{ type: "function", function: { name: "get_time" } }];
const Tools = z.array(
  z.object({
    callId: z.string(),
    name: z.string(),
    runsOn: z.string(),
    step: z.number(),
    at: z.number(),
    input: z.string(),
    outcome: z.object({ status: z.string(), output: z.unknown() }).optional(),
  }),
);

type Message = OpenAI.ChatCompletionMessageParam;

describe("a completion with tools, with the store on,", () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true" });

  /** Requests a reply; returns it as its client sends it back, with its conversation and turn. */
  async function ask(
    user: string,
    messages: readonly Message[],
    more: object = {},
    headers: Record<string, string> = {},
  ): Promise<{ readonly reply: Message; readonly conversationId: string; readonly turnId: string }> {
    const { data, response } = await wire.client.chat.completions
      .create(
        { model: "scripted", messages: [...messages], user, tools, ...more, stream: false },
        { headers },
      )
      .withResponse();
    const { content, tool_calls: calls } = data.choices[0]?.message ?? assert.fail();
    const { headers: told } = response;
    return {
      reply: { role: "assistant", content, ...(calls !== undefined && { tool_calls: calls }) },
      conversationId: told.get("x-conversation-id") ?? "",
      turnId: told.get("x-turn-id") ?? "",
    };
  }

  const rowsOf = (conversationId: string, user: string, isTree = false): Promise<MessageRow[]> =>
    readMessages(wire.app.app.store.database, conversationId, user, isTree);

  /** Returns all messages of a conversation, shown or not. */
  const treeOf = (conversationId: string, user: string): Promise<MessageRow[]> =>
    rowsOf(conversationId, user, true);

  function toTools(row: MessageRow | undefined): z.infer<typeof Tools> {
    return Tools.parse(row?.metadata?.["tools"]);
  }

  /** A reply that asks for the time in `city` once, or twice. */
  function asksForTime(...cities: readonly string[]): void {
    wire.model.script = (call) => {
      call.text("Let me see.");
      for (const city of cities) call.toolCall("get_time", { city });
      call.finish("tool_calls");
    };
  }

  function toResult(id: string, content: string): Message {
    return { role: "tool", tool_call_id: id, content };
  }

  function toCallIds(reply: Message): readonly string[] {
    return "tool_calls" in reply ? (reply.tool_calls ?? []).map(({ id }) => id) : [];
  }

  test("stores the calls with the reply that asked", async () => {
    const user = randomUUID();
    asksForTime("Lima");
    const { conversationId, turnId } = await ask(user, toChat("Hi"));
    const rows = await rowsOf(conversationId, user);
    assert.deepEqual(
      rows.map(({ role, content, status }) => [role, content, status]),
      [
        ["user", "Hi", null],
        ["assistant", "Let me see.", "complete"],
      ],
    );
    assert.equal(rows.at(-1)?.id, turnId);
    assert.deepEqual(toTools(rows.at(-1)), [
      {
        callId: "call_0",
        name: "get_time",
        runsOn: "client",
        step: 0,
        at: 11,
        input: '{"city":"Lima"}',
      },
    ]);
  });

  test("extends that reply when the results come, however many steps it takes", async () => {
    const user = randomUUID();
    const messages: Message[] = toChat("Hi");
    asksForTime("Lima", "Oslo");
    const first = await ask(user, messages);
    messages.push(first.reply, toResult("call_1", "13:15"), toResult("call_0", "07:15"));
    asksForTime("Rome");
    const second = await ask(user, messages);
    messages.push(second.reply, ...toCallIds(second.reply).map((id) => toResult(id, "14:15")));
    wire.model.say("Done.");
    const third = await ask(user, messages);
    messages.push(third.reply, ...toChat("Go on"));
    wire.model.say("And on.");
    const last = await ask(user, messages);
    for (const { conversationId } of [second, third, last])
      assert.equal(conversationId, first.conversationId);
    const rows = await rowsOf(first.conversationId, user);
    assert.deepEqual(
      rows.map(({ role, content }) => [role, content]),
      [
        ["user", "Hi"],
        ["assistant", "Let me see.\n\nLet me see.\n\nDone."],
        ["user", "Go on"],
        ["assistant", "And on."],
      ],
    );
    assert.deepEqual(
      toTools(rows[1]).map(({ step, at, input, outcome }) => [step, at, input, outcome?.output]),
      [
        [0, 11, '{"city":"Lima"}', "07:15"],
        [0, 11, '{"city":"Oslo"}', "13:15"],
        [1, 24, '{"city":"Rome"}', "14:15"],
      ],
    );
    assert.deepEqual(wire.model.calls.at(-1)?.body.messages, messages);
  });

  test("adds nothing for a history that is resent, a retried request, or another id of a call", async () => {
    const user = randomUUID();
    asksForTime("Lima");
    const first = await ask(user, toChat("Hi"));
    const messages = [...toChat("Hi"), first.reply, toResult("call_0", "07:15")];
    wire.model.say("Done.");
    const second = await ask(user, messages);
    const tree = await treeOf(first.conversationId, user);
    await ask(user, messages);
    const renamed = JSON.parse(
      JSON.stringify(messages).replaceAll("call_0", "other").replaceAll('\\":\\"', '\\" : \\"'),
    );
    await ask(user, renamed);
    assert.deepEqual(await treeOf(first.conversationId, user), tree);
    const history = [...messages, second.reply, ...toChat("Go on")];
    wire.model.say("And on.");
    assert.equal((await ask(user, history)).conversationId, first.conversationId);
    const more = await treeOf(first.conversationId, user);
    assert.deepEqual(
      more.map(({ role, content }) => [role, content]),
      [
        ["user", "Hi"],
        ["assistant", "Let me see."],
        ["assistant", "Let me see.\n\nDone."],
        ["user", "Go on"],
        ["assistant", "And on."],
      ],
    );
    assert.equal(more[1]?.metadata?.["superseded_by"], more[2]?.id);
  });

  test("makes a branch of the same conversation for another result of the same call", async () => {
    const user = randomUUID();
    asksForTime("Lima");
    const first = await ask(user, toChat("Hi"));
    const toHistory = (result: string): Message[] => [
      ...toChat("Hi"),
      first.reply,
      toResult("call_0", result),
    ];
    wire.model.say("Done.");
    for (const result of ["07:15", "07:16"]) {
      const { conversationId, turnId } = await ask(user, toHistory(result));
      assert.equal(conversationId, first.conversationId);
      const shown = await rowsOf(conversationId, user);
      assert.equal(shown.length, 2);
      assert.equal(shown.at(-1)?.id, turnId);
      assert.equal(toTools(shown.at(-1))[0]?.outcome?.output, result);
    }
    wire.model.say("And on.");
    const done: Message = { role: "assistant", content: "Done." };
    await ask(user, [...toHistory("07:15"), done, ...toChat("Go on")]);
    const shown = await rowsOf(first.conversationId, user);
    assert.equal(shown.length, 4);
    assert.equal(toTools(shown[1])[0]?.outcome?.output, "07:15");
  });

  test("keeps a failed continuation beside the reply, and the next attempt extends it all the same", async () => {
    const user = randomUUID();
    asksForTime("Lima");
    const first = await ask(user, toChat("Hi"));
    const messages = [...toChat("Hi"), first.reply, toResult("call_0", "07:15")];
    wire.model.script = (call) => call.text("It is").end();
    await assert.rejects(ask(user, messages, {}, { "x-stainless-retry-count": "9" }));
    wire.model.say("It is 07:15.");
    const { conversationId } = await ask(user, messages);
    assert.equal(conversationId, first.conversationId);
    assert.deepEqual(
      (await rowsOf(conversationId, user)).map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["Let me see.\n\nIt is 07:15.", "complete"],
      ],
    );
  });

  test("goes on without offering its tools again", async () => {
    const user = randomUUID();
    asksForTime("Lima");
    const first = await ask(user, toChat("Hi"));
    wire.model.say("Done.");
    const messages = [...toChat("Hi"), first.reply, toResult("call_0", "07:15")];
    const { conversationId } = await ask(user, messages, { tools: undefined });
    const rows = await rowsOf(conversationId, user);
    assert.deepEqual(
      rows.map(({ content }) => content),
      ["Hi", "Let me see.\n\nDone."],
    );
    assert.equal(toTools(rows[1]).length, 1);
  });

  test("stores calls with the plan, and the next answer without it", async () => {
    const user = randomUUID();
    const planned = { model: "scripted+plan" };
    wire.model.script = (call) =>
      call.text("- Look up\n---RESPONSE---\nLet me see.").toolCall("get_time", {}).finish("tool_calls");
    const first = await ask(user, toChat("Hi"), planned);
    const messages = [...toChat("Hi"), first.reply, toResult("call_0", "07:15")];
    wire.model.say("Done.");
    await ask(user, messages, planned);
    const rows = await rowsOf(first.conversationId, user);
    assert.deepEqual(
      rows.map(({ content }) => content),
      ["Hi", "Let me see.\n\nDone."],
    );
  });
});
