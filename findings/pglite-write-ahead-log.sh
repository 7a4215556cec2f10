#!/usr/bin/env bash
# @electric-sql/pglite: the write-ahead log with `max_wal_size = 64MB`.
# Guess: as in any Postgres, checkpoints keep it near that size.
# Found: Postgres in single-user mode has no checkpointer, so the log grows far past the setting for as long
# as the process lives; an explicit `checkpoint` shrinks it again. A start after a kill replays all of it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @electric-sql/pglite@0.5.16
cat > run.mjs <<'JS'
import { readdirSync, readFileSync, statSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
const startParams = [...PGlite.defaultStartParams, "-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"];
const database = await PGlite.create({ dataDir: "data", startParams });
const sizeMib = () => {
  const files = readdirSync("data/pg_wal", { withFileTypes: true }).filter((file) => file.isFile());
  return Math.round(files.reduce((sum, { name }) => sum + statSync(`data/pg_wal/${name}`).size, 0) / 2 ** 20);
};
await database.exec("create table t (id int, text text)");
for (let round = 0; round < 20; round += 1)
  await database.exec("insert into t select g, repeat(md5(g::text), 20) from generate_series(1, 12000) g");
const setting = (await database.query("show max_wal_size")).rows[0].max_wal_size;
const before = sizeMib();
await database.exec("checkpoint");
const after = sizeMib();
await database.close();
console.log("@electric-sql/pglite", JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")).version);
console.log(`max_wal_size ${setting}; pg_wal ${before} MiB after the writes, ${after} MiB after a checkpoint`);
const asFound = before > 128 && after < before / 2;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
