#!/usr/bin/env bash
# openai: a Chat Completions stream whose answer cites two pages, read by `.stream()` and `finalChatCompletion()`.
# Guess: `annotations` of deltas add up like text and tool calls; or they are dropped, since the type has none.
# Found: they are kept, but those of a later delta replace all earlier ones, without an error. A server that sends
# each citation as soon as it is written loses all but the last: it has to send them in one delta.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent openai@7.57.0
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import OpenAI from "openai";
const cite = (page) => ({
  type: "url_citation",
  url_citation: { url: `https://example.com/${page}`, title: page, start_index: 0, end_index: 3 },
});
const answers = {
  "one delta each": [{ annotations: [cite("first")] }, { content: " Two [2]." }, { annotations: [cite("second")] }],
  "one delta for all": [{ content: " Two [2]." }, { annotations: [cite("first"), cite("second")] }],
};
const server = createServer(async (request, response) => {
  let body = "";
  for await (const text of request) body += text;
  const deltas = [{ role: "assistant", content: "One [1]." }, ...answers[JSON.parse(body).messages[0].content], {}];
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const [index, delta] of deltas.entries()) {
    const choice = { index: 0, delta, finish_reason: index === deltas.length - 1 ? "stop" : null };
    const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice] };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
  response.end("data: [DONE]\n\n");
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new OpenAI({ apiKey: "k", baseURL: `http://127.0.0.1:${server.address().port}/v1` });
const found = {};
for (const content of Object.keys(answers)) {
  const stream = client.chat.completions.stream({ model: "m", messages: [{ role: "user", content }] });
  const { message } = (await stream.finalChatCompletion()).choices[0];
  found[content] = `${message.content} ${message.annotations?.map(({ url_citation }) => url_citation.title).join(", ")}`;
}
server.close();
console.log("openai", JSON.parse(readFileSync("node_modules/openai/package.json", "utf8")).version);
console.log(found);
const asFound =
  found["one delta each"] === "One [1]. Two [2]. second" && found["one delta for all"] === "One [1]. Two [2]. first, second";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
