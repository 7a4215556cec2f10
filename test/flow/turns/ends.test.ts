/** The table of ends × wires in docs/protocol.md: a client observes each of its cells. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { z } from "zod";
import { readMessages } from "../../support/databases/read-rows.ts";
import { type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useModel, useApp, useStartApp } from "../../support/apps/use-app.ts";

const boundary = "\n---RESPONSE---\n";

/** How a turn comes to each of its ends, and the text before that. */
interface End {
  readonly text: string;
  readonly run: (call: ScriptedCall, app: RunningApp, turnId: string) => void;
}

const ends: Readonly<Record<string, End>> = {
  complete: { text: "- p\n---RESPONSE---\nDone.", run: (call) => call.finish("stop") },
  "complete: length": { text: "- p\n---RESPONSE---\nDo", run: (call) => call.finish("length") },
  "complete: content filter": {
    text: "- p\n---RESPONSE---\nDo",
    run: (call) => call.finish("content_filter"),
  },
  "complete: tool calls": {
    text: "- p\n---RESPONSE---\nDo",
    run: (call) => call.toolCall("weather", { city: "Oslo" }).finish("tool_calls"),
  },
  stopped: {
    text: "- p\n---RESPONSE---\nDo",
    run: (_call, app, turnId) => void app.post(`/turns/${turnId}/stop`, {}),
  },
  "failed before its first text": {
    text: "",
    run: (call) => call.head(400, { "content-type": "application/json" }).end("{}"),
  },
  "failed after it": { text: "- p\n---RESPONSE---\nDo", run: (call) => call.end() },
  interrupted: { text: "- p\n---RESPONSE---\nDo", run: (_call, app) => void app.close() },
};

const Data = z.looseObject({
  type: z.string().optional(),
  outcome: z.string().optional(),
  finishReason: z.string().nullish(),
  code: z.string().optional(),
  error: z.looseObject({ code: z.string() }).nullish(),
  errorText: z.string().optional(),
  status: z.union([z.string(), z.number()]).optional(),
  turn: z.looseObject({ answer: z.string() }).optional(),
  response: z.looseObject({ status: z.string() }).optional(),
  result: z.looseObject({ outcome: z.string(), finishReason: z.string().nullable() }).optional(),
  choices: z.array(z.looseObject({ finish_reason: z.string().nullable() })).optional(),
});

/** Returns the events of a body, parsed except for `[DONE]`. */
function toEvents({ body, isComplete }: AppResponse): (z.infer<typeof Data> | "[DONE]")[] {
  assert.ok(isComplete, "event streams end in good order: their last event says how");
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  parser.feed(body);
  return messages.map(({ data }) => (data === "[DONE]" ? data : Data.parse(JSON.parse(data))));
}

/** Returns the error event of typed events. */
function toTurnError(answer: AppResponse): z.infer<typeof Data> {
  const error = toEvents(answer).find((event) => event !== "[DONE]" && event.type === "turn-error");
  assert.ok(error !== undefined && error !== "[DONE]");
  return error;
}

/** Describes an HTTP error; `undefined` for any other response. */
function toHttpError({ status, headers, body }: AppResponse): string | undefined {
  if (status === 200) return undefined;
  if (String(headers["content-type"]).startsWith("text/plain")) return `${status}, ${body}`;
  const { code, error, turn } = Data.parse(JSON.parse(body));
  return `${status} \`${code ?? error?.code}\`${turn === undefined ? "" : " with `turn`"}`;
}

/** A wire: its request for a turn, and how its clients observe the end. */
interface Wire {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
  /** Its own form of tools. */
  readonly withTools?: object;
  /** The field of the body that names the turn; absent for wires on which `X-Turn-Id` does. */
  readonly named?: string;
  readonly observe: (answer: AppResponse) => string;
}

const chat = { messages: [{ sender: "user", text: "Hi" }] };
const tools = [{ type: "function", function: { name: "weather" } }];
const completion = { model: "scripted+plan", messages: [{ role: "user", content: "Hi" }] };

const question = { model: "scripted+plan", input: "Hi" };
const withTools = { tools: [{ type: "function", name: "weather" }] };

