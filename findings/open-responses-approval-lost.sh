#!/usr/bin/env bash
# The AI SDK over the Responses API: a response whose only output is an `mcp_approval_request`, read by the two providers
# for that API, `@ai-sdk/openai` and `@ai-sdk/open-responses`.
# Guess: both show the request, or the second, which is for every server of that API, fails on an item that it does not
# know; the finish reason is `tool-calls`, as for other calls that the client has to answer.
# Found: `@ai-sdk/openai` shows it as a `tool-approval-request`; `@ai-sdk/open-responses` leaves it out without a word, so
# that the reply is empty. Both report `stop`: a client that looks at the finish reason takes a waiting turn for complete.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent ai@7.0.173 @ai-sdk/openai@4.0.118 @ai-sdk/open-responses@2.0.36 zod@4.6.7
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenResponses } from "@ai-sdk/open-responses";
import { generateText } from "ai";
const item = { id: "mcpr_1", type: "mcp_approval_request", server_label: "files", name: "write", arguments: "{}" };
const body = {
  id: "resp_1", object: "response", created_at: 1, status: "completed", model: "m", output: [item],
  error: null, incomplete_details: null, instructions: null, metadata: {}, tools: [], tool_choice: "auto",
  parallel_tool_calls: true, temperature: 1, top_p: 1,
  usage: {
    input_tokens: 1, input_tokens_details: { cached_tokens: 0 },
    output_tokens: 1, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 2,
  },
};
const server = createServer((request, response) => {
  request.resume().on("end", () => response.setHeader("content-type", "application/json").end(JSON.stringify(body)));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const baseURL = `http://127.0.0.1:${server.address().port}`;
const models = {
  "@ai-sdk/openai": createOpenAI({ apiKey: "k", baseURL })("m"),
  "@ai-sdk/open-responses": createOpenResponses({ name: "server", apiKey: "k", url: `${baseURL}/responses` })("m"),
};
const found = {};
for (const [name, model] of Object.entries(models)) {
  const { content, finishReason, text } = await generateText({ model, prompt: "Hi", maxRetries: 0 });
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  found[name] = { version, parts: content.map(({ type }) => type), finishReason, text };
}
server.close(); server.closeAllConnections();
console.log("ai", JSON.parse(readFileSync("node_modules/ai/package.json", "utf8")).version, found);
const { "@ai-sdk/openai": first, "@ai-sdk/open-responses": second } = found;
const asFound =
  first.parts.includes("tool-approval-request") && first.finishReason === "stop" &&
  second.parts.length === 0 && second.finishReason === "stop" && second.text === "";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
