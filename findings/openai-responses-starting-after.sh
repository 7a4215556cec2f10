#!/usr/bin/env bash
# openai (npm): resuming a response with `responses.stream({response_id, starting_after})`.
# Guess: the helper asks the server for the events after `starting_after`.
# Found: it requests `?stream=true` alone, expects the whole stream from `response.created` on, and itself
# drops the events up to `starting_after`. `responses.retrieve(id, {stream: true, starting_after})` does send
# the number. A server must honour `starting_after` only if it is in the query, and must number its events the
# same way in every replay.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent openai@7.57.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import OpenAI from "openai";
const response = (status, output) => ({ id: "resp_1", object: "response", created_at: 1, status, model: "m", output });
const message = (status, content) => ({ id: "msg_1", type: "message", role: "assistant", status, content });
const part = (text) => ({ type: "output_text", text, annotations: [], logprobs: [] });
const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
const events = [
  { type: "response.created", response: response("in_progress", []) },
  { type: "response.output_item.added", output_index: 0, item: message("in_progress", []) },
  { type: "response.content_part.added", ...place, part: part("") },
  { type: "response.output_text.delta", ...place, delta: "Hel", logprobs: [] },
  { type: "response.output_text.delta", ...place, delta: "lo", logprobs: [] },
  { type: "response.completed", response: response("completed", [message("completed", [part("Hello")])]) },
].map((event, index) => ({ ...event, sequence_number: index }));
const asked = [];
const server = createServer((request, outgoing) => {
  const { searchParams } = new URL(request.url, "http://localhost");
  asked.push(request.url);
  const after = Number(searchParams.get("starting_after") ?? -1);
  outgoing.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of events.slice(after + 1)) outgoing.write(`data: ${JSON.stringify(event)}\n\n`);
  outgoing.end();
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` });
const numbers = { helper: [], retrieve: [] };
for await (const event of client.responses.stream({ response_id: "resp_1", starting_after: 3 })) numbers.helper.push(event.sequence_number);
for await (const event of await client.responses.retrieve("resp_1", { stream: true, starting_after: 3 })) numbers.retrieve.push(event.sequence_number);
server.close();
console.log("openai", JSON.parse(readFileSync("node_modules/openai/package.json", "utf8")).version);
console.log("asked", asked);
console.log("seen", numbers);
const asFound =
  !asked[0].includes("starting_after") && asked[1].includes("starting_after=3") &&
  numbers.helper.join() === "4,5" && numbers.retrieve.join() === "4,5";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
