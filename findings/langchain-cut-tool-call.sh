#!/usr/bin/env bash
# LangChain: a streamed tool call that is cut off by the model's limit (`finish_reason` "length").
# Guess: the call has no valid arguments, so it is not run, or the agent says so to the model.
# Found: what there is of the arguments is completed to JSON and run: of `{"path":"/tmp/abc"}`, cut after
# `{"path":"/tmp`, the agent calls the tool with `/tmp`. The finish reason makes no difference: only an error in
# the stream keeps the call from being run. So a server must not end a stream well after half a call.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent langchain@1.5.14 @langchain/openai@1.6.0 @langchain/core@1.4.0 zod@4.6.7
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import { z } from "zod";
const toEvent = (value) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta, finish_reason = null) =>
  toEvent({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] });
const half =
  chunk({ role: "assistant", tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "remove", arguments: "" } }] }) +
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"path":"/tmp' } }] });
const done = "data: [DONE]\n\n";
const ends = {
  length: chunk({}, "length") + done,
  error: toEvent({ error: { message: "cut off", type: "server_error", param: null, code: null } }),
};
let end = "";
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece));
  request.on("end", () => {
    const isAnswered = JSON.parse(body).messages.some(({ role }) => role === "tool");
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(isAnswered ? chunk({ content: "Done." }) + chunk({}, "stop") + done : half + end);
  });
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const configuration = { baseURL: `http://127.0.0.1:${server.address().port}/v1` };
async function run(name) {
  end = ends[name];
  const paths = [];
  const remove = tool(({ path }) => { paths.push(path); return "ok"; }, { name: "remove", description: "Removes a file.", schema: z.object({ path: z.string() }) });
  const model = new ChatOpenAI({ model: "m", apiKey: "none", maxRetries: 0, useResponsesApi: false, configuration });
  const agent = createAgent({ model, tools: [remove] });
  let outcome = "no error";
  try {
    for await (const part of await agent.stream({ messages: [{ role: "user", content: "Hi" }] }, { streamMode: "messages" })) void part;
  } catch (error) {
    outcome = error.message;
  }
  return { paths, outcome };
}
const [limited, failed] = [await run("length"), await run("error")];
server.close();
for (const name of ["langchain", "@langchain/openai", "@langchain/core"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version);
console.log("finish_reason length: ran with", limited.paths, limited.outcome);
console.log("error event: ran with", failed.paths, failed.outcome);
const asFound = limited.paths.join() === "/tmp" && limited.outcome === "no error" && failed.paths.length === 0 && failed.outcome !== "no error";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
