/**
 * The reduced store: with the project's anonymous key, a turn's messages are stored with its user's own
 * token.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { createClient } from "@supabase/supabase-js";
import { z } from "zod";
import { ScriptedModel } from "../../support/model/scripted-model.ts";
import { startApp, type AppResponse, type LogLine, type RunningApp } from "../../support/apps/start-app.ts";
import type { SupabaseStack } from "../../support/databases/supabase-stack.ts";
import { runSql, startSupabaseHarness } from "../../support/databases/store-harness.ts";

const body = "- Think\n---RESPONSE---\nHello.";
const Rows = z.array(
  z.object({ role: z.string(), content: z.string(), status: z.string().nullable(), user_id: z.string() }),
);

/** A message as a frontend sends it. */
interface Line {
  readonly sender: "user" | "bot";
  readonly text: string;
}

describe("with SUPABASE_ANON_KEY", () => {
  let stack: SupabaseStack;
  let model: ScriptedModel;
  let app: RunningApp;
  before(async () => {
    ({ stack } = await startSupabaseHarness());
    model = await ScriptedModel.start();
    app = await startApp(toVariables(stack.anonKey));
  });
  after(async () => {
    await app.close();
    await model.close();
    await stack.stop();
  });

  function toVariables(key: string): Record<string, string> {
    return {
      CHAT_STORE_ENABLED: "true",
      SUPABASE_URL: stack.url,
      SUPABASE_ANON_KEY: key,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
    };
  }

  /** Runs a turn; resolves when its rows are stored, or cannot be. */
  async function chat(
    messages: readonly Line[],
    token: string | undefined,
    more: object = {},
  ): Promise<AppResponse> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await app.post("/stream-chat", { messages, ...more }, headers);
    await app.logged(({ msg, turnId }) => msg === "turn" && turnId === answer.headers["x-turn-id"]);
    return answer;
  }

  function toTrouble(answer: AppResponse): readonly LogLine[] {
    const turnId = answer.headers["x-turn-id"];
    return app.logs.filter(
      (line) => line.turnId === turnId && line.msg === "turn lost: neither the store nor the journal took it",
    );
  }

  function assertWhole(answer: AppResponse): void {
    assert.deepEqual([answer.status, answer.isComplete, answer.body], [200, true, body]);
  }

  /** Returns the messages that a user's page sees in a conversation, oldest first. */
  async function see(userId: string, conversationId: unknown): Promise<z.infer<typeof Rows>> {
    const client = createClient(stack.url, stack.anonKey, {
      auth: { persistSession: false, autoRefreshToken: false },
      global: { headers: { Authorization: `Bearer ${stack.userToken(userId)}` } },
    });
    const messages = client.from("messages").select("role, content, status, user_id");
    const { data } = await messages.eq("conversation_id", conversationId).order("created_at");
    return Rows.parse(data);
  }

  async function countRows(): Promise<unknown> {
    return await runSql(stack.databaseUrl, [
      "select (select count(*) from conversations) as conversations, (select count(*) from messages) as messages",
    ]);
  }

  const hi: Line = { sender: "user", text: "Hi" };
  const reply: Line = { sender: "bot", text: body };

  test("a turn is stored once under the token's user, whatever `userId` the payload has", async () => {
    for (const payload of [{}, { userId: randomUUID() }, { userId: "" }]) {
      const userId = randomUUID();
      const answer = await chat([hi], stack.userToken(userId), payload);
      assertWhole(answer);
      assert.deepEqual(toTrouble(answer), []);
      assert.deepEqual(await see(userId, answer.headers["x-conversation-id"]), [
        { role: "user", content: "Hi", status: null, user_id: userId },
        { role: "assistant", content: "Hello.", status: "complete", user_id: userId },
      ]);
    }
  });

  test("the row of the reply holds its plan, and the conversation its title", async () => {
    const userId = randomUUID();
    const { headers } = await chat([{ sender: "user", text: "  What\n is it?" }], stack.userToken(userId));
    const rows = await runSql(stack.databaseUrl, [
      `select c.title, c.user_id, m.metadata ->> 'plan' as plan, m.metadata ->> 'finish_reason' as finish_reason, c.leaf_id = m.id as is_leaf
       from conversations c join messages m on m.conversation_id = c.id
       where c.id = '${String(headers["x-conversation-id"])}' and m.role = 'assistant'`,
    ]);
    assert.deepEqual(rows, [
      { title: "What is it?", user_id: userId, plan: "- Think", finish_reason: "stop", is_leaf: true },
    ]);
  });

  const sameConversation: readonly [string, (answer: AppResponse) => object][] = [
    [
      "of a conversation that is named",
      (answer) => ({ conversationId: answer.headers["x-conversation-id"] }),
    ],
    ["of a conversation that is not named", () => ({})],
  ];
  for (const [which, name] of sameConversation) {
    test(`a history that is sent again, ${which}, adds only new messages`, async () => {
      const userId = randomUUID();
      const first = await chat([hi], stack.userToken(userId));
      const lines = [hi, reply, { sender: "user", text: "More" } as const];
      const second = await chat(lines, stack.userToken(userId), name(first));
      assert.deepEqual([toTrouble(first), toTrouble(second)], [[], []]);
      const rows = await see(userId, first.headers["x-conversation-id"]);
      assert.deepEqual(
        rows.map(({ content }) => content),
        ["Hi", "Hello.", "More", "Hello."],
      );
    });
  }

  test("a response names the conversation that holds its rows, even if the client names none", async () => {
    const userId = randomUUID();
    await chat([hi], stack.userToken(userId));
    const { headers } = await chat([hi, reply, { ...hi, text: "More" }], stack.userToken(userId));
    assert.equal((await see(userId, headers["x-conversation-id"])).length, 4);
  });

  test("a reply whose client brings results with its next message keeps its plan", async () => {
    const userId = randomUUID();
    const headers = { authorization: `Bearer ${stack.userToken(userId)}` };
    const tools = [{ type: "function", function: { name: "look" } }];
    const question = { id: "q", role: "user", parts: [{ type: "text", text: "Hi" }] };
    const call = { type: "tool-look", toolCallId: "c", state: "output-available", input: {}, output: 7 };
    const answered = { id: "a", role: "assistant", parts: [{ type: "text", text: "Wait." }, call] };
    const next = { id: "n", role: "user", parts: [{ type: "text", text: "So?" }] };
    const id = randomUUID();
    model.inOrder(
      (asked) => asked.text("- Think\n---RESPONSE---\nWait.").toolCall("look", {}, "c").finish("tool_calls"),
      (asked) => asked.text("Seven.").finish(),
    );
    for (const messages of [[question], [question, answered, next]]) {
      const answer = await app.post("/api/chat", { id, messages, tools }, headers);
      await app.logged(({ msg, turnId }) => msg === "turn" && turnId === answer.headers["x-turn-id"]);
      assert.deepEqual(toTrouble(answer), []);
    }
    model.say(body);
    const rows = await runSql(stack.databaseUrl, [
      `select content, metadata ->> 'plan' as plan, metadata ? 'superseded_by' as is_superseded
        from messages where user_id = '${userId}' and role = 'assistant' order by created_at`,
    ]);
    assert.deepEqual(rows, [
      { content: "Wait.", plan: "- Think", is_superseded: true },
      { content: "Wait.", plan: "- Think", is_superseded: false },
      { content: "Seven.", plan: "", is_superseded: false },
    ]);
  });

  test("a long history that is sent again adds only new messages", async () => {
    const userId = randomUUID();
    const lines = Array.from({ length: 10 }, (_, index) => [{ ...hi, text: `${index}` }, reply]).flat();
    const conversationId = randomUUID();
    for (const messages of [lines, [...lines, { ...hi, text: "10" }, reply]])
      await chat([...messages, hi], stack.userToken(userId), { conversationId });
    assert.equal((await see(userId, conversationId)).length, 26);
  });

  test("two turns that their client gave the same id are both stored", async () => {
    const [userId, turnId] = [randomUUID(), randomUUID()];
    const headers = { authorization: `Bearer ${stack.userToken(userId)}`, "x-turn-id": turnId };
    const conversationId = randomUUID();
    const ended = (): number =>
      app.logs.filter((line) => line.msg === "turn" && line.turnId === turnId).length;
    for (const text of ["One", "Two"]) {
      const answer = await app.post("/stream-chat", { messages: [{ ...hi, text }], conversationId }, headers);
      assertWhole(answer);
      await app.logged(() => ended() === (text === "One" ? 1 : 2));
      assert.deepEqual(toTrouble(answer), []);
    }
    const rows = await see(userId, conversationId);
    assert.deepEqual(
      rows.map(({ content }) => content),
      ["One", "Hello.", "Two", "Hello."],
    );
  });

  test("another user sees no rows of it and cannot write to it, but streams all the same", async () => {
    const [userId, stranger] = [randomUUID(), randomUUID()];
    const { headers } = await chat([hi], stack.userToken(userId));
    const conversationId = headers["x-conversation-id"];
    assert.deepEqual(await see(stranger, conversationId), []);
    const earlier = await countRows();
    const intrusion = await chat([{ ...hi, text: "It is me" }], stack.userToken(stranger), {
      conversationId,
      userId,
    });
    assertWhole(intrusion);
    assert.deepEqual(
      toTrouble(intrusion).map(({ code }) => code),
      ["store_refused"],
    );
    assert.deepEqual(await countRows(), earlier);
    assert.equal((await see(userId, conversationId)).length, 2);
  });

  test("with authenticated users, another user's conversation does not exist for writing, and the model is not called", async () => {
    const [userId, stranger] = [randomUUID(), randomUUID()];
    const variables = { AUTH: "supabase", SUPABASE_JWT_SECRET: stack.jwtSecret };
    const guarded = await startApp({ ...toVariables(stack.anonKey), ...variables });
    const ask = async (whose: string, more: object = {}): Promise<AppResponse> =>
      await guarded.post(
        "/stream-chat",
        { messages: [hi], ...more },
        { authorization: `Bearer ${stack.userToken(whose)}` },
      );
    const first = await ask(userId, { conversationId: randomUUID() });
    assertWhole(first);
    const conversationId = first.headers["x-conversation-id"];
    const calls = model.calls.length;
    const refused = await ask(stranger, { conversationId });
    assert.deepEqual([refused.status, JSON.parse(refused.body).code], [404, "conversation_not_found"]);
    assert.equal(model.calls.length, calls);
    assertWhole(await ask(userId, { conversationId }));
    assert.equal((await see(userId, conversationId)).length, 2, "the same question, and its first answer");
    await guarded.close();
  });

  const tokens: readonly [string, () => string | undefined][] = [
    ["without a token", () => undefined],
    [
      "with an expired token",
      () => stack.userToken(randomUUID(), { exp: Math.floor(Date.now() / 1_000) - 3_600 }),
    ],
    [
      "with a token that the project did not sign",
      () => `${stack.userToken(randomUUID()).slice(0, -8)}AAAAAAAA`,
    ],
    ["with a token that is none", () => "nonsense"],
    ["with the anonymous key as its token", () => stack.anonKey],
  ];
  for (const [which, makeToken] of tokens) {
    test(`a turn ${which} streams all the same, is not stored, and one log line says so`, async () => {
      const earlier = await countRows();
      const answer = await chat([hi], makeToken(), { userId: randomUUID() });
      assertWhole(answer);
      assert.deepEqual(
        toTrouble(answer).map(({ code }) => code),
        ["store_refused"],
      );
      assert.deepEqual(await countRows(), earlier);
    });
  }

  test("one user's token is never used for another user's turn, however many run at once", async () => {
    const userIds = Array.from({ length: 8 }, () => randomUUID());
    const answers = await Promise.all(userIds.map((userId) => chat([hi], stack.userToken(userId))));
    for (const [index, userId] of userIds.entries()) {
      const rows = await see(userId, answers[index]?.headers["x-conversation-id"]);
      assert.deepEqual(
        rows.map((row) => row.user_id),
        [userId, userId],
      );
    }
  });

  test("the server is ready, although the key has no rights of its own", async () => {
    const { status, body: ready } = await app.get("/readyz");
    assert.deepEqual([status, JSON.parse(ready).status], [200, "ok"]);
  });
});
