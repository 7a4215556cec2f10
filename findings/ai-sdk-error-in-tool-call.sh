#!/usr/bin/env bash
# AI SDK, `streamText` with tools over @ai-sdk/openai-compatible: an error event in the middle of a tool call.
# Guess: the error ends the loop, as it does after text.
# Found: the half call becomes an invalid tool call with an error as its result, and the model is asked again, as
# if it had made a mistake. The result is the second reply with the finish reason `stop`; only `onError` hears of
# the first. So a server sees another request after each such failure, with half a call in the history.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 zod@4.6.7
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { isStepCount, streamText, tool } from "ai";
import { z } from "zod";
const toEvent = (value) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta, finish_reason = null) =>
  toEvent({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] });
const failure = toEvent({ error: { message: "cut off", type: "server_error", param: null, code: null } });
const starts = {
  text: chunk({ role: "assistant", content: "Half of" }),
  call:
    chunk({ role: "assistant", tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "remove", arguments: "" } }] }) +
    chunk({ tool_calls: [{ index: 0, function: { arguments: '{"path":"/tmp' } }] }),
};
let start = "";
let requests = 0;
const server = createServer((request, response) => {
  requests += 1;
  request.resume();
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(requests === 1 ? start + failure : chunk({ content: "Done." }) + chunk({}, "stop") + "data: [DONE]\n\n");
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const model = createOpenAICompatible({ name: "server", baseURL: `http://127.0.0.1:${server.address().port}/v1` })("m");
async function run(name) {
  [start, requests] = [starts[name], 0];
  const errors = [];
  const result = streamText({
    model,
    prompt: "Hi",
    maxRetries: 0,
    stopWhen: isStepCount(5),
    onError: ({ error }) => errors.push(error),
    tools: { remove: tool({ inputSchema: z.object({ path: z.string() }), execute: () => "ok" }) },
  });
  await result.consumeStream();
  return { requests, errors: errors.length, finishReason: await result.finishReason };
}
const [text, call] = [await run("text"), await run("call")];
server.close();
for (const name of ["ai", "@ai-sdk/openai-compatible"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version);
console.log("error after text:", text);
console.log("error in a call:", call);
const asFound = text.requests === 1 && text.finishReason === "error" && call.requests === 2 && call.finishReason === "stop";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
