#!/usr/bin/env bash
# @modelcontextprotocol/client (npm): a tool call over streamable HTTP whose event stream ends without a result.
# Guess: the call fails when the stream has ended.
# Found: with a server of the 2025 protocol it stays pending until its timeout (60 s by default), and then
# looks like a slow tool: REQUEST_TIMEOUT. The same holds if the connection is reset.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @modelcontextprotocol/client@2.4.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  if (request.method !== "POST") return response.writeHead(405).end();
  const { id, method, params } = JSON.parse(body);
  if (id === undefined) return response.writeHead(202).end();
  if (method === "initialize") {
    const result = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "cut", version: "1" } };
    response.writeHead(200, { "content-type": "application/json" });
    return response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": one moment\n\n", () => (params.name === "reset" ? response.socket.resetAndDestroy() : response.end()));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new Client({ name: "waiting", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${server.address().port}/`)));
const timeout = 2_000;
const call = async (name) => {
  const start = performance.now();
  const code = await client.callTool({ name, arguments: {} }, { timeout }).then(() => "result", (error) => error.code);
  return { code, waited: performance.now() - start > timeout - 100 };
};
const ended = await call("end");
const reset = await call("reset");
await client.close();
server.close();
server.closeAllConnections();
console.log("@modelcontextprotocol/client", JSON.parse(readFileSync("node_modules/@modelcontextprotocol/client/package.json", "utf8")).version);
console.log("stream ended:", ended.code, ended.waited ? "after the timeout" : "at once");
console.log("connection reset:", reset.code, reset.waited ? "after the timeout" : "at once");
const asFound = [ended, reset].every(({ code, waited }) => code === "REQUEST_TIMEOUT" && waited);
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
