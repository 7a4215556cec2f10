#!/usr/bin/env bash
# ioredis: `commandTimeout` while the server's connection is open but silent, as on a host that has frozen.
# Guess: after a timeout the connection counts as broken, and the next commands go over a new one.
# Found: only the command rejects ("Command timed out"). The client stays "ready" on the same socket, tells no
# `error`, `close` or `reconnecting`, and sends every later command there, each to time out in turn. A program
# that watches the events believes that Redis works. `socketTimeout` is what drops a silent socket.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent ioredis@6.0.0
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import Redis from "ioredis";
const limitMs = 200;
/** A server that answers `+OK` to each command until it is told to be silent; counts its connections. */
async function start() {
  const server = createServer((socket) => {
    state.connections += 1;
    const isFirst = state.connections === 1;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const commands = bytes.toString("latin1").match(/\*\d+\r\n/g)?.length ?? 0;
      if (!(isFirst && state.isSilent)) socket.write("+OK\r\n".repeat(commands));
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const state = { server, connections: 0, isSilent: false };
  return state;
}
async function ask(options) {
  const state = await start();
  const { port } = state.server.address();
  const redis = new Redis({ port, host: "127.0.0.1", enableReadyCheck: false, ...options });
  const events = [];
  await redis.ping();
  for (const name of ["error", "close", "reconnecting"]) redis.on(name, () => events.push(name));
  state.isSilent = true;
  const outcomes = [];
  for (let index = 0; index < 3; index += 1)
    outcomes.push(await redis.ping().then(() => "answered", ({ message }) => message));
  const { status } = redis;
  const result = { outcomes, status, events: [...new Set(events)].join(" "), connections: state.connections };
  redis.disconnect();
  state.server.close();
  return result;
}
const byCommand = await ask({ commandTimeout: limitMs });
const bySocket = await ask({ socketTimeout: limitMs });
console.log("ioredis", JSON.parse(readFileSync("node_modules/ioredis/package.json", "utf8")).version);
console.log("commandTimeout", byCommand);
console.log("socketTimeout ", bySocket);
const asFound =
  byCommand.outcomes.every((outcome) => outcome === "Command timed out") &&
  byCommand.status === "ready" && byCommand.events === "" && byCommand.connections === 1 &&
  bySocket.connections === 2 && bySocket.outcomes.at(-1) === "answered";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
