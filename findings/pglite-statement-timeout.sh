#!/usr/bin/env bash
# @electric-sql/pglite: `set statement_timeout`.
# Guess: as in any Postgres, a statement that takes longer is cancelled with SQLSTATE 57014.
# Found: the setting is accepted and shown, and cancels nothing, neither a wait nor work: no timer can
# interrupt the WebAssembly call. A long query holds the database, and its thread, until it ends; only a
# worker can be terminated.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @electric-sql/pglite@0.5.16
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
const database = await PGlite.create();
await database.exec("set statement_timeout = '100ms'");
const run = async (sql) => {
  const startedMs = performance.now();
  const outcome = await database.query(sql).then(() => "finished", (error) => `error ${error.code}`);
  return { outcome, tookMs: Math.round(performance.now() - startedMs) };
};
const shown = (await database.query("show statement_timeout")).rows[0].statement_timeout;
const wait = await run("select pg_sleep(1)");
const work = await run("select count(*) from generate_series(1, 3000000)");
await database.close();
console.log("@electric-sql/pglite", JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")).version);
console.log({ shown, wait, work });
const asFound = shown === "100ms" && [wait, work].every(({ outcome, tookMs }) => outcome === "finished" && tookMs > 150);
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
