#!/usr/bin/env bash
# openai (npm): a streamed chat completion whose connection ends cleanly before any finish reason or `[DONE]`.
# Guess: the iterator throws, or the result is marked incomplete.
# Found: the iterator ends as for a complete reply. Only a caller that checks `finish_reason` itself notices a
# reply that a proxy or a dying server cut off; the helper `chat.completions.stream()` does throw.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent openai@7.57.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import OpenAI from "openai";
const chunk = (content) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(chunk("Half of") + chunk(" a sent"));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` });
const body = { model: "m", messages: [{ role: "user", content: "Hello" }] };
const read = async (stream) => {
  let text = "";
  try {
    for await (const part of stream) text += part.choices[0]?.delta.content ?? "";
    return `"${text}", no error`;
  } catch (error) {
    return `"${text}", ${error.constructor.name}`;
  }
};
const plain = await read(await client.chat.completions.create({ ...body, stream: true }));
const helper = await client.chat.completions.stream(body).finalChatCompletion().then(() => "no error", (error) => error.message);
server.close();
console.log("openai", JSON.parse(readFileSync("node_modules/openai/package.json", "utf8")).version);
console.log("create({stream: true}):", plain);
console.log("chat.completions.stream():", helper);
const asFound = plain === '"Half of a sent", no error' && helper !== "no error";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
