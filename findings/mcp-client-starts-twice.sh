#!/usr/bin/env bash
# @modelcontextprotocol/client (npm): `versionNegotiation: { mode: "auto" }` over `StdioClientTransport`.
# Guess: the server's process is started once, as with the default mode.
# Found: it is started twice. The client asks a first process, whose standard error it discards, for its
# version, ends it, and starts the one that it uses. A subclass of the transport starts only one process.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/server@2.4.0
cat > server.mjs <<'JS'
import { appendFileSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
appendFileSync("starts.txt", `${process.pid}\n`);
serveStdio(() => new McpServer({ name: "counted", version: "1" }));
JS
cat > run.mjs <<'JS'
import { readFileSync, writeFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
class Subclass extends StdioClientTransport {}
const countStarts = async (options, Transport) => {
  writeFileSync("starts.txt", "");
  const client = new Client({ name: "counting", version: "1" }, options);
  await client.connect(new Transport({ command: process.execPath, args: ["server.mjs"] }));
  await client.close();
  return readFileSync("starts.txt", "utf8").trim().split("\n").length;
};
const auto = { versionNegotiation: { mode: "auto" } };
const starts = {
  default: await countStarts({}, StdioClientTransport),
  auto: await countStarts(auto, StdioClientTransport),
  "auto, subclass": await countStarts(auto, Subclass),
};
console.log("@modelcontextprotocol/client", JSON.parse(readFileSync("node_modules/@modelcontextprotocol/client/package.json", "utf8")).version);
for (const [mode, count] of Object.entries(starts)) console.log(`${mode}: ${count} process(es)`);
const asFound = Object.values(starts).join() === "1,2,1";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
