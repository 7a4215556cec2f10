/** Requests to a model server: keys, organization, Azure, and connection reuse. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ScriptedModel, type ScriptedCall } from "../support/model/scripted-model.ts";
import { startApp } from "../support/apps/start-app.ts";

describe("OpenAiModel", () => {
  let model: ScriptedModel;
  before(async () => {
    model = await ScriptedModel.start();
  });
  after(() => model.close());

  async function ask(variables: Record<string, string>, times = 1): Promise<ScriptedCall[]> {
    const app = await startApp({ OPENAI_MODEL: "scripted", ...variables });
    model.calls.length = 0;
    for (let time = 0; time < times; time += 1) assert.equal((await app.chat("Hi")).status, 200);
    await app.close();
    return model.calls;
  }

  test("sends the key, the organization and the project if they are set, and asks for an event stream", async () => {
    const [call] = await ask({
      OPENAI_BASE_URL: model.url,
      OPENAI_API_KEY: "k-1",
      OPENAI_ORG_ID: "o-1",
      OPENAI_PROJECT_ID: "p-1",
    });
    assert.equal(call?.path, "/v1/chat/completions");
    assert.equal(call?.headers.authorization, "Bearer k-1");
    assert.equal(call?.headers["openai-organization"], "o-1");
    assert.equal(call?.headers["openai-project"], "p-1");
    assert.equal(call?.headers.accept, "text/event-stream");
    assert.deepEqual(
      [call?.body["stream"], call?.body["stream_options"], call?.body["temperature"]],
      [true, { include_usage: true }, 0.3],
    );
  });

  test("sends no key if none is set, and no temperature if it is empty", async () => {
    const [call] = await ask({ OPENAI_BASE_URL: model.url, OPENAI_TEMPERATURE: "" });
    assert.equal(call?.headers.authorization, undefined);
    assert.ok(!Object.hasOwn(call?.body ?? {}, "temperature"));
  });

  test("asks Azure for the deployment, with its key and its version", async () => {
    const endpoint = new URL(model.url).origin;
    const [call] = await ask({
      AZURE_OPENAI_ENDPOINT: endpoint,
      AZURE_OPENAI_API_KEY: "a-1",
      OPENAI_API_VERSION: "2025-01-01",
      OPENAI_MODEL: "mine",
    });
    assert.equal(call?.path, "/openai/deployments/mine/chat/completions?api-version=2025-01-01");
    assert.equal(call?.headers["api-key"], "a-1");
  });

  test("reuses the connection of a finished reply for the next one", async () => {
    const calls = await ask({ OPENAI_BASE_URL: model.url }, 5);
    assert.equal(new Set(calls.map(({ remotePort }) => remotePort)).size, 1);
  });
});
