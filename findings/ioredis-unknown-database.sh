#!/usr/bin/env bash
# ioredis: a URL with the number of a database that the server does not have, as /16 of a server with sixteen.
# Guess: the client does not become ready, or its commands reject, since they were meant for that database.
# Found: it tells one `error` event ("ERR DB index is out of range"), becomes "ready" all the same, and sends
# every command to database 0, among the keys of whoever uses that. Later connections do the same. A program
# that logs errors and goes on, as one does for lost connections, reads and writes the wrong database.
# `select` called by hand does reject.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent ioredis@6.0.0
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import Redis from "ioredis";
const databases = 16;
const written = [];
/** Answers like a Redis with sixteen databases, as far as this needs: SELECT, SET, and +OK to all else. */
const server = createServer((socket) => {
  let database = 0;
  let pending = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    pending += bytes.toString("latin1");
    for (;;) {
      const head = /^\*(\d+)\r\n/.exec(pending);
      if (head === null) return;
      const words = [];
      let place = head[0].length;
      for (let left = Number(head[1]); left > 0; left -= 1) {
        const size = /^\$(\d+)\r\n/.exec(pending.slice(place));
        if (size === null) return;
        place += size[0].length;
        words.push(pending.slice(place, place + Number(size[1])));
        place += Number(size[1]) + 2;
      }
      if (pending.length < place) return;
      pending = pending.slice(place);
      const [name = "", value] = words;
      if (name.toLowerCase() === "select" && Number(value) >= databases) {
        socket.write("-ERR DB index is out of range\r\n");
        continue;
      }
      if (name.toLowerCase() === "select") database = Number(value);
      if (name.toLowerCase() === "set") written.push({ database, key: value });
      socket.write("+OK\r\n");
    }
  });
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
async function write(number) {
  const redis = new Redis(`redis://127.0.0.1:${server.address().port}/${number}`, { enableReadyCheck: false });
  const errors = [];
  redis.on("error", ({ message }) => errors.push(message));
  await new Promise((resolve) => redis.once("ready", resolve));
  const outcome = await redis.set(`key of ${number}`, "1").then(String, ({ message }) => message);
  const byHand = await redis.select(number).then(String, ({ message }) => message);
  redis.disconnect();
  return { outcome, errors, byHand };
}
const known = await write(3);
const unknown = await write(databases);
server.close();
console.log("ioredis", JSON.parse(readFileSync("node_modules/ioredis/package.json", "utf8")).version);
console.log("database 3 ", known);
console.log("database 16", unknown);
console.log("written", written);
const asFound =
  known.errors.length === 0 && unknown.outcome === "OK" && unknown.errors.length === 1 &&
  unknown.byHand.startsWith("ERR") &&
  JSON.stringify(written.map(({ database }) => database)) === "[3,0]";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
