/** Chats whose client sends only part of them: no message is hidden, and none is stored twice. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { startPglite } from "../../support/databases/store-harness.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { type AppResponse } from "../../support/apps/start-app.ts";
import { promptOf } from "../../support/clients/ui-chat.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";

const says = (role: string, text: string, id?: string): object => ({
  id,
  role,
  parts: [{ type: "text", text }],
});
const user = (text: string, id?: string): object => says("user", text, id);
const system = (text: string): object => says("system", text);
const assistant = (text: string, id?: string): object => says("assistant", text, id);

/** A chat of several answered questions: its id, its conversation, and the ids of its turns. */
interface AnsweredChat {
  readonly id: string;
  readonly conversationId: string;
  readonly turnIds: readonly string[];
}

describe("a client that sends part of its chat", { timeout: 120_000 }, () => {
  const userId = randomUUID();
  const model = useModel();
  const harness = useDatabase(startPglite);
  const app = useApp(model, {}, { database: harness });
  let replies = 0;
  before(async () => {
    model.script = (call) => {
      replies += 1;
      call.text(`- ${replies}\n---RESPONSE---\nA${replies}`).finish();
    };
  });

  async function post(body: object): Promise<AppResponse> {
    const answer = await app.post(`/api/chat?userId=${userId}`, body);
    assert.equal(answer.status, 200, answer.body);
    return answer;
  }

  async function pathOf(conversationId: string): Promise<string> {
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    return rows.map(({ content }) => content).join(" ");
  }

  /** Returns the last prompt of the model. */
  function told(): string {
    const pairs = promptOf(model.calls.at(-1)).map((pair) => (Array.isArray(pair) ? pair.join(":") : ""));
    return pairs.join(" ").replaceAll(/system|user|assistant/g, ([letter = ""]) => letter);
  }

  /** Has each of `texts` answered with `A1` and so on. */
  async function answered(...texts: readonly string[]): Promise<AnsweredChat> {
    const id = `chat ${randomUUID()}`;
    const turnIds: string[] = [];
    let conversationId = "";
    replies = 0;
    for (const [index, text] of texts.entries()) {
      const { headers } = await post({ id, message: user(text, `m${index + 1}`) });
      conversationId = String(headers["x-conversation-id"]);
      turnIds.push(String(headers["x-turn-id"]));
    }
    return { id, conversationId, turnIds };
  }

  for (const [how, secondId] of [
    ["by its id", "m2"],
    ["by the reply to it", undefined],
  ] as const) {
    test(`continues from a message with the same text as the chat's first, which is recognised ${how}`, async () => {
      const { id, conversationId, turnIds } = await answered("hi", "hi");
      await post({ id, messages: [user("hi", secondId), assistant("A2", turnIds[1]), user("Q3")] });
      assert.equal(await pathOf(conversationId), "hi A1 hi A2 Q3 A3");
    });
  }

  test("continues below the reply that it leaves out", async () => {
    const { id, conversationId } = await answered("hi", "hi");
    await post({ id, messages: [user("hi", "m2"), user("Q3", "m3")] });
    assert.equal(await pathOf(conversationId), "hi A1 hi A2 Q3 A3");
  });

  test("keeps the middle that it leaves out, and sends the model the rest", async () => {
    const { id, conversationId, turnIds } = await answered("Q1", "Q2", "Q3");
    await post({ id, messages: [user("Q1", "m1"), assistant("A3", turnIds[2]), user("Q4", "m4")] });
    assert.equal(await pathOf(conversationId), "Q1 A1 Q2 A2 Q3 A3 Q4 A4");
    assert.equal(told(), "u:Q1 a:A3 u:Q4");
    await post({
      id,
      messages: [user("Q1", "m1"), user("Q3", "m3"), assistant("A3", turnIds[2]), user("Q5")],
    });
    assert.equal(await pathOf(conversationId), "Q1 A1 Q2 A2 Q3 A3 Q5 A5");
  });

  test("edits an earlier message even if it sends the messages below it", async () => {
    const { id, conversationId, turnIds } = await answered("Q1", "Q2");
    await post({ id, messages: [user("Q1b", "m1"), assistant("A1", turnIds[0]), user("Q2", "m2")] });
    assert.equal(await pathOf(conversationId), "Q1b A1 Q2 A3");
  });

  test("may insert a system message before its newest one, which hides nothing and is stored once", async () => {
    const id = `chat ${randomUUID()}`;
    replies = 0;
    const { headers } = await post({ id, messages: [system("S"), user("Q1", "m1")] });
    const conversationId = String(headers["x-conversation-id"]);
    await post({ id, messages: [system("S"), user("Q2", "m2")] });
    assert.equal(await pathOf(conversationId), "S Q1 A1 Q2 A2");
    assert.equal(told(), "s:S u:Q1 a:A1 u:Q2");
    await post({ id, messages: [system("S at noon"), system("T"), user("Q3", "m3")] });
    assert.equal(await pathOf(conversationId), "S Q1 A1 Q2 A2 Q3 A3");
    assert.equal(told(), "s:S at noon s:T u:Q1 a:A1 u:Q2 a:A2 u:Q3");
    await post({ id, messages: [system("S"), user("Q2b", "m2")] });
    assert.equal(await pathOf(conversationId), "S Q1 A1 Q2b A4");
    await post({ id, messages: [system("S"), user("Q1", "m1")], trigger: "regenerate-message" });
    assert.equal(await pathOf(conversationId), "S Q1 A5");
    assert.equal(told(), "s:S u:Q1");
  });

  test("may name a message like a reply, and has it added below that reply", async () => {
    const { id, conversationId, turnIds } = await answered("Q1");
    await post({ id, message: user("Q2", turnIds[0]) });
    assert.equal(await pathOf(conversationId), "Q1 A1 Q2 A2");
    assert.equal(told(), "u:Q1 a:A1 u:Q2");
  });

  test("regenerates a reply, and never gets a reply to a reply, whatever `parentId` it sends", async () => {
    const { id, conversationId, turnIds } = await answered("Q1", "Q2");
    const trigger = "regenerate-message";
    await post({ id, trigger, parentId: "leaf" });
    assert.equal(await pathOf(conversationId), "Q1 A1 Q2 A3");
    await post({ id, trigger, parentId: "leaf", message: user("Q2", "m2") });
    assert.equal(await pathOf(conversationId), "Q1 A1 Q2 A4");
    await post({ id, trigger, parentId: turnIds[0] });
    assert.equal(await pathOf(conversationId), "Q1 A5");
    await post({ id, trigger, parentId: turnIds[0], message: user("Q2", "m2") });
    assert.equal(await pathOf(conversationId), "Q1 A1 Q2 A6");
  });
});
