#!/usr/bin/env bash
# jose: `createRemoteJWKSet` while the identity provider is down.
# Guess: a token whose key is already in the set still verifies; only unknown keys need the provider.
# Found: once `cacheMaxAge` has passed (10 minutes unless set), every verification fails with the provider's
# error, although `jwks()` still returns the right key. An outage of the provider thus signs out all users
# within minutes; a service that must outlive it has to keep the keys itself.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent jose@6.2.18
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";
const { publicKey, privateKey } = await generateKeyPair("ES256");
const key = { ...(await exportJWK(publicKey)), kid: "a", alg: "ES256" };
let isUp = true;
const provider = createServer((request, response) => {
  if (!isUp) return void response.writeHead(503).end();
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [key] }));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => provider.once("listening", resolve));
const cacheMaxAge = 1_000; // as short as this only to keep the script short
const set = createRemoteJWKSet(new URL(`http://127.0.0.1:${provider.address().port}/keys`), { cacheMaxAge });
const token = await new SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "a" }).setExpirationTime("1h").sign(privateKey);
const verify = () => jwtVerify(token, set).then(() => "verified", (error) => `${error.code}: ${error.message}`);
const up = await verify();
isUp = false;
const downWithinMaxAge = await verify();
await new Promise((resolve) => setTimeout(resolve, cacheMaxAge + 200));
const downAfterMaxAge = await verify();
const keptKeys = set.jwks()?.keys.map(({ kid }) => kid);
provider.close();
provider.closeAllConnections();
console.log("jose", JSON.parse(readFileSync("node_modules/jose/package.json", "utf8")).version);
console.log({ up, downWithinMaxAge, downAfterMaxAge, keptKeys });
const asFound =
  up === "verified" && downWithinMaxAge === "verified" && downAfterMaxAge.startsWith("ERR_JOSE") && keptKeys?.join() === "a";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
