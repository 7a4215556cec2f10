#!/usr/bin/env bash
# @supabase/auth-js, the part of supabase-js behind `auth`: a page that opens with an expired access token while
# the auth server cannot be reached, or answers 503.
# Guess: `getSession()` rejects, or returns the stored session with an error; `onAuthStateChange` says nothing, or
# that the session could not be refreshed.
# Found: after 25 s of retries `getSession()` returns `session: null` with an AuthRetryableFetchError, and
# `onAuthStateChange` reports INITIAL_SESSION with `null`, exactly as for a user who is signed out. The session is
# still stored, and works once the server is back. A page that shows its sign-in form for a null session, or
# forgets the user's data, does so for every short outage.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @supabase/auth-js@2.119.1
cat > run.mjs <<'JS'
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { AuthClient } from "@supabase/auth-js";
const user = { id: "u", aud: "authenticated", app_metadata: {}, user_metadata: {}, created_at: "2026-01-01T00:00:00Z" };
const session = {
  access_token: "a.b.c", refresh_token: "r", token_type: "bearer", expires_in: 3600,
  expires_at: Math.floor(Date.now() / 1000) - 10, user,
};
let isUp = false;
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(isUp ? 200 : 503, { "content-type": "application/json" });
  response.end(isUp ? JSON.stringify({ ...session, expires_at: session.expires_at + 3600 }) : "{}");
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
console.error = () => {}; // it prints each error, too
async function open(stored, url = `http://127.0.0.1:${server.address().port}`) {
  const storage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
    removeItem: (key) => void stored.delete(key),
  };
  const startedMs = Date.now();
  const client = new AuthClient({ url, storage, storageKey: "key", autoRefreshToken: false, persistSession: true });
  const events = [];
  client.onAuthStateChange((event, found) => void events.push(`${event} ${found === null ? "without" : "with"} a session`));
  const { data, error } = await client.getSession();
  await new Promise((resolve) => setTimeout(resolve, 0));
  return {
    session: data.session === null ? "null" : "there", error: error?.name, events: events.at(-1),
    isStored: stored.has("key"), seconds: Math.round((Date.now() - startedMs) / 1000),
  };
}
const toStored = () => new Map([["key", JSON.stringify(session)]]);
const stored = toStored();
const [down, refused, signedOut] = await Promise.all([open(stored), open(toStored(), "http://127.0.0.1:9"), open(new Map())]);
isUp = true;
const later = await open(stored);
server.close();
console.log("@supabase/auth-js", JSON.parse(readFileSync("node_modules/@supabase/auth-js/package.json", "utf8")).version);
console.log({ "503": down, "nothing listens": refused, "signed out": signedOut, "503, then up": later });
const asFound =
  [down, refused].every((each) => each.session === "null" && each.error === "AuthRetryableFetchError"
    && each.events === signedOut.events && each.isStored && each.seconds > 5) && later.session === "there";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
