#!/usr/bin/env bash
# @tanstack/ai-client: a chat that is loaded while a run is active, and joins a run whose first message is reasoning.
# Guess: the joined run shows the same messages as the run that the chat itself started: they get the same events.
# Found: the reply is missing, text and all, and the chat is `ready` without an error. The same events show a
# whole reply to the chat that sent the message. The joined run shows it, too, if TEXT_MESSAGE_START comes before
# the reasoning: a server must open the message of the text first, though its text comes later.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @tanstack/ai-client@0.33.2
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { ChatClient, fetchServerSentEvents } from "@tanstack/ai-client";
const place = { threadId: "t", runId: "r" };
const reasoning = [
  { type: "REASONING_START", messageId: "p" },
  { type: "REASONING_MESSAGE_START", messageId: "p", role: "reasoning" },
  { type: "REASONING_MESSAGE_CONTENT", messageId: "p", delta: "Look first." },
  { type: "REASONING_MESSAGE_END", messageId: "p" },
  { type: "REASONING_END", messageId: "p" },
];
const open = { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" };
const text = [{ type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "Hello." }, { type: "TEXT_MESSAGE_END", messageId: "m" }];
const runs = { "/reasoning-first": [...reasoning, open, ...text], "/message-first": [open, ...reasoning, ...text] };
const thread = { messages: [{ id: "u", role: "user", parts: [{ type: "text", content: "Hi" }] }], activeRun: { runId: "r" }, interrupts: null };
const server = createServer((request, response) => {
  request.resume();
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (request.method === "GET" && searchParams.has("threadId")) {
    response.writeHead(200, { "content-type": "application/json" });
    return response.end(JSON.stringify(thread));
  }
  const events = [{ type: "RUN_STARTED", ...place }, ...runs[pathname], { type: "RUN_FINISHED", ...place }];
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(events.map((event, index) => `id: ${index + 1}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
async function show(path, isJoined) {
  const connection = fetchServerSentEvents(`http://127.0.0.1:${server.address().port}${path}`);
  const errors = [];
  const onError = ({ message }) => void errors.push(message);
  const chat = new ChatClient({ connection, threadId: "t", onError, ...(isJoined && { persistence: true }) });
  if (isJoined) chat.attach();
  else await chat.sendMessage("Hi");
  const toReply = () =>
    chat.getMessages().flatMap(({ role, parts }) =>
      role === "assistant" ? parts.filter(({ content }) => content).map(({ type, content }) => `${type}: ${content}`) : []);
  for (let tries = 0; tries < 100 && !(chat.getStatus() === "ready" && toReply().length === 2); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return `${chat.getStatus()}, ${errors.length} errors, [${toReply().join(", ")}]`;
}
const outcomes = {};
for (const path of Object.keys(runs))
  outcomes[path] = { sent: await show(path, false), joined: await show(path, true) };
server.close();
console.log("@tanstack/ai-client", JSON.parse(readFileSync("node_modules/@tanstack/ai-client/package.json", "utf8")).version);
console.log(outcomes);
const whole = "ready, 0 errors, [thinking: Look first., text: Hello.]";
const { "/reasoning-first": first, "/message-first": second } = outcomes;
const asFound =
  [first.sent, second.sent, second.joined].every((each) => each === whole) && first.joined === "ready, 0 errors, []";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
