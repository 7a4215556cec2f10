/**
 * Runs the built server in the working directory with each kind of store, and one turn in each, so that
 * Node's compile cache holds its code: containers start with that.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Stores that cannot be reached: their code is loaded all the same. */
const stores = [
  {},
  { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", METRICS_PORT: "0" },
  { SUPABASE_URL: "http://127.0.0.1:1", SUPABASE_SERVICE_ROLE_KEY: "none" },
];

for (const store of stores) {
  const folder = await mkdtemp(join(tmpdir(), "foreword-"));
  const variables = { HOST: "127.0.0.1", PORT: "0", DATA_DIR: folder, DRAIN_SECONDS: "0", ...store };
  const server = spawn(process.execPath, ["dist/main.js"], {
    env: { PATH: process.env.PATH, ...variables },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exit = once(server, "exit");
  try {
    await runTurn(await findAddress(server.stderr));
  } finally {
    server.kill("SIGTERM");
  }
  const [code] = await exit;
  if (code !== 0) throw new Error(`the server exited with ${code}`);
  await rm(folder, { recursive: true });
}

/** Resolves with the address that the server prints once it listens. */
async function findAddress(stderr) {
  let text = "";
  for await (const piece of stderr.setEncoding("utf8")) {
    text += piece;
    const [, address] = /listening +(http:\S+)\n/.exec(text) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`the server did not start: ${text}`);
}

async function runTurn(address) {
  const response = await fetch(`${address}/stream-chat`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ messages: [{ sender: "user", text: "Hello" }] }),
  });
  const reply = await response.text();
  if (!reply.includes("turn-end")) throw new Error(`no reply: ${reply}`);
}
