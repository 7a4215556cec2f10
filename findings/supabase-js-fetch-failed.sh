#!/usr/bin/env bash
# @supabase/postgrest-js, the part of supabase-js behind `rpc` and `from`: a call while nothing listens at the
# URL.
# Guess: the promise rejects, or `error.code` or `error.cause` names the reason, such as ECONNREFUSED.
# Found: it resolves with `status: 0`, `error.message: "TypeError: fetch failed"`, an empty `error.code` and
# no `cause`. The reason is only a line of text inside `error.details`, between stack traces: code that logs
# or sorts errors by message or code cannot tell a refused connection from a wrong host name.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @supabase/postgrest-js@2.119.1
cat > run.mjs <<'JS'
import { createServer } from "node:net";
import { readFileSync } from "node:fs";
import { PostgrestClient } from "@supabase/postgrest-js";
const server = createServer().listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const { port } = server.address();
await new Promise((resolve) => server.close(resolve));
const client = new PostgrestClient(`http://127.0.0.1:${port}`);
const settled = await client.rpc("add", { a: 1, b: 2 }).then(
  ({ status, error }) => ({ outcome: "resolved", status, error }),
  (error) => ({ outcome: "rejected", error }),
);
const { outcome, status, error } = settled;
const found = {
  outcome, status, message: error.message, code: error.code, cause: error.cause,
  reasonInDetails: error.details?.split("\n").find((line) => line.includes("ECONNREFUSED")),
};
console.log("@supabase/postgrest-js", JSON.parse(readFileSync("node_modules/@supabase/postgrest-js/package.json", "utf8")).version);
console.log(found);
const asFound =
  outcome === "resolved" && status === 0 && found.message === "TypeError: fetch failed" && found.code === "" &&
  found.cause === undefined && found.reasonInDetails !== undefined;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
