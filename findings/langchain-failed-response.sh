#!/usr/bin/env bash
# @langchain/openai with the Responses API: a stream that ends with `response.failed`.
# Guess: the call rejects, as it does for an HTTP error.
# Found: it resolves with the text so far, as if the reply were complete. It also does so for an `error` event
# in the flat shape of OpenAI's documentation (`{type, code, message}`); only an event that also has `error:
# {…}` makes it reject. A server that wants its failures noticed must send that shape.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @langchain/openai@1.6.0 @langchain/core@1.4.0 openai@7.57.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { ChatOpenAI } from "@langchain/openai";
const response = (status, more) => ({ id: "resp_1", object: "response", created_at: 1, status, model: "m", output: [], ...more });
const message = { id: "msg_1", type: "message", role: "assistant", status: "in_progress", content: [] };
const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
const start = [
  { type: "response.created", response: response("in_progress") },
  { type: "response.output_item.added", output_index: 0, item: message },
  { type: "response.content_part.added", ...place, part: { type: "output_text", text: "", annotations: [], logprobs: [] } },
  { type: "response.output_text.delta", ...place, delta: "Half", logprobs: [] },
];
const fault = { code: "server_error", message: "The model stopped." };
const ends = {
  "response.failed": [{ type: "response.failed", response: response("failed", { error: fault }) }],
  "flat error": [{ type: "error", ...fault, param: null }],
  "nested error": [{ type: "error", ...fault, param: null, error: { type: "server_error", ...fault, param: null } }],
};
let end = [];
const server = createServer((request, outgoing) => {
  request.resume();
  outgoing.writeHead(200, { "content-type": "text/event-stream" });
  [...start, ...end].forEach((event, index) => outgoing.write(`data: ${JSON.stringify({ ...event, sequence_number: index })}\n\n`));
  outgoing.end();
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const outcomes = {};
for (const name of Object.keys(ends)) {
  end = ends[name];
  const model = new ChatOpenAI({
    model: "m", apiKey: "none", useResponsesApi: true, streaming: true, maxRetries: 0,
    configuration: { baseURL: `http://127.0.0.1:${server.address().port}/v1` },
  });
  outcomes[name] = await model.invoke("Hello").then(({ text }) => `resolved with "${text}"`, (error) => `rejected: ${error.message}`);
}
server.close();
console.log("@langchain/openai", JSON.parse(readFileSync("node_modules/@langchain/openai/package.json", "utf8")).version);
console.log(outcomes);
const asFound =
  ["response.failed", "flat error"].every((name) => outcomes[name] === 'resolved with "Half"') && outcomes["nested error"].startsWith("rejected");
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
