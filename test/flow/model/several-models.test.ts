/** Several models: who is asked for which turn, on every wire. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import type { AppResponse } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { useTwoModels } from "../../support/apps/use-two-models.ts";
import { startPglite } from "../../support/databases/store-harness.ts";
import type { ScriptedModel } from "../../support/model/scripted-model.ts";
import { eventsOf, typed, useTools } from "../tools/use-tools.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";

const Problem = z.object({ status: z.number(), code: z.string(), detail: z.string() });
const toProblem = ({ body }: AppResponse) => Problem.parse(JSON.parse(body));
const unknown = (name: string) => ({
  status: 404,
  code: "model_not_found",
  detail: `model: ${name} does not exist; use fast or slow`,
});

describe("a server with several models", { timeout: 120_000 }, () => {
  const models = useTwoModels({ slow: { reasoning: "opened" } });
  const tools = useTools("suite");
  const database = useDatabase(startPglite);
  const app = useApp(models.fast, () => ({ ...models.variables, ...tools.variables }), { database });

  /** Returns the calls of both models since it was last called. */
  function takeCalls(): readonly (readonly [model: string, key: string | undefined])[] {
    return [models.fast, models.slow].flatMap(({ calls }) =>
      calls.splice(0).map(({ body, headers }) => [body.model, headers.authorization] as const),
    );
  }

  beforeEach(takeCalls);

  const fast = ["upstream-fast", "Bearer key-of-fast"] as const;
  const slow = ["upstream-slow", "Bearer key-of-slow"] as const;
  const ui = (more: object): object => ({
    id: randomUUID(),
    messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }],
    ...more,
  });
  const completion = (model: string): object => ({ model, messages: [{ role: "user", content: "Hi" }] });

  test("asks the model that a request names, on every wire, with its own name and key", async () => {
    for (const accept of ["text/plain", "text/event-stream", "application/json"]) {
      const message = { messages: [{ sender: "user", text: "Hi" }], model: "slow" };
      assert.equal((await app.post("/stream-chat", message, { accept })).status, 200);
      assert.deepEqual(takeCalls(), [slow], accept);
    }
    assert.equal((await app.post("/api/chat", ui({ model: "slow" }))).status, 200);
    assert.deepEqual(takeCalls(), [slow]);
    for (const name of ["slow", "slow+plan"]) {
      assert.equal((await app.post("/v1/chat/completions", completion(name))).status, 200);
      assert.deepEqual(takeCalls(), [slow], name);
    }
  });

  test("asks the first model if a request names none, also by null or an empty text", async () => {
    for (const more of [{}, { model: null }, { model: "" }, { model: "fast" }]) {
      assert.equal((await app.chat("Hi", more)).status, 200);
      assert.equal((await app.post("/api/chat", ui(more))).status, 200);
      assert.deepEqual(takeCalls(), [fast, fast], JSON.stringify(more));
    }
  });

  test("names the same model in events, states and lists, not the name that its server reports", async () => {
    const response = await app.chat("Hi", { model: "slow" });
    const { body } = await app.get(`/turns/${String(response.headers["x-turn-id"])}`);
    assert.equal(z.object({ model: z.string() }).parse(JSON.parse(body)).model, "slow");
    const message = { messages: [{ sender: "user", text: "Hi" }], model: "slow" };
    const events = toStreamEvents((await app.post("/stream-chat", message, typed)).body);
    assert.deepEqual(
      events.flatMap(({ model }) => (model === undefined ? [] : [model])),
      ["slow", "slow"],
    );
    const list = await app.get("/v1/models");
    const { data } = z.object({ data: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(list.body));
    const ids = data.map(({ id }) => id);
    assert.deepEqual(ids, ["fast", "fast+plan", "slow", "slow+plan"]);
    for (const id of ids) assert.equal((await app.get(`/v1/models/${encodeURIComponent(id)}`)).status, 200);
  });

  test("refuses every other name with the list of names, and asks no model", async () => {
    for (const [name, quoted = JSON.stringify(name)] of [
      ["gpt-4o"],
      ["Slow"],
      [" slow"],
      ["slow+plan"],
      ["upstream-slow"],
      ["__proto__"],
      ["a\u0000\ud800"],
      ["x".repeat(5_000), `"${"x".repeat(64)}…"`],
    ] as const) {
      assert.deepEqual(toProblem(await app.chat("Hi", { model: name })), unknown(quoted));
      const response = await app.post("/api/chat", ui({ model: name }));
      assert.deepEqual([response.status, response.body], [404, unknown(quoted).detail]);
    }
    for (const name of ["gpt-4o", "slow+plan+plan", "+plan", ""]) {
      const { status, body } = await app.post("/v1/chat/completions", completion(name));
      assert.equal(status, 404);
      assert.match(body, /does not exist; use fast or fast\+plan or slow or slow\+plan/);
    }
    for (const model of [5, true, ["slow"], { name: "slow" }]) {
      const problem = { status: 400, code: "invalid_request", detail: "model: must be a string" };
      const sent = await app.post("/v1/chat/completions", { ...completion("slow"), model });
      assert.equal(sent.status, 400);
      assert.match(sent.body, /"model: must be a string"/);
      assert.deepEqual(toProblem(await app.chat("Hi", { model })), problem);
      assert.equal((await app.post("/api/chat", ui({ model }))).status, 400);
    }
    assert.deepEqual(takeCalls(), []);
  });

  test("lets a conversation go on with any model", async () => {
    const conversationId = randomUUID();
    for (const [text, more] of [
      ["One", { model: "slow" }],
      ["Two", { parentId: "leaf" }],
      ["Three", { model: "slow", parentId: "leaf" }],
    ] as const) {
      const response = await app.chat(text, { conversationId, ...more });
      assert.equal(response.status, 200, response.body);
    }
    const sent = models.slow.calls.at(-1)?.body.messages.length;
    assert.deepEqual(takeCalls(), [fast, slow, slow]);
    assert.equal(sent, 6, "the instruction, two exchanges and the question");
  });

  test("replays a key for the same model only, where no name means the first", async () => {
    const key = { "idempotency-key": randomUUID() };
    const ask = (more: object) =>
      app.post("/stream-chat", { messages: [{ sender: "user", text: "Hi" }], ...more }, key);
    const { headers } = await ask({});
    const same = await ask({ model: "fast" });
    assert.deepEqual(
      [same.headers["x-turn-id"], same.headers["idempotency-replayed"]],
      [headers["x-turn-id"], "true"],
    );
    assert.equal(toProblem(await ask({ model: "slow" })).code, "idempotency_mismatch");
    assert.deepEqual(takeCalls(), [fast]);
  });

  test("goes on with the turn's own model after a wait for an approval", async () => {
    models.slow.inOrder(
      (call) => call.toolCall("w__act").finish("tool_calls"),
      (call) => call.text("- p\n---RESPONSE---\nDone.").finish(),
    );
    const body = { messages: [{ sender: "user", text: "Do it." }], model: "slow" };
    const response = await app.post("/stream-chat", body, typed);
    const approvals = z
      .array(z.looseObject({ approvalId: z.string() }))
      .parse(eventsOf(response).at(-1)?.["approvals"]);
    const turn = `/turns/${String(response.headers["x-turn-id"])}`;
    const answers = approvals.map(({ approvalId }) => ({ approvalId, approved: true }));
    assert.equal((await app.post(`${turn}/approvals`, { approvals: answers })).status, 200);
    const followed = await app.get(`${turn}/stream`);
    assert.match(followed.body, /Done\.$/);
    assert.deepEqual(takeCalls(), [slow, slow]);
    models.slow.say("- Think\n---RESPONSE---\n", "Hello.");
  });

  test("reads each model's reasoning in its own way", async () => {
    for (const model of [models.fast, models.slow])
      model.say("Hm, well.\n</think>\n- p\n---RESPONSE---\nHello.");
    const [first, second] = [await app.chat("Hi"), await app.chat("Hi", { model: "slow" })];
    assert.match(first.body, /^Hm, well\./);
    assert.equal(second.body, "- p\n---RESPONSE---\nHello.");
  });
});

describe("a server with the single model of its environment", () => {
  const model: ScriptedModel = useModel();
  const app = useApp(model);

  test("ignores the field model, of any type, as the Flask service did, except on /v1", async () => {
    for (const name of ["gpt-4o", "", "scripted", 5, null, ["x"], { a: 1 }]) {
      assert.equal((await app.chat("Hi", { model: name })).status, 200);
      const messages = [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }];
      assert.equal((await app.post("/api/chat", { id: "c", messages, model: name })).status, 200);
    }
    const { status } = await app.post("/v1/chat/completions", {
      model: "gpt-4o",
      messages: [{ role: "user", content: "Hi" }],
    });
    assert.equal(status, 404);
    assert.ok(model.calls.every(({ body }) => body.model === "scripted"));
  });
});