const wires: Readonly<Record<string, Wire>> = {
  "plain text": {
    path: "/stream-chat",
    body: chat,
    observe: (answer) => {
      const [, code] = /\n\[error\] (\w+): .*\n$/.exec(answer.body) ?? [];
      assert.equal(
        code === undefined,
        answer.isComplete,
        "a reply ends normally if and only if it has no error line",
      );
      return code === undefined ? "normal end" : `\`[error] ${code}\`, cut`;
    },
  },
  "typed events": {
    path: "/stream-chat",
    headers: { accept: "text/event-stream" },
    body: chat,
    observe: (answer) => {
      const events = toEvents(answer).filter((event) => event !== "[DONE]");
      const error = events.find(({ type }) => type === "turn-error");
      const end = events.at(-1);
      assert.equal(end?.type, "turn-end");
      const reason = typeof end.finishReason === "string" ? ` \`${end.finishReason}\`` : "";
      return `${error === undefined ? "" : `\`turn-error\` \`${error.code}\`, `}\`turn-end\` \`${end.outcome}\`${reason}`;
    },
  },
  JSON: {
    path: "/stream-chat",
    headers: { accept: "application/json" },
    body: chat,
    observe: ({ body }) => {
      const { outcome, finishReason } = Data.parse(JSON.parse(body));
      return `\`${outcome}\`${typeof finishReason === "string" ? ` \`${finishReason}\`` : ""}`;
    },
  },
  "AI SDK": {
    path: "/api/chat",
    body: { id: "chat", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] },
    observe: (answer) => {
      const events = toEvents(answer);
      assert.equal(events.at(-1), "[DONE]");
      const end = events.filter((event) => event !== "[DONE]").at(-1);
      if (end?.type === "error") return `\`error\` “${end.errorText}”`;
      assert.equal(end?.type, "finish");
      return `\`finish\` \`${end.finishReason}\``;
    },
  },
  "OpenAI, streamed": {
    path: "/v1/chat/completions",
    body: { ...completion, stream: true },
    observe: (answer) => {
      const events = toEvents(answer);
      const chunks = events.filter((event) => event !== "[DONE]");
      const reasons = chunks.flatMap(({ choices }) => choices?.map((choice) => choice.finish_reason) ?? []);
      const reason = reasons.find((found) => found !== null);
      const error = chunks.at(-1)?.error?.code;
      assert.equal(events.at(-1) === "[DONE]", error === undefined);
      assert.equal(reason === undefined, error !== undefined, "what broke off has no finish reason");
      return error === undefined ? `\`${reason}\`, \`[DONE]\`` : `\`error\` \`${error}\``;
    },
  },
  "OpenAI, whole": {
    path: "/v1/chat/completions",
    body: completion,
    observe: ({ body }) => `\`${Data.parse(JSON.parse(body)).choices?.[0]?.finish_reason}\``,
  },
  "Responses, streamed": {
    path: "/v1/responses",
    body: { ...question, stream: true },
    withTools,
    observe: (answer) => {
      const events = toEvents(answer);
      const end = events.filter((event) => event !== "[DONE]").at(-1);
      assert.equal(events.at(-1) === "[DONE]", end?.type !== "error");
      if (end?.type === "error") return `\`error\` \`${end.code}\``;
      return `\`${end?.type}\` \`${end?.response?.status}\`, \`[DONE]\``;
    },
  },
  "Responses, whole": {
    path: "/v1/responses",
    body: question,
    withTools,
    observe: ({ body }) => `\`${Data.parse(JSON.parse(body)).status}\``,
  },
  "AG-UI": {
    path: "/ag-ui",
    body: { threadId: "thread", messages: [{ id: "m", role: "user", content: "Hi" }] },
    withTools: { tools: [{ name: "weather" }] },
    named: "runId",
    observe: (answer) => {
      const end = toEvents(answer).at(-1);
      assert.ok(end !== undefined && end !== "[DONE]");
      const { type, code, result } = end;
      if (type === "RUN_ERROR") return `\`${type}\` \`${code}\``;
      const reason = typeof result?.finishReason === "string" ? ` \`${result.finishReason}\`` : "";
      return `\`${type}\` \`${result?.outcome}\`${reason}`;
    },
  },
};

