#!/usr/bin/env bash
# Node.js: connections that wait to be accepted while the event loop is busy.
# Guess: a listening socket hands over all waiting connections as soon as the loop comes to it, as `accept` in a
# loop did in older versions.
# Found: it hands over one in each pass of the loop, because libuv (since 1.45) accepts only once for each
# event. A server whose passes take 10 ms, because it relays many streams, accepts a hundred connections a
# second, and the rest wait in the kernel though its processor may be free in between. Several servers on the
# same port (`reusePort`, Linux) each hand over one in a pass.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent node@24.21.0
cat > run.mjs <<'JS'
import { once } from "node:events";
import { connect, createServer } from "node:net";
const clients = 64;
/** Returns how many connections `count` listening sockets handed over in the pass of the loop with most of them. */
async function measure(count) {
  let [pass, left, port] = [0, clients, 0];
  const perPass = new Map();
  const all = Promise.withResolvers();
  const servers = [];
  for (let index = 0; index < count; index += 1) {
    const server = createServer((socket) => {
      socket.on("error", () => {}).resume();
      perPass.set(pass, (perPass.get(pass) ?? 0) + 1);
      left -= 1;
      if (left === 0) all.resolve();
    });
    server.listen({ host: "127.0.0.1", port, reusePort: count > 1 });
    await once(server, "listening");
    port = server.address().port;
    servers.push(server);
  }
  const sockets = Array.from({ length: clients }, () => connect(port, "127.0.0.1").on("error", () => {}));
  const next = () => {
    pass += 1;
    if (left > 0) setImmediate(next);
  };
  next();
  await all.promise;
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  return Math.max(...perPass.values());
}
const [one, eight] = [await measure(1), await measure(8)];
console.log("node", process.versions.node, "libuv", process.versions.uv);
console.log(`of ${clients} waiting connections, most in one pass: ${one} by one socket, ${eight} by eight`);
const asFound = one === 1 && eight > 1;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node_modules/.bin/node run.mjs
