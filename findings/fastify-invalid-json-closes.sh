#!/usr/bin/env bash
# fastify: a request whose JSON body does not parse, from a client that keeps its connection.
# Guess: the 400 leaves the connection open, as a 400 from the handler does: the whole body has been read.
# Found: it has `Connection: close`, and so has the 400 for an empty JSON body, although a 415 and a 400 from
# the handler keep the connection. A client that sends many such bodies pays a new connection, and TLS
# handshake, for each, and a proxy in front sees its upstream connections closed.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent fastify@5.12.8
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import fastify from "fastify";
const app = fastify();
app.post("/", async (incoming, reply) => (incoming.body.refuse ? reply.code(400).send("refused") : "accepted"));
await app.listen({ port: 0, host: "127.0.0.1" });
const { port } = app.server.address();
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const send = (body, type) =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": type, "content-length": Buffer.byteLength(body) };
    const outgoing = request({ port, host: "127.0.0.1", method: "POST", agent, headers }, (response) => {
      response.resume().once("end", () => resolve(`${response.statusCode}, connection: ${response.headers.connection}`));
    });
    outgoing.once("error", reject).end(body);
  });
const found = {
  accepted: await send("{}", "application/json"),
  "refused by the handler": await send('{"refuse":true}', "application/json"),
  "wrong media type": await send("{}", "application/x-unknown"),
  "invalid JSON": await send("{", "application/json"),
  "empty JSON": await send("", "application/json"),
};
agent.destroy();
await app.close();
console.log("fastify", JSON.parse(readFileSync("node_modules/fastify/package.json", "utf8")).version);
console.log(found);
const asFound =
  Object.values(found).join() ===
  ["200, connection: keep-alive", "400, connection: keep-alive", "415, connection: keep-alive", "400, connection: close", "400, connection: close"].join();
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
