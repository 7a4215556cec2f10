/** Results for a stored reply: `toolResults` on any replica, checked against the calls of the reply. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useReplicas } from "../../support/apps/use-app.ts";

const weather = { name: "weather", parameters: { type: "object" } };
const question = { messages: [{ sender: "user", text: "How warm is it in Oslo and in Rome?" }] };
const json = { accept: "application/json" };

describe("results for a stored reply", { timeout: 180_000 }, () => {
  const { model, database, here, there } = useReplicas();

  /** Starts a turn that ends in two calls; returns its id. */
  async function askForTools(userId: string): Promise<string> {
    model.script = (call) =>
      call
        .text("- Look\n---RESPONSE---\nLet me look.")
        .toolCall("weather", { city: "Oslo" }, "c1")
        .toolCall("weather", { city: "Rome" }, "c2")
        .finish("tool_calls");
    const body = { ...question, userId, tools: [weather] };
    return String((await here.post("/stream-chat", body)).headers["x-turn-id"]);
  }

  const results = [
    { callId: "c2", error: "There is no Rome." },
    { callId: "c1", output: { degrees: 3 } },
  ];

  test("continue it on another replica: the stored message has all texts, calls and results", async () => {
    const userId = randomUUID();
    const parentId = await askForTools(userId);
    model.say("3 degrees in Oslo.");
    const more = { parentId, userId, toolResults: results, tools: [weather] };
    const state = JSON.parse((await there.post("/stream-chat", more, json)).body);
    assert.deepEqual([state.status, state.answer, state.tools], ["complete", "3 degrees in Oslo.", []]);
    const { messages } = model.calls.at(-1)?.body ?? assert.fail();
    assert.deepEqual(
      messages.slice(1).map(({ role, content }) => [role, content]),
      [
        ["assistant", "Let me look."],
        ["tool", '{"degrees":3}'],
        ["tool", "The tool failed. There is no Rome."],
      ],
    );
    const path = `/conversations/${state.conversationId}/messages?userId=${userId}`;
    const { messages: stored } = JSON.parse((await here.get(path)).body);
    assert.equal(stored.length, 2);
    assert.equal(stored[1].content, "Let me look.\n\n3 degrees in Oslo.");
    const rows = await database.sql(
      `select metadata -> 'tools' as tools from messages where id = '${String(state.id)}'`,
    );
    const [{ tools } = {}] = rows;
    assert.ok(Array.isArray(tools));
    assert.deepEqual(
      tools.map(({ callId, outcome }) => [callId, outcome.status, outcome.output]),
      [
        ["c1", "complete", { degrees: 3 }],
        ["c2", "failed", "There is no Rome."],
      ],
    );
  });

  test("with the same key are the same turn, and with other results another branch", async () => {
    const userId = randomUUID();
    const parentId = await askForTools(userId);
    model.say("Cold.");
    const calls = model.calls.length;
    const key = { ...json, "idempotency-key": randomUUID() };
    const more = { parentId, userId, toolResults: results, tools: [weather] };
    const first = JSON.parse((await here.post("/stream-chat", more, key)).body);
    for (const app of [here, there])
      assert.equal(JSON.parse((await app.post("/stream-chat", more, key)).body).id, first.id);
    const other = { ...more, toolResults: [results[0], { callId: "c1", output: 4 }] };
    assert.equal((await there.post("/stream-chat", other, key)).status, 409);
    const branch = JSON.parse((await there.post("/stream-chat", other, json)).body);
    assert.notEqual(branch.id, first.id);
    assert.equal(branch.conversationId, first.conversationId);
    assert.equal(model.calls.length, calls + 2);
  });

  const refused: readonly [string, readonly object[], string][] = [
    [
      "one for an unknown call",
      [...results, { callId: "c3", output: 1 }],
      "toolResults[2].callId: must be a tool call",
    ],
    ["a missing one", results.slice(0, 1), "toolResults: must have the result of c1"],
    ["a repeated one", [...results, results[0] ?? {}], "toolResults[2].callId: must be different"],
    [
      "one with an output and an error",
      [{ callId: "c1", output: 1, error: "x" }],
      "toolResults[0]: must have",
    ],
  ];
  test("refuse results that do not fit, by the name of their field", async () => {
    const userId = randomUUID();
    const parentId = await askForTools(userId);
    const calls = model.calls.length;
    for (const [name, toolResults, detail] of refused) {
      const response = await there.post("/stream-chat", { parentId, userId, toolResults });
      assert.equal(response.status, 400, name);
      assert.ok(JSON.parse(response.body).detail.startsWith(detail), response.body);
    }
    const foreign = await there.post("/stream-chat", {
      parentId,
      userId: randomUUID(),
      toolResults: results,
    });
    assert.equal(foreign.status, 404, foreign.body);
    model.say("- p\n---RESPONSE---\n", "Hi.");
    const plain = await here.post("/stream-chat", { ...question, userId });
    const ended = { parentId: String(plain.headers["x-turn-id"]), userId, toolResults: results };
    const { status, body } = await there.post("/stream-chat", ended);
    assert.equal(status, 400);
    assert.match(JSON.parse(body).detail, /^toolResults\[0\]\.callId: must be a tool call of the reply/);
    assert.equal(model.calls.length, calls + 1);
  });
});
