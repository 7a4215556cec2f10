/**
 * docs/protocol.md is complete and correct: it names every event and field on a wire, and its examples run.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import { createParser } from "eventsource-parser";
import type { z } from "zod";
import { ChatMessage, ChatRequest } from "../src/wires/foreword/chat-request.ts";
import { CompletionRequest } from "../src/wires/openai-chat/request.ts";
import { ResponseRequest } from "../src/wires/openai-responses/request/request.ts";
import { RunAgentInput } from "../src/wires/ag-ui/request/request.ts";
import { UiMessage } from "../src/wires/ui-message/message.ts";
import { UiChatRequest } from "../src/wires/ui-message/request.ts";
import { toChunk } from "./support/model/scripted-model.ts";
import { type AppResponse } from "./support/apps/start-app.ts";
import { makePng, toImageMessage } from "./support/clients/file-client.ts";
import { useApp, useModel } from "./support/apps/use-app.ts";

const docs = readFileSync(new URL("../docs/protocol.md", import.meta.url), "utf8");
/** The names of the usage that a reply's row stores in its metadata. */
const usageNames = ["input_tokens", "output_tokens", "reasoning_tokens", "cached_input_tokens"];
const userId = "5f0f6a3e-3d4c-4a53-9a0e-0b6f4c1f2a11";

/** Adds every name below `value`, as the docs write it in backticks or in JSON. */
function collectNames(value: unknown, names: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collectNames(item, names);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  for (const [name, inner] of Object.entries(value)) {
    names.add(name);
    if (name === "type" && typeof inner === "string") names.add(inner);
    collectNames(inner, names);
  }
}

/** The part of the docs from a heading to the next one of its level. */
function section(heading: string): string {
  const start = docs.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, heading);
  const [level = ""] = /^#+/.exec(heading) ?? [];
  const end = docs.indexOf(`\n${level} `, start + 1);
  return docs.slice(start, end < 0 ? undefined : end);
}

function assertNamed(names: ReadonlySet<string>, ...headings: string[]): void {
  const text = headings.map(section).join("\n");
  const missing = [...names].filter((name) => !new RegExp(`[\`".]${name}[\`".]`).test(text));
  assert.deepEqual(missing, []);
}

function collectEvents({ body }: AppResponse, names: Set<string>): void {
  const parser = createParser({
    onEvent: ({ data, event }) => {
      if (event !== undefined) names.add(event);
      if (data !== "[DONE]") collectNames(JSON.parse(data), names);
    },
  });
  parser.feed(body);
}

