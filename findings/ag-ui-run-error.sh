#!/usr/bin/env bash
# @ag-ui/client: a run that ends with RUN_ERROR, or without any end.
# Guess: `runAgent()` rejects, as it does for an HTTP error.
# Found: it resolves in both cases with the messages so far. Only the subscriber's `onRunErrorEvent` is called
# for a RUN_ERROR, and nothing reports a stream that merely ended. A frontend that only awaits `runAgent()`
# shows a truncated reply as complete.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @ag-ui/client@1.0.0 @ag-ui/core@1.0.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";
const start = [
  { type: "RUN_STARTED", threadId: "t", runId: "r" },
  { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "Half" },
];
const ends = { "/error": [{ type: "RUN_ERROR", message: "The model stopped.", code: "model_stalled" }], "/nothing": [] };
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of [...start, ...ends[request.url]]) response.write(`data: ${JSON.stringify(event)}\n\n`);
  response.end();
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const outcomes = {};
for (const path of Object.keys(ends)) {
  const agent = new HttpAgent({ url: `http://127.0.0.1:${server.address().port}${path}`, threadId: "t" });
  agent.messages = [{ id: "u", role: "user", content: "Hello" }];
  let heard = 0;
  const settled = await agent
    .runAgent({ runId: "r" }, { onRunErrorEvent: () => void (heard += 1) })
    .then(() => "resolved", () => "rejected");
  outcomes[path] = `${settled}, onRunErrorEvent ${heard}, last message "${agent.messages.at(-1)?.content}"`;
}
server.close();
console.log("@ag-ui/client", JSON.parse(readFileSync("node_modules/@ag-ui/client/package.json", "utf8")).version);
console.log(outcomes);
const asFound =
  outcomes["/error"].startsWith("resolved, onRunErrorEvent 1") && outcomes["/nothing"].startsWith("resolved, onRunErrorEvent 0");
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
