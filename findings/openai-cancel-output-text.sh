#!/usr/bin/env bash
# openai (Node): `responses.cancel(id)`, beside `responses.create` and `responses.retrieve`, for one and the same body.
# Guess: the three return the same `Response`, as their types say: `output_text` is "the text of all output items".
# Found: `create` and `retrieve` add `output_text`; `cancel` does not, so the text so far of a cancelled response reads
# as `undefined` in a field that the types call a string.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent openai@7.57.0
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import OpenAI from "openai";
const message = {
  id: "msg_1", type: "message", role: "assistant", status: "incomplete",
  content: [{ type: "output_text", text: "So far", annotations: [], logprobs: [] }],
};
const body = {
  id: "resp_1", object: "response", created_at: 1, status: "cancelled", model: "m", output: [message],
  error: null, incomplete_details: null, instructions: null, metadata: {}, tools: [], tool_choice: "auto",
  parallel_tool_calls: true, temperature: 1, top_p: 1,
};
const server = createServer((request, response) => {
  request.resume().on("end", () => response.setHeader("content-type", "application/json").end(JSON.stringify(body)));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new OpenAI({ apiKey: "k", baseURL: `http://127.0.0.1:${server.address().port}`, maxRetries: 0 });
const found = {
  create: (await client.responses.create({ model: "m", input: "Hi" })).output_text,
  retrieve: (await client.responses.retrieve("resp_1")).output_text,
  cancel: (await client.responses.cancel("resp_1")).output_text,
};
server.close(); server.closeAllConnections();
console.log("openai", JSON.parse(readFileSync("node_modules/openai/package.json", "utf8")).version);
console.log(found);
const asFound = found.create === "So far" && found.retrieve === "So far" && found.cancel === undefined;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
