/** The parameters that a file of models allows, sets, renames and never sends, on every protocol. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { error, reply } from "../../../fixtures/model/quirk-builder.ts";
import type { RunningApp } from "../../../support/apps/start-app.ts";
import { makeTestFolder, useModel, useStartApp } from "../../../support/apps/use-app.ts";

const messages = [{ role: "user", content: "Hi" }];
const chat = { messages: [{ sender: "user", text: "Hi" }] };
const uiChat = { id: "c", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object" } } }];

describe("the parameters of a model in a file", { timeout: 60_000 }, () => {
  const model = useModel();
  const startApp = useStartApp(model);

  /** Starts an app with one model, whose parameters have these settings. */
  async function start(context: TestContext, parameters: object): Promise<RunningApp> {
    const file = join(await makeTestFolder(context), "models.json");
    const entry = { name: "local", baseUrl: model.url, parameters };
    await writeFile(file, JSON.stringify({ models: [entry] }));
    model.calls.length = 0;
    model.script = reply;
    return await startApp({ MODELS_FILE: file });
  }

  const complete = async (app: RunningApp, asked: object) =>
    await app.post("/v1/chat/completions", { model: "local", messages, ...asked });

  test("are sent by default on every protocol, and replaced by a client's own", async (context) => {
    const app = await start(context, {
      defaults: {
        reasoning_effort: "low",
        verbosity: "low",
        chat_template_kwargs: { enable_thinking: false },
      },
    });
    await app.post("/stream-chat", chat);
    await app.post("/api/chat", { ...uiChat, verbosity: "high" });
    await complete(app, { reasoning_effort: "high" });
    await complete(app, { reasoning: { effort: "high" }, chat_template_kwargs: { a: 1 } });
    const thinking = { enable_thinking: false };
    assert.deepEqual(
      model.calls.map(({ body }) =>
        ["reasoning_effort", "reasoning", "verbosity", "chat_template_kwargs", "temperature"].map(
          (name) => body[name],
        ),
      ),
      [
        ["low", undefined, "low", thinking, 0.3],
        ["low", undefined, "high", thinking, 0.3],
        ["high", undefined, "low", thinking, 0.3],
        [undefined, { effort: "high" }, "low", { a: 1 }, 0.3],
      ],
    );
  });

  test("that are null are never sent, not even a client's", async (context) => {
    const app = await start(context, { defaults: { temperature: null, top_p: null } });
    await app.post("/stream-chat", chat);
    const { status } = await complete(app, { temperature: 0.5, top_p: 0.5, seed: 1 });
    assert.equal(status, 200);
    assert.deepEqual(
      model.calls.map(({ body }) => [body["temperature"], body["top_p"], body["seed"]]),
      [
        [undefined, undefined, undefined],
        [undefined, undefined, 1],
      ],
    );
  });

  test("that are not allowed get a 400 that names them and the allowed ones, before any call", async (context) => {
    const app = await start(context, { allowed: ["temperature", "max_tokens"] });
    for (const [name, value] of [
      ["seed", 1],
      ["reasoning_effort", "low"],
      ["provider", { only: ["x"] }],
      ["extra_body", { temperature_: 1 }],
    ] as const) {
      const { status, body } = await complete(app, { [name]: value });
      const { error: told } = JSON.parse(body);
      assert.deepEqual([status, told.code, told.param], [400, "invalid_request", name], body);
      assert.match(told.message, /is not allowed for "local", which takes temperature, max_tokens/);
    }
    for (const [path, body] of [
      ["/stream-chat", chat],
      ["/api/chat", uiChat],
    ] as const) {
      const answer = await app.post(path, { ...body, verbosity: "low" });
      assert.equal(answer.status, 400, path);
      assert.match(answer.body, /verbosity: is not allowed/);
    }
    assert.equal(model.calls.length, 0);
    for (const asked of [
      { temperature: 1, max_tokens: 5 },
      { max_completion_tokens: 5, stop: null, seed: null },
      { tools, tool_choice: "auto", parallel_tool_calls: false, user: "u", metadata: {} },
    ])
      assert.equal((await complete(app, asked)).status, 200, JSON.stringify(asked));
  });

  test("may all be forbidden", async (context) => {
    const app = await start(context, { allowed: [] });
    assert.match((await complete(app, { temperature: 1 })).body, /which takes no parameters/);
    assert.equal((await complete(app, {})).status, 200);
  });

  test("are renamed for a server that ignores their names", async (context) => {
    const app = await start(context, { rename: { max_completion_tokens: "max_tokens" } });
    await complete(app, { max_completion_tokens: 5 });
    await complete(app, { max_completion_tokens: 5, max_tokens: 4 });
    assert.deepEqual(
      model.calls.map(({ body }) => [body["max_tokens"], body["max_completion_tokens"]]),
      [
        [5, undefined],
        [4, undefined],
      ],
    );
  });

  test("that only the first of two models allows are not sent to its fallback", async (context) => {
    const file = join(await makeTestFolder(context), "models.json");
    const models = [
      { name: "local", model: "dead", baseUrl: model.url, fallback: ["spare"] },
      { name: "spare", baseUrl: model.url, parameters: { allowed: ["seed"] } },
    ];
    await writeFile(file, JSON.stringify({ models }));
    const app = await startApp({ MODELS_FILE: file });
    model.calls.length = 0;
    model.script = (call) => (call.body.model === "dead" ? call.head(401).end() : reply(call));
    assert.equal((await complete(app, { top_k: 5, seed: 1, verbosity: "low" })).status, 200);
    const sent = model.calls.at(-1)?.body;
    assert.deepEqual([sent?.["seed"], sent?.["top_k"], sent?.["verbosity"]], [1, undefined, undefined]);
  });

  test("are those of a model whose name has slashes, as behind LiteLLM", async () => {
    const name = "azure/my-deployment";
    const app = await startApp({ OPENAI_MODEL: name });
    model.calls.length = 0;
    model.script = (call) => call.text("- p\n---RESPONSE---\nSo.").finish();
    const asked = { model: `${name}+plan`, messages, seed: 1 };
    assert.equal((await app.post("/v1/chat/completions", asked)).status, 200);
    assert.deepEqual([model.calls[0]?.body.model, model.calls[0]?.body["seed"]], [name, 1]);
    const found = await fetch(`${app.url}/v1/models/${encodeURIComponent(name)}`);
    assert.deepEqual([found.status, JSON.parse(await found.text()).id], [200, name]);
  });

  test("that are refused are a line of the log, once", async (context) => {
    const app = await start(context, {});
    model.script = (call) =>
      call.body["max_tokens"] === undefined
        ? reply(call)
        : call
            .head(400, { "content-type": "application/json" })
            .end(JSON.stringify(error("Unsupported parameter: 'max_tokens'", { param: "max_tokens" })));
    for (const bound of [5, 6]) await complete(app, { max_tokens: bound });
    const line = await app.logged(({ msg }) => msg.startsWith("model refused a parameter"));
    assert.deepEqual(
      [line["model"], line["parameter"], line["instead"]],
      ["local", "max_tokens", "max_completion_tokens"],
    );
  });
});
