/** Long results of tools, and images, in small windows: whole turns. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { AppResponse, RunningApp } from "../../support/apps/start-app.ts";
import { startPglite } from "../../support/databases/store-harness.ts";
import { useDatabase } from "../../support/apps/use-app.ts";
import { useModels } from "../../support/apps/use-models.ts";
import type { ScriptedModel } from "../../support/model/scripted-model.ts";
import { WindowServer } from "../../support/model/window-server.ts";
import { sendText } from "../../tools/servers/scripted-http-server.ts";
import { eventsOf, typed, useTools } from "../tools/use-tools.ts";

const windowTokens = 4_000;
const line = "12:00:01 the lamp was lit, and two ships passed the harbour.\n";
/** About 10,000 tokens. */
const log = line.repeat(600);

function contextOf(response: AppResponse): unknown {
  return eventsOf(response).at(-1)?.["context"];
}

describe("a result that is longer than the window", { timeout: 120_000 }, () => {
  const tools = useTools();
  const { models, start } = useModels();
  const { primary } = models;

  /** Has the model call `names` first, then reply as a server with the window does. */
  function callFirst(names: readonly string[], ratio = 1): WindowServer {
    const server = new WindowServer(primary, { windowTokens, ratio });
    const reply = primary.script;
    let isFirst = true;
    primary.script = (call) => {
      if (!isFirst) return reply(call);
      isFirst = false;
      for (const [index, name] of names.entries()) call.toolCall(name, { index }, `c${index}`);
      return call.finish("tool_calls");
    };
    return server;
  }

  const ask = async (app: RunningApp): Promise<AppResponse> =>
    await app.post("/stream-chat", { messages: [{ sender: "user", text: "What does the log say?" }] }, typed);

  /** The results in the newest request. */
  const sent = (): readonly string[] =>
    (primary.calls.at(-1)?.body.messages ?? [])
      .filter(({ role }) => role === "tool")
      .map(({ content }) => String(content));

  test("is cut to the room that there is, and its turn says so", async () => {
    const server = callFirst(["w__look"]);
    tools.say(log);
    const app = await start({ primary: { windowTokens, fallback: [] } }, tools.variables);
    const response = await ask(app);
    assert.equal(eventsOf(response).at(-1)?.["outcome"], "complete", response.body);
    assert.deepEqual(contextOf(response), { messagesLeftOut: 0, imagesLeftOut: 0, resultsLeftOut: 1 });
    const [result = ""] = sent();
    assert.ok(result.startsWith(line.repeat(50)), `${result.length} characters`);
    assert.match(result, /\[cut off: \d+ characters in all\]$/);
    assert.deepEqual([server.refusals, server.accepted.length], [0, 1]);
    // Followers and rows have the whole result.
    const told = eventsOf(response).find(({ type }) => type === "tool-result");
    assert.ok(JSON.stringify(told).length > log.length);
  });

  test("is cut after a refusal if the window is unknown, or its tokens are more than estimated", async () => {
    for (const [entry, ratio] of [
      [{}, 1],
      [{ windowTokens }, 1.5],
    ] as const) {
      const server = callFirst(["w__look"], ratio);
      tools.say(log);
      const app = await start({ primary: { ...entry, fallback: [] } }, tools.variables);
      const response = await ask(app);
      assert.equal(eventsOf(response).at(-1)?.["outcome"], "complete", response.body);
      assert.deepEqual(contextOf(response), {
        messagesLeftOut: 0,
        imagesLeftOut: 0,
        resultsLeftOut: 1,
        isRetried: true,
      });
      assert.deepEqual([server.refusals, server.accepted.length], [1, 1]);
    }
  });

  test("leaves short results beside it whole, and shares the room with other long ones", async () => {
    const server = callFirst(["w__look", "w__look", "w__look"]);
    const app = await start({ primary: { windowTokens, fallback: [] } }, tools.variables);
    const results = [line, log, log];
    tools.server.onCall = (call) => sendText(call, results.shift() ?? "");
    const response = await ask(app);
    assert.equal(eventsOf(response).at(-1)?.["outcome"], "complete", response.body);
    assert.deepEqual(contextOf(response), { messagesLeftOut: 0, imagesLeftOut: 0, resultsLeftOut: 2 });
    const lengths = sent().map((text) => text.length);
    assert.ok(sent().includes(line));
    assert.ok(Math.max(...lengths) < 2 * Math.min(...lengths.filter((length) => length > line.length)));
    assert.equal(server.refusals, 0);
  });

  test("is cut if it is a client's own tool's, on /v1 with a plan", async () => {
    const server = new WindowServer(primary, { windowTokens });
    const app = await start({ primary: { windowTokens, fallback: [] } });
    const call = { id: "c1", type: "function", function: { name: "read", arguments: "{}" } };
    const parameters = { type: "object", properties: {} };
    const response = await app.post("/v1/chat/completions", {
      model: "primary+plan",
      tools: [{ type: "function", function: { name: "read", description: "Reads", parameters } }],
      messages: [
        { role: "user", content: "What does the log say?" },
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "c1", content: log },
      ],
    });
    assert.equal(response.status, 200, response.body);
    assert.deepEqual([server.refusals, server.accepted.length], [0, 1]);
    assert.match(sent()[0] ?? "", /\[cut off: \d+ characters in all\]$/);
  });
});