/** The cells of the table in the docs, by end and wire. */
function readTable(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const docs = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const lines = docs.split("## How a reply ends")[1]?.split("\n## ")[0]?.split("\n") ?? [];
  const rows = lines
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  const [names = [], , ...cells] = rows;
  return new Map(
    cells.map(([end = "", ...observed]) => [
      end,
      new Map(observed.map((cell, index) => [names[index + 1] ?? "", cell])),
    ]),
  );
}

describe("how a reply ends", { timeout: 120_000 }, () => {
  const table = readTable();
  const variables = { ON_DISCONNECT: "continue" };
  const model = useModel();
  const app = useApp(model, variables);
  const startApp = useStartApp(model, variables);

  test("is documented for every end on every wire, and for no other", () => {
    assert.deepEqual([...table.keys()], Object.keys(ends));
    for (const row of table.values()) assert.deepEqual([...row.keys()], Object.keys(wires));
  });

  for (const [end, { text, run }] of Object.entries(ends)) {
    for (const [name, wire] of Object.entries(wires)) {
      test(`on ${name}, ${end}: matches the docs and the turn's state`, async () => {
        const turnId = randomUUID();
        const turnApp = end === "interrupted" ? await startApp() : app;
        const next = model.nextCall();
        const headers = { "x-turn-id": turnId, ...wire.headers };
        const named = wire.named === undefined ? {} : { [wire.named]: turnId };
        const offered = end === "complete: tool calls" ? { tools, ...wire.withTools } : {};
        const body = { ...wire.body, ...named, ...offered };
        const opening = turnApp.open("POST", wire.path, body, headers);
        const call = await next;
        if (text !== "") call.text(text);
        // A second client waits for the text: only then the turn may end.
        if (text !== "") await readSome(turnApp, turnId, text.length);
        run(call, turnApp, turnId);
        const answer = await readResponse(await opening);
        const observed = toHttpError(answer) ?? wire.observe(answer);
        assert.equal(observed, table.get(end)?.get(name));
        if (end === "interrupted") return;
        const state = z
          .object({ outcome: z.string(), plan: z.string(), answer: z.string().nullable() })
          .parse(JSON.parse((await app.get(`/turns/${turnId}`)).body));
        const [plan = "", answered = null] = text === "" ? [] : text.split(boundary);
        assert.deepEqual(state, { outcome: end.split(/[: ]/)[0], plan, answer: answered });
      });
    }
  }
});

describe("the finish reason", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  test("of a failed turn is null, whatever the model sent: as events, as JSON, and from its row", async () => {
    const userId = randomUUID();
    model.say("- p\n---RESPONSE---\n"); // and a finish reason
    const failed = { outcome: "failed", finishReason: null };
    const TurnEnd = z.object({ outcome: z.string(), finishReason: z.string().nullable() });
    const ids: string[] = [];
    for (const accept of ["text/event-stream", "application/json"]) {
      const answer = await app.post("/stream-chat", { ...chat, userId }, { accept });
      ids.push(String(answer.headers["x-turn-id"]));
      const json = accept === "application/json";
      const { code } = json ? Data.parse(JSON.parse(answer.body)) : toTurnError(answer);
      assert.equal(code, "empty_answer");
      const end: unknown = json ? JSON.parse(answer.body).turn : toEvents(answer).at(-1);
      assert.deepEqual(TurnEnd.parse(end), failed);
    }
    for (const id of ids) {
      const { body } = await app.get(`/turns/${id}?userId=${userId}`);
      assert.deepEqual(TurnEnd.parse(JSON.parse(body)), failed);
      const rows = await readMessages(
        app.app.store.database,
        String(JSON.parse(body).conversationId),
        userId,
      );
      assert.deepEqual(
        rows.map(({ status, metadata }) => [status, metadata?.["finish_reason"]]),
        [
          [null, undefined],
          ["failed", undefined],
        ],
      );
    }
  });
});

/** Reads `length` bytes of a turn, then disconnects. */
async function readSome(app: RunningApp, turnId: string, length: number): Promise<void> {
  const response = await app.open("GET", `/turns/${turnId}/stream`);
  let [bytes, whole] = [0, Promise.withResolvers<void>()];
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= length) whole.resolve();
  });
  await whole.promise;
  response.destroy();
}
