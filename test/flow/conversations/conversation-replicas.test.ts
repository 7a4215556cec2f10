/** Conversations and responses of OpenAI's clients on two replicas, and without a store. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import OpenAI from "openai";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useModel, useReplicas } from "../../support/apps/use-app.ts";

function connect(app: RunningApp, user = "alice"): OpenAI {
  return new OpenAI({ apiKey: "sk-none", baseURL: `${app.url}/v1`, maxRetries: 0, defaultQuery: { user } });
}

describe("two replicas", { timeout: 120_000 }, () => {
  const { model, here, there } = useReplicas();

  test("delete a response that is in progress on the other one, and it does not come back", async () => {
    const [client, other] = [connect(here), connect(there)];
    const called = model.nextCall();
    const { id } = await client.responses.create({ model: "scripted", input: "One", background: true });
    const call = await called;
    call.text("Hello");
    await other.responses.delete(id);
    for (const each of [client, other]) {
      await assert.rejects(each.responses.retrieve(id), { status: 404 });
      await assert.rejects(each.responses.delete(id), { status: 404 });
    }
    const { body } = await there.get("/conversations?userId=" + randomUUID());
    assert.equal(JSON.parse(body).conversations.length, 0);
  });

  test("continue a response, and list and change a conversation, wherever it was made", async () => {
    const [client, other] = [connect(here), connect(there)];
    model.script = (call) => call.text("Hello").finish();
    const { id } = await client.conversations.create({ metadata: {} });
    const first = await client.responses.create({ model: "scripted", input: "One", conversation: id });
    await other.responses.create({ model: "scripted", input: "Two", previous_response_id: first.id });
    await client.conversations.items.create(id, { items: [{ role: "user", content: "Three" }] });
    const { data } = await other.conversations.items.list(id, { order: "asc" });
    assert.deepEqual(
      data.map((item) => (item.type === "message" ? item.role : item.type)),
      ["user", "assistant", "user", "assistant", "user"],
    );
    assert.equal((await other.conversations.delete(id)).deleted, true);
    await assert.rejects(client.conversations.items.list(id), { status: 404 });
    await assert.rejects(client.responses.retrieve(first.id), { status: 404 });
  });
});

describe("while the store is away", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, {
    CHAT_STORE_ENABLED: "true",
    DATABASE_URL: "postgres://postgres@127.0.0.1:9/postgres",
  });

  test("conversations are a 503, and a response in the journal can be read, but not deleted", async () => {
    const client = connect(app);
    model.script = (call) => call.text("Hello").finish();
    const away = { status: 503, code: "store_unavailable" };
    await assert.rejects(client.conversations.create({ metadata: {} }), away);
    await assert.rejects(client.conversations.items.list(`conv_${randomUUID()}`), away);
    const { id } = await client.responses.create({ model: "scripted", input: "One" });
    assert.equal((await client.responses.retrieve(id)).status, "completed");
    await assert.rejects(client.responses.delete(id), away);
    assert.equal((await client.responses.retrieve(id)).status, "completed");
    await assert.rejects(
      client.responses.create({ model: "scripted", input: "Two", previous_response_id: id }),
      away,
    );
  });
});

describe("without a store", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  test("there are no conversations, and a response is gone once it is deleted", async () => {
    const client = connect(app);
    model.script = (call) => call.text("Hello").finish();
    await assert.rejects(client.conversations.create({ metadata: {} }), { status: 404, code: "history_off" });
    const { id } = await client.responses.create({ model: "scripted", input: "One" });
    assert.equal((await client.responses.retrieve(id)).status, "completed");
    await assert.rejects(connect(app, "bob").responses.delete(id), { status: 404 });
    await client.responses.delete(id);
    await assert.rejects(client.responses.retrieve(id), { status: 404 });
  });
});
