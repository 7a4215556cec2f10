/** Completions as rows: turns like any other, and one conversation for clients that resend their history. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { service } from "../../../src/store/database/database.ts";
import { useOpenAiWire, toChat } from "../../support/clients/openai-wire.ts";
import { readConversations, readMessages, type MessageRow } from "../../support/databases/read-rows.ts";
import { toChunk } from "../../support/model/scripted-model.ts";

const Turn = z.object({
  status: z.string(),
  finish_reason: z.string(),
  usage: z.unknown(),
  model: z.string(),
});

describe("a completion with the store on", () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true" });

  /** Requests a reply; returns its text, conversation and turn. */
  async function ask(
    more: object,
    headers: Record<string, string> = {},
    stream = false,
  ): Promise<{ readonly text: string; readonly conversationId: string; readonly turnId: string }> {
    const asked = { model: "scripted", messages: toChat("Hi"), ...more };
    const { data, response } = stream
      ? await wire.client.chat.completions.create({ ...asked, stream: true }, { headers }).withResponse()
      : await wire.client.chat.completions.create({ ...asked, stream: false }, { headers }).withResponse();
    let text = "";
    if (!("choices" in data)) for await (const { choices } of data) text += choices[0]?.delta.content ?? "";
    else text = data.choices[0]?.message.content ?? "";
    const [conversationId, turnId] = ["x-conversation-id", "x-turn-id"].map((name) =>
      response.headers.get(name),
    );
    assert.equal(response.headers.get("x-request-id"), turnId);
    return { text, conversationId: conversationId ?? "", turnId: turnId ?? "" };
  }

  async function rowsOf(conversationId: string, user: string): Promise<MessageRow[]> {
    return await readMessages(wire.app.app.store.database, conversationId, user);
  }

  for (const stream of [true, false]) {
    test(`is a turn like any other, ${stream ? "" : "not "}streamed: its conversation, its messages, its cost`, async () => {
      const user = randomUUID();
      wire.model.script = (call) => {
        const usage = { prompt_tokens: 7, completion_tokens: 5 };
        call
          .text("\n So.")
          .event({ ...toChunk({}, "length"), usage })
          .end();
      };
      const messages = [{ role: "system", content: "Be brief." }, ...toChat("  What is\nup? ")];
      const { text, conversationId, turnId } = await ask({ user, messages }, {}, stream);
      assert.equal(text, "\n So.");
      await wire.app.logged((line) => line["turnId"] === turnId);
      const conversations = await readConversations(wire.app.app.store.database, user);
      const rows = await rowsOf(conversationId, user);
      assert.deepEqual(conversations, [
        { id: conversationId, title: "What is up?", leaf_id: rows.at(-1)?.id },
      ]);
      assert.deepEqual(
        rows.map(({ role, content, metadata, status }) => [role, content, metadata?.["model"], status]),
        [
          ["system", "Be brief.", undefined, null],
          ["user", "What is\nup?", undefined, null],
          ["assistant", "So.", "scripted-1", "complete"],
        ],
      );
      assert.equal(rows.at(-1)?.id, turnId);
      const { database } = wire.app.app.store;
      const turn = await database?.call(
        "chat_read_turn",
        { turn_id: turnId, after: 0 },
        { ...service, userId: user },
      );
      const { usage, ...told } = Turn.parse(turn);
      assert.deepEqual(told, { status: "complete", finish_reason: "length", model: "scripted-1" });
      assert.deepEqual(z.record(z.string(), z.number()).parse(usage), { input_tokens: 7, output_tokens: 5 });
    });
  }

  test("with a plan keeps the plan beside the answer", async () => {
    const user = randomUUID();
    wire.model.say("- a\n---RESPONSE---\nb");
    const { conversationId } = await ask({ user, model: "scripted+plan" });
    const reply = (await rowsOf(conversationId, user)).at(-1);
    assert.deepEqual([reply?.content, reply?.metadata?.["plan"]], ["b", "- a"]);
  });

  const replies: readonly string[] = [
    "Hello.",
    "\n\n Hello.\n",
    "é e\u0301 🙂",
    "- a\n---RESPONSE---\nb\n---RESPONSE---\nc",
    "---RESPONSE---\nb",
    "Look:\n[error] model_failed: no",
  ];
  for (const reply of replies) {
    test(`continues its conversation when ${JSON.stringify(reply)} comes back in the history, and adds only what is new`, async () => {
      const user = randomUUID();
      wire.model.say(reply);
      const messages = [{ role: "system", content: "Be brief. " }, ...toChat("Hi")];
      const first = await ask({ user, messages });
      const stored = await rowsOf(first.conversationId, user);
      wire.model.say("So.");
      const history = [...messages, { role: "assistant", content: first.text }, ...toChat("Go on")];
      const second = await ask({ user, messages: history }, {}, true);
      assert.equal(second.conversationId, first.conversationId);
      await wire.app.logged((line) => line["turnId"] === second.turnId);
      const rows = await rowsOf(first.conversationId, user);
      assert.deepEqual(rows.slice(0, 3), stored);
      assert.deepEqual(
        rows.map(({ role, content }) => [role, content]),
        [
          ["system", "Be brief."],
          ["user", "Hi"],
          ["assistant", reply.trim()],
          ["user", "Go on"],
          ["assistant", "So."],
        ],
      );
      assert.deepEqual(wire.model.calls.at(-1)?.body.messages, history);
    });
  }

  test("continues a conversation with an image in it", async () => {
    const user = randomUUID();
    wire.model.say("A cat.");
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
    ];
    const messages = [{ role: "user", content }];
    const first = await ask({ user, messages });
    const history = [...messages, { role: "assistant", content: "A cat." }, ...toChat("Sure?")];
    const second = await ask({ user, messages: history });
    assert.equal(second.conversationId, first.conversationId);
    assert.equal((await rowsOf(first.conversationId, user)).length, 4);
  });

  test("that was stopped is continued when a client sends back its partial text", async () => {
    const [user, turnId] = [randomUUID(), randomUUID()];
    const next = wire.model.nextCall();
    const asked = { model: "scripted", messages: toChat("Hi"), user, stream: true } as const;
    const opening = wire.client.chat.completions
      .create(asked, { headers: { "x-turn-id": turnId } })
      .withResponse();
    (await next).text("So far");
    const { response, data } = await opening;
    await wire.app.post(`/turns/${turnId}/stop?userId=${user}`, {});
    for await (const chunk of data) assert.ok(chunk);
    wire.model.say("And on.");
    const messages = [...toChat("Hi"), { role: "assistant", content: "So far" }, ...toChat("Go on")];
    const { conversationId } = await ask({ user, messages });
    assert.equal(conversationId, response.headers.get("x-conversation-id"));
    assert.deepEqual(
      (await rowsOf(conversationId, user)).map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["So far", "stopped"],
        ["Go on", null],
        ["And on.", "complete"],
      ],
    );
  });

  test("whose reply was empty is continued when a client sends that back", async () => {
    const user = randomUUID();
    wire.model.script = (call) => call.head().finish("length");
    const first = await ask({ user });
    wire.model.say("So.");
    const messages = [...toChat("Hi"), { role: "assistant", content: "" }, ...toChat("Go on")];
    const { conversationId, text } = await ask({ user, messages });
    assert.deepEqual([conversationId, text], [first.conversationId, "So."]);
  });

  test("goes to the conversation named by its header, whatever the history", async () => {
    const [user, conversationId] = [randomUUID(), randomUUID()];
    wire.model.say("So.");
    const headers = { "x-conversation-id": conversationId };
    for (const text of ["One", "Two"]) {
      const { conversationId: told } = await ask({ user, messages: toChat(text) }, headers, text === "One");
      assert.equal(told, conversationId);
    }
    const conversations = await readConversations(wire.app.app.store.database, user);
    assert.deepEqual(
      conversations.map(({ id }) => id),
      [conversationId],
    );
  });

  test("is its user's own: neither another user nor an anonymous one can continue it", async () => {
    const user = randomUUID();
    wire.model.say("Hello.");
    const first = await ask({ user });
    const messages = [...toChat("Hi"), { role: "assistant", content: "Hello." }, ...toChat("Go on")];
    const stranger = randomUUID();
    const seen = new Set([first.conversationId]);
    for (const other of [{ user: stranger }, { user: "bob" }, {}, {}]) {
      const { conversationId } = await ask({ ...other, messages });
      assert.ok(!seen.has(conversationId));
      seen.add(conversationId);
    }
    assert.equal((await rowsOf(first.conversationId, user)).length, 2);
    assert.equal((await readConversations(wire.app.app.store.database, stranger)).length, 1);
  });

  test("that fails keeps the user's message, and its turn is marked failed", async () => {
    const user = randomUUID();
    wire.model.script = (call) => call.head(401, { "content-type": "application/json" }).end("{}");
    await assert.rejects(ask({ user }), { code: "model_unauthorized" });
    const [conversation] = await readConversations(wire.app.app.store.database, user);
    const rows = await rowsOf(conversation?.id ?? "", user);
    assert.deepEqual(
      rows.map(({ role, content }) => [role, content]),
      [["user", "Hi"]],
    );
  });
});
