#!/usr/bin/env bash
# openai (npm): the request option `idempotencyKey`.
# Guess: it is sent as the header `Idempotency-Key`, so the client's own retries are safe.
# Found: it sets no header. After a 503 the request is retried (maxRetries is 2) without any key, so a server
# cannot tell the retry from a second request. Only `headers: {"Idempotency-Key": …}` reaches the server.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent openai@7.57.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import OpenAI from "openai";
const seen = [];
const server = createServer((request, response) => {
  seen.push([request.headers["idempotency-key"] ?? "none", request.headers["x-stainless-retry-count"]]);
  request.resume();
  if (seen.length % 2 === 1) return void response.writeHead(503).end();
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "m", choices: [] }));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` });
const body = { model: "m", messages: [{ role: "user", content: "Hello" }] };
await client.chat.completions.create(body, { idempotencyKey: "order-1" });
await client.chat.completions.create(body, { headers: { "Idempotency-Key": "order-2" } });
server.close();
console.log("openai", JSON.parse(readFileSync("node_modules/openai/package.json", "utf8")).version);
for (const [key, retry] of seen) console.log(`retry ${retry}: Idempotency-Key ${key}`);
const asFound = JSON.stringify(seen) === JSON.stringify([["none", "0"], ["none", "1"], ["order-2", "0"], ["order-2", "1"]]);
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
