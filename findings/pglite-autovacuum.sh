#!/usr/bin/env bash
# @electric-sql/pglite: `autovacuum`.
# Guess: it is shown as on, so the space of deleted rows is used again, as in any Postgres.
# Found: nothing vacuums, as there is no second process: a table whose rows come and go only grows, until the
# program runs `vacuum` itself, which works.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @electric-sql/pglite@0.5.16
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
const database = await PGlite.create();
const ask = async (sql) => (await database.query(sql)).rows[0];
await database.exec("set autovacuum_naptime = '1s'").catch(() => {}); // a setting of the server, not of a session
await database.exec("create table queue (id int primary key, text text)");
const { autovacuum } = await ask("show autovacuum");
/** Adds and deletes 100 rows, so often: about 8 KB of space at a time. */
const churn = async (rounds) => {
  for (let round = 0; round < rounds; round += 1) {
    await database.exec("insert into queue select i, repeat('x', 50) from generate_series(1, 100) i");
    await database.exec("delete from queue");
  }
  return Number((await ask("select pg_relation_size('queue') as bytes")).bytes);
};
const first = await churn(100);
await new Promise((resolve) => setTimeout(resolve, 3_000));
const second = await churn(100);
await database.exec("vacuum queue");
const third = await churn(1);
const { last } = await ask("select last_autovacuum as last from pg_stat_user_tables where relname = 'queue'");
await database.close();
console.log("@electric-sql/pglite", JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")).version);
console.log({ autovacuum, bytesAfter100Rounds: first, after200: second, afterVacuumAndOneMore: third, lastAutovacuum: last });
const asFound = autovacuum === "on" && second > 1.9 * first && third < first / 10 && last === null;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