describe("a long chat with old images and results", { timeout: 120_000 }, () => {
  const database = useDatabase(startPglite);
  const tools = useTools();
  const { models, start } = useModels(database);
  const { primary } = models;

  const textOf = (model: ScriptedModel): string => JSON.stringify(model.calls.at(-1)?.body.messages);

  test("is sent without the old images before any message is left out, and shows them all", async () => {
    const window = 12_000;
    const server = new WindowServer(primary, { windowTokens: window });
    const app = await start({ primary: { windowTokens: window, fallback: [] } });
    const conversationId = randomUUID();
    const place = { conversationId };
    let response: AppResponse | undefined;
    for (let turn = 0; turn < 12; turn += 1) {
      const data = Buffer.from(`\u0089PNG\r\n\u001a\n${turn}`, "latin1").toString("base64");
      const images = [{ inlineData: { data, mimeType: "image/png" } }];
      const messages = [{ sender: "user", text: `What is on picture ${turn}?`, images }];
      const parent = turn === 0 ? {} : { parentId: "leaf" };
      response = await app.post("/stream-chat", { messages, ...place, ...parent }, typed);
      assert.equal(eventsOf(response).at(-1)?.["outcome"], "complete", response.body);
    }
    const context = response && JSON.stringify(contextOf(response));
    assert.match(context ?? "", /^\{"messagesLeftOut":0,"imagesLeftOut":[1-9]\d*,"resultsLeftOut":0\}$/);
    assert.equal(server.refusals, 0);
    assert.match(textOf(primary), /What is on picture 0\?.*of this message was left out to save space/);
    const images = primary.calls.at(-1)?.body.messages.filter(({ content }) => Array.isArray(content)) ?? [];
    assert.ok(images.length > 0 && images.length < 12, `${images.length} images`);
    const page = JSON.parse((await app.get(`/conversations/${conversationId}/messages?limit=100`)).body);
    assert.equal(JSON.stringify(page).match(/"mediaType":"image\/png"/g)?.length, 12);
  });

  test("is sent without the long results of old calls before any message is left out", async () => {
    const window = 8_000;
    const server = new WindowServer(primary, { windowTokens: window });
    const reply = primary.script;
    let calls = 0;
    primary.script = (call) => {
      calls += 1;
      return calls % 2 === 1 ? call.toolCall("w__look", {}, `c${calls}`).finish("tool_calls") : reply(call);
    };
    tools.say(line.repeat(60));
    const app = await start({ primary: { windowTokens: window, fallback: [] } }, tools.variables);
    const conversationId = randomUUID();
    let response: AppResponse | undefined;
    for (let turn = 0; turn < 12; turn += 1) {
      const parent = turn === 0 ? {} : { parentId: "leaf" };
      const messages = [{ sender: "user", text: `What does log ${turn} say?` }];
      response = await app.post("/stream-chat", { messages, conversationId, ...parent }, typed);
      assert.equal(eventsOf(response).at(-1)?.["outcome"], "complete", response.body);
    }
    const context = response && JSON.stringify(contextOf(response));
    assert.match(context ?? "", /^\{"messagesLeftOut":0,"imagesLeftOut":0,"resultsLeftOut":[1-9]\d*\}$/);
    assert.equal(server.refusals, 0);
    assert.match(textOf(primary), /What does log 0 say\?.*\[This result was left out to save space\.\]/);
    assert.ok(textOf(primary).includes(JSON.stringify(line.repeat(60)).slice(1, -1)), "the newest is whole");
  });
});
