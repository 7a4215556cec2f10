#!/usr/bin/env bash
# @electric-sql/pglite: `query` with parameters, the same text again and again.
# Guess: as with other drivers, the messages of a statement are sent together, and a text that was parsed
# before is not parsed again.
# Found: each call enters Postgres six times, one message each (parse, describe, bind, describe, execute,
# sync), also for a text seen before. A named statement through `execProtocol`, its messages in one list,
# enters it once and is parsed once; its row is the same.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @electric-sql/pglite@0.5.16
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { PGlite, protocol } from "@electric-sql/pglite";
const database = await PGlite.create();
/** The first letters of the message lists that Postgres has been given. */
let entered = "";
const enter = database.execProtocolRawSync.bind(database);
database.execProtocolRawSync = (list) => {
  entered += String.fromCharCode(list[0]);
  return enter(list);
};
const count = async (work) => {
  entered = "";
  const result = await work();
  return { result, entered };
};
const sql = "select $1::jsonb ->> 'city' as city";
const value = '{"city":"Porto"}';
const first = await count(async () => (await database.query(sql, [value])).rows[0].city);
const again = await count(async () => (await database.query(sql, [value])).rows[0].city);
const { serialize } = protocol;
const bound = () => [serialize.bind({ statement: "city", values: [value] }), serialize.execute({}), serialize.sync()];
const run = async (...list) =>
  (await database.execProtocol(Buffer.concat(list))).messages.find(({ name }) => name === "dataRow").fields[0];
const named = await count(() => run(serialize.parse({ name: "city", text: sql }), ...bound()));
const namedAgain = await count(() => run(...bound()));
await database.close();
console.log("@electric-sql/pglite", JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")).version);
console.log({ first, again, named, namedAgain });
const isSame = [first, again, named, namedAgain].every(({ result }) => result === "Porto");
const asFound =
  isSame && first.entered === "PDBDES" && again.entered === "PDBDES" && named.entered === "P" && namedAgain.entered === "B";
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
