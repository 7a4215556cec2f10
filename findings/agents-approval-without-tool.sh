#!/usr/bin/env bash
# @openai/agents, over the Responses API: a response whose output is an `mcp_approval_request`, for a tool server that
# the model's server knows and the agent does not list.
# Guess: the run stops with an interruption, as for a listed server: the request names the server, the tool and its
# arguments, and everything that the next request needs.
# Found: the run throws "MCP server (…) not found in Agent". The agent must list a `hostedMcpTool` with that label, even
# if the server chooses its tools itself; the label is all that is compared.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @openai/agents@0.20.0 openai@7.57.0 zod@4.6.7
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import OpenAI from "openai";
import { Agent, OpenAIResponsesModel, hostedMcpTool, run, setTracingDisabled } from "@openai/agents";
setTracingDisabled(true);
const item = { id: "mcpr_1", type: "mcp_approval_request", server_label: "files", name: "write", arguments: "{}" };
const body = {
  id: "resp_1", object: "response", created_at: 1, status: "completed", model: "m", output: [item],
  error: null, incomplete_details: null, instructions: null, metadata: {}, tools: [], tool_choice: "auto",
  parallel_tool_calls: true, temperature: 1, top_p: 1,
  usage: {
    input_tokens: 1, input_tokens_details: { cached_tokens: 0 },
    output_tokens: 1, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 2,
  },
};
const server = createServer((request, response) => {
  request.resume().on("end", () => response.setHeader("content-type", "application/json").end(JSON.stringify(body)));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new OpenAI({ apiKey: "k", baseURL: `http://127.0.0.1:${server.address().port}`, maxRetries: 0 });
const model = new OpenAIResponsesModel(client, "m");
const listed = hostedMcpTool({ serverLabel: "files", serverUrl: "http://localhost/", requireApproval: "always" });
const ask = async (tools) =>
  await run(new Agent({ name: "a", model, tools }), "Hi").then(
    ({ interruptions }) => ({ interruptions: interruptions.length }),
    (error) => ({ error: `${error.name}: ${error.message}` }),
  );
const found = { unlisted: await ask([]), listed: await ask([listed]) };
server.close(); server.closeAllConnections();
console.log("@openai/agents", JSON.parse(readFileSync("node_modules/@openai/agents/package.json", "utf8")).version);
console.log(found);
const asFound = /not found in Agent/.test(found.unlisted.error ?? "") && found.listed.interruptions === 1;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
