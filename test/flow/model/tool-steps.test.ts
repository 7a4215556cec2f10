/** Turns with tools whose model servers are slow, stubborn or cut off between the steps. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { toolStreams } from "../../fixtures/model/tool-streams.ts";
import { makeFolder, startApp, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useModel, useResource } from "../../support/apps/use-app.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { toChunk, toEvent, toToolChunk, type Script } from "../../support/model/scripted-model.ts";
import { everythingOverStdio } from "../../tools/use-tool-servers.ts";

const question = { sender: "user", text: "How warm is it?" };
const plan = "- Look\n---RESPONSE---\n";
const json = { accept: "application/json" };
const headers = { "content-type": "application/json" };
const echo = "everything__echo";

const State = z.object({
  answer: z.string().nullable(),
  outcome: z.string(),
  finishReason: z.string().nullable(),
  error: z.object({ code: z.string() }).nullable(),
  tools: z.array(
    z.object({ name: z.string(), input: z.string(), status: z.string().nullable(), step: z.number() }),
  ),
});

/** Returns the state of a turn that was asked for as JSON: its own, or in the problem that it ended in. */
function readState({ body }: AppResponse): z.infer<typeof State> {
  const value = JSON.parse(body);
  return State.parse(value.turn ?? value);
}

describe("a model server that calls a client's tools", () => {
  const model = useModel();
  const app = useApp(model);
  const toRequest = (names: readonly string[]): object => ({
    messages: [question],
    tools: (names.length === 0 ? ["get_weather"] : names).map((name) => ({
      name,
      parameters: { type: "object" },
    })),
  });

  for (const { name, events, calls, finishReason, tools } of toolStreams.filter(
    (each) => each.finishReason === "tool-calls",
  )) {
    test(`ends the turn with its calls: ${name}`, async () => {
      model.script = (call) => call.head().end(events.join(""));
      const state = readState(await app.post("/stream-chat", toRequest(tools), json));
      assert.deepEqual([state.outcome, state.finishReason], ["complete", finishReason]);
      assert.deepEqual(
        state.tools.map((call) => [call.name, call.input]),
        calls,
      );
    });

    const cut = events.findIndex((event) => /"finish_reason":"|\[DONE\]/.test(event));
    test(`has made no call if it is cut off before its finish: ${name}`, { skip: cut === 0 }, async () => {
      model.script = (call) =>
        call
          .head()
          .raw(`${toEvent(toChunk({ content: plan }))}${events.slice(0, cut).join("")}`)
          .cutOff();
      const state = readState(await app.post("/stream-chat", toRequest(tools), json));
      assert.deepEqual([state.outcome, state.error?.code], ["failed", "model_truncated"]);
      assert.deepEqual(state.tools, []);
    });
  }
});

describe("a model server that calls this server's tools", { timeout: 240_000 }, () => {
  const model = useModel("test");
  const clock = new ManualClock();
  let app: RunningApp;
  useResource(async (closing) => {
    const folder = await makeFolder();
    closing.defer(() => folder.remove());
    const file = join(folder.path, "mcp.json");
    const everything = { ...everythingOverStdio, tools: { echo: "read" } };
    await writeFile(file, JSON.stringify({ mcpServers: { everything } }));
    const variables = {
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      MCP_SERVERS_FILE: file,
      MODEL_FIRST_BYTE_TIMEOUT_MS: "70000",
      MODEL_IDLE_TIMEOUT_MS: "50000",
    };
    app = closing.adopt(await startApp(variables, clock), () => app.close());
  }, "test");

  const ask = async (): Promise<AppResponse> =>
    await app.post("/stream-chat", { messages: [question] }, json);
  const callEcho: Script = (call) =>
    call.text(`${plan}Let me look.`).toolCall(echo, { message: "21 degrees" }).finish("tool_calls");
  const echoed = { name: echo, input: '{"message":"21 degrees"}', status: "complete", step: 0 };

  test("is sent each result once, and its answers are one", async () => {
    model.inOrder(callEcho, (call) => call.text("It is warm.").finish());
    const state = readState(await ask());
    assert.deepEqual([state.outcome, state.answer], ["complete", "Let me look.\n\nIt is warm."]);
    assert.deepEqual(state.tools, [echoed]);
    assert.deepEqual(model.calls[1]?.body.messages.at(-1), {
      role: "tool",
      tool_call_id: "call_0",
      content: "Echo: 21 degrees",
    });
  });

  test("is asked a step again after a 429, and the tool is not called again", async () => {
    model.inOrder(
      callEcho,
      (call) => call.head(429, { ...headers, "retry-after": "7" }).end("{}"),
      (call) => call.text("It is warm.").finish(),
    );
    const asking = ask();
    clock.advance(await clock.timer(7_000));
    const state = readState(await asking);
    assert.deepEqual([state.outcome, state.answer], ["complete", "Let me look.\n\nIt is warm."]);
    assert.deepEqual(state.tools, [echoed]);
    assert.equal(model.calls.length, 3);
  });

  const failures: readonly [name: string, code: string, script: Script, waitMs: number | undefined][] = [
    ["refuses the results", "model_refused", (call) => call.head(400, headers).end("{}"), undefined],
    [
      "stalls in a call",
      "model_stalled",
      (call) => call.event(toToolChunk({ index: 0, id: "b", function: { name: echo, arguments: '{"mess' } })),
      50_000,
    ],
    [
      "is cut off in a call",
      "model_truncated",
      (call) =>
        call
          .event(toToolChunk({ index: 0, id: "b", function: { name: echo, arguments: '{"mess' } }))
          .cutOff(),
      undefined,
    ],
    [
      "is cut off after a whole call",
      "model_truncated",
      (call) => call.toolCall(echo, { message: "x" }).cutOff(),
      undefined,
    ],
    [
      "ends its body in a call",
      "model_truncated",
      (call) => call.toolCall(echo, '{"message":').end(),
      undefined,
    ],
    [
      "reports an error after a call",
      "model_failed",
      (call) =>
        call
          .toolCall(echo, { message: "x" })
          .event({ error: { message: "no" } })
          .end(),
      undefined,
    ],
  ];
  for (const [name, code, script, waitMs] of failures) {
    test(`${name} in a later step: the turn fails with ${code}, and keeps its text and its results`, async () => {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      model.inOrder(callEcho, (call) => {
        script(call);
        resolve();
      });
      const asking = ask();
      await asked;
      if (waitMs !== undefined) clock.advance(await clock.timer(waitMs));
      const state = readState(await asking);
      assert.deepEqual([state.outcome, state.answer, state.error?.code], ["failed", "Let me look.", code]);
      assert.deepEqual(state.tools, [echoed]);
      assert.equal(model.calls.length, 2);
    });
  }

  test("is silent in a later step, and again on a new connection: the turn fails with model_silent", async () => {
    model.inOrder(callEcho, () => clock.advance(70_000));
    const state = readState(await ask());
    assert.deepEqual([state.outcome, state.error?.code], ["failed", "model_silent"]);
    assert.deepEqual(state.tools, [echoed]);
    assert.equal(model.calls.length, 3);
  });

  test("never stops calling: the turn ends after 8 steps, the last without tools", async () => {
    let count = 0;
    model.script = (call) => {
      count += 1;
      call
        .toolCall(echo, { message: String(count) }, `c${count}`)
        .text("More.")
        .finish("tool_calls");
    };
    const state = readState(await ask());
    assert.equal(state.outcome, "complete");
    assert.equal(model.calls.length, 8);
    assert.deepEqual(
      model.calls.map((call) => "tools" in call.body),
      [true, true, true, true, true, true, true, false],
    );
    assert.equal(state.tools.length, 7);
  });

  test("gives the same id to a call of each step: each call of the turn has one of its own", async () => {
    model.inOrder(
      (call) => call.text(plan).toolCall(echo, { message: "1" }, "same").finish("tool_calls"),
      (call) => call.toolCall(echo, { message: "2" }, "same").finish("tool_calls"),
      (call) => call.text("Done.").finish(),
    );
    assert.equal(readState(await ask()).outcome, "complete");
    const sent = model.calls[2]?.body.messages.filter(({ role }) => role === "tool") ?? [];
    assert.deepEqual(
      sent.map(({ content }) => content),
      ["Echo: 1", "Echo: 2"],
    );
    assert.equal(new Set(sent.map(({ tool_call_id: id }) => id)).size, 2);
  });
});