describe("docs/protocol.md", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, {
    CHAT_STORE_ENABLED: "true",
    OPENAI_MODEL: "demo",
    SHOW_REASONING: "true",
    ON_DISCONNECT: "continue",
  });
  before(async () => {
    model.script = (call) => {
      const { content } = call.body.messages.at(-1) ?? {};
      call.event(toChunk({ reasoning_content: "hm" })).text("- p\n---RESPONSE---\nDone.");
      if (String(content).includes("fail")) return call.end();
      const usage = {
        prompt_tokens: 1,
        completion_tokens: 2,
        completion_tokens_details: { reasoning_tokens: 1 },
        prompt_tokens_details: { cached_tokens: 1 },
      };
      call.event({ ...toChunk({}), choices: [], usage }).finish();
    };
  });

  test("names every field of every request", () => {
    const fields = (schema: z.ZodObject): Set<string> => new Set(Object.keys(schema.shape));
    assertNamed(fields(ChatRequest), "## `POST /stream-chat`");
    assertNamed(fields(ChatMessage), "## `POST /stream-chat`");
    assertNamed(fields(UiChatRequest), "### `POST /api/chat`");
    assertNamed(fields(UiMessage), "### `POST /api/chat`");
    assertNamed(fields(CompletionRequest), "### `POST /v1/chat/completions`");
    assertNamed(fields(ResponseRequest), "### `POST /v1/responses`");
    assertNamed(fields(RunAgentInput), "### `POST /ag-ui`");
  });

  test("names every field of the history", async () => {
    const names = new Set<string>();
    const conversationId = randomUUID();
    await app.post("/stream-chat", { messages: [{ sender: "user", text: "Hi" }], conversationId });
    for (const path of ["", `/${conversationId}`, `/${conversationId}/messages`, `/${conversationId}/export`])
      collectNames(JSON.parse((await app.get(`/conversations${path}`)).body), names);
    for (const name of ["nextCursor", "nextBefore", "archivedAt", "status"]) assert.ok(names.has(name), name);
    for (const kept of ["model", "finish_reason", "duration_ms", "first_text_ms", "usage", ...usageNames])
      names.delete(kept);
    assertNamed(names, "## Conversations");
  });

  test("names every field of usage", async () => {
    const names = new Set<string>();
    await app.post("/stream-chat", { messages: [{ sender: "user", text: "Hi" }] });
    collectNames(JSON.parse((await app.get("/usage")).body), names);
    assert.ok(names.has("estimatedTurns"));
    assertNamed(names, "## `GET /usage`");
  });

  const texts = ["go on", "fail"];

  test("names every typed event and all their fields", async () => {
    const names = new Set<string>();
    for (const text of texts) {
      const body = { messages: [{ sender: "user", text }] };
      collectEvents(await app.post("/stream-chat", body, { accept: "text/event-stream" }), names);
    }
    for (const event of ["turn-start", "reasoning-delta", "turn-error", "cachedInputTokens"])
      assert.ok(names.has(event), `${event} was sent`);
    assertNamed(names, "### Typed events", "### Items", "## Turns");
  });

  test("names every field of a turn's state, and of a problem that includes one", async () => {
    const names = new Set<string>();
    for (const text of texts) {
      const body = { messages: [{ sender: "user", text }] };
      const response = await app.post("/stream-chat", body, { accept: "application/json" });
      collectNames(JSON.parse(response.body), names);
    }
    // The fields of every problem are in errors.md.
    for (const name of ["type", "title", "detail", "about:blank", "requestId"]) names.delete(name);
    assertNamed(names, "### JSON", "## Turns");
  });

  test("names every chunk of the AI SDK's wire and all their fields", async () => {
    const names = new Set<string>();
    for (const text of texts) {
      const messages = [{ id: "m", role: "user", parts: [{ type: "text", text }] }];
      collectEvents(await app.post("/api/chat", { id: "chat", messages }), names);
    }
    for (const name of ["data-plan", "reasoning-end", "finish-step", "errorText"])
      assert.ok(names.has(name), `${name} was sent`);
    names.delete("type");
    assertNamed(names, "## The AI SDK", "## Turns");
  });

  test("names every field of OpenAI's wire", async () => {
    const names = new Set<string>();
    for (const text of texts) {
      const body = { model: "demo+plan", messages: [{ role: "user", content: text }] };
      collectNames(JSON.parse((await app.post("/v1/chat/completions", body)).body), names);
      const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
      collectEvents(await app.post("/v1/chat/completions", streamed), names);
      const response = { model: "demo+plan", input: text };
      collectNames(JSON.parse((await app.post("/v1/responses", response)).body), names);
      collectEvents(await app.post("/v1/responses", { ...response, stream: true }), names);
    }
    collectNames(JSON.parse((await app.get("/v1/models")).body), names);
    for (const name of ["reasoning_content", "cached_tokens", "owned_by", "param"])
      assert.ok(names.has(name), `${name} was sent`);
    assertNamed(names, "## OpenAI");
  });

  test("names every event of AG-UI's wire and all their fields, and every field of a thread", async () => {
    const names = new Set<string>();
    for (const text of texts) {
      const messages = [{ id: "m", role: "user", content: text }];
      collectEvents(await app.post("/ag-ui", { threadId: "t", runId: text, messages }), names);
    }
    collectNames(JSON.parse((await app.get("/ag-ui?threadId=t")).body), names);
    for (const name of ["REASONING_END", "RUN_ERROR", "cachedInputTokens", "thinking", "truncated"])
      assert.ok(names.has(name), `${name} was sent`);
    for (const name of ["type", "durationMs", "firstTextMs"]) names.delete(name);
    assertNamed(names, "## AG-UI");
  });

  test("has an example for OpenAI's client that runs unchanged", async () => {
    const run = promisify(execFile);
    const [, code = ""] = /```js\n(import OpenAI[^`]*)```/.exec(docs) ?? assert.fail();
    const here = code.replaceAll("http://127.0.0.1:8000", app.url);
    const root = new URL("..", import.meta.url);
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", here], { cwd: root });
    assert.match(stdout, /Done\./);
  });

  test("has a curl for every route, which runs unchanged", async (context) => {
    const run = promisify(execFile);
    const isThere = await run("curl", ["--version"]).then(
      () => true,
      () => false,
    );
    if (!isThere) return context.skip("curl is not installed");
    const turnId = randomUUID();
    const body = { messages: [{ sender: "user", text: "Hi" }] };
    await app.post("/stream-chat", { ...body, userId }, { "x-turn-id": turnId });
    const conversationId = randomUUID();
    await app.post("/stream-chat", { ...body, conversationId });
    // In a conversation of its own: an example deletes the other one, and its files would go with it.
    const messages = [toImageMessage("Look", makePng("docs"))];
    const { headers } = await app.post("/stream-chat", { messages });
    const { body: page } = await app.get(`/conversations/${String(headers["x-conversation-id"])}/messages`);
    const [, fileId = ""] = /"url":"\/files\/([^"]+)"/.exec(page) ?? assert.fail();
    const commands = Array.from(docs.matchAll(/```sh\n([^`]*curl[^`]*)```/g), ([, command = ""]) => command);
    const addresses = new Set<string>();
    for (const command of commands) {
      const here = command
        .replaceAll("http://127.0.0.1:8000", app.url)
        .replaceAll("0199a3c4-…", turnId)
        .replaceAll("CONVERSATION", conversationId)
        .replaceAll("FILE", fileId);
      // The documented turn does not wait for an approval.
      const [fails, refusal] = command.includes("APPROVAL")
        ? ["", /"approval_not_found"/]
        : ["--fail-with-body ", /(?:)/];
      const { stdout } = await run("bash", ["-c", here.replace("curl ", `curl -sS ${fails}--max-time 10 `)]);
      assert.match(stdout, refusal, command);
      assert.doesNotMatch(stdout, /^(?:data: )?\{"error":\{/m, command);
      addresses.add(
        new URL(/http[^ '"]*/.exec(here)?.[0] ?? "").pathname
          .replace(`resp_${turnId}`, ":id")
          .replace(turnId, ":turnId")
          .replace(conversationId, ":id")
          .replace(fileId, ":id"),
      );
    }
    const documented = Array.from(
      docs.matchAll(/^##+ .*`(?:GET|POST|PATCH|DELETE) ([^`]*)`$/gm),
      ([, path = ""]) => path,
    );
    const missing = documented.filter(
      (path) => !addresses.has(path.replace("/chat/:id", "/chat/chat-1").replace(":model", "demo")),
    );
    assert.deepEqual(missing, []);
  });
});
