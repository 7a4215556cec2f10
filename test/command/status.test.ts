/** `foreword status`: the live state of a running server. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Writable } from "node:stream";
import { describe, test } from "node:test";
import { showStatus } from "../../src/command/status/status.ts";
import { toStatusLines } from "../../src/command/status/status-lines.ts";
import { Metrics } from "../../src/observe/metrics/metrics.ts";
import { openTurn, readResponse } from "../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { closeServer, listen } from "../support/network/local-port.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

describe("foreword status", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, { METRICS_PORT: "0" }, { database });
  const folder = useSuiteFolder();
  const run = useCommands();

  test("prints turns, followers, models, store and journal of the running server, and exits with 0", async () => {
    const { call, opening } = await openTurn(app, model);
    call.text("- p\n---RESPONSE---\n");
    const response = await opening;
    const { port } = new URL(app.metricsUrl);
    const command = run(["status"], { METRICS_PORT: port }, folder.path);
    assert.equal(await command.exit(), 0);
    const lines = command.stdout.trimEnd().split("\n");
    const row = (label: string): string => lines.find((line) => line.startsWith(`  ${label} `)) ?? "";
    assert.match(lines[0] ?? "", /^Foreword 0\.0\.0, up \d+ (?:s|min)$/);
    assert.match(row("turns"), / 1 running; 0\.0 a minute/);
    assert.match(row("followers"), / 1 of these turns, 0 of other servers'/);
    assert.match(row("store"), /calls a second; within \S+ m?s \(p99\); \d+ of 10 at once, 0 waiting/);
    assert.match(row("bus"), / Postgres (?:tells servers of|is SILENT: turns of other)/);
    assert.match(row("journal"), / empty; 0\.\d MiB/);
    assert.match(row("limits"), / 0\.0 a minute refused/);
    call.text("Done.").finish();
    await readResponse(response);
  });

  test("is refreshed in its place until it is interrupted, with rates since the last time", async () => {
    const shown = await showThreeTimes("0.0.0.0", Number(new URL(app.metricsUrl).port));
    assert.equal(shown.length, 3);
    for (const text of shown) assert.ok(text.startsWith("\u001b[H\u001b[2JForeword 0.0.0"));
  });

  test("goes on in a terminal while the server does not respond, until it does again", async () => {
    const snapshot = await (await fetch(new URL("/metrics.json", app.metricsUrl))).text();
    let asked = 0;
    const restarting = createServer((_request, response) => {
      asked += 1;
      if (asked === 2) response.destroy();
      else response.end(snapshot);
    });
    const shown = await showThreeTimes("127.0.0.1", await listen(restarting));
    const starts = ["Foreword", "No server responds", "Foreword"].map((text) => `\u001b[H\u001b[2J${text} `);
    for (const [index, start] of starts.entries()) assert.equal(shown[index]?.slice(0, start.length), start);
    await closeServer(restarting);
  });

  test("says where it looked if no server runs, and exits with 1", async () => {
    const off = run(["status"], {}, folder.path);
    const gone = run(["status"], { METRICS_PORT: "1" }, folder.path);
    assert.deepEqual([await off.exit(), await gone.exit()], [1, 1]);
    assert.match(off.stdout, /^No server responds in \.foreword: is it running, /);
    assert.match(gone.stdout, /^No server responds in \.foreword, nor at http:\/\/127\.0\.0\.1:1\//);
  });
});

/** Shows a server's state in a terminal, and resolves with the first three texts. */
async function showThreeTimes(host: string, port: number): Promise<readonly string[]> {
  const ending = new AbortController();
  const shown: string[] = [];
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      shown.push(chunk.toString());
      if (shown.length === 3) ending.abort();
      done();
    },
  });
  const options = {
    dataDir: undefined,
    metrics: { host, port },
    output,
    intervalMs: 1,
    signal: ending.signal,
  };
  assert.equal(await showStatus(options), 0);
  return shown;
}

describe("toStatusLines", () => {
  test("shows what has changed since the earlier snapshot, and what needs its reader", () => {
    const metrics = new Metrics();
    metrics.set("process_start_time_seconds", {}, Date.now() / 1000 - 7_500);
    const labels = { outcome: "complete", wire: "sse", model: "m" } as const;
    metrics.add("foreword_turns_total", labels, 100);
    metrics.record("foreword_store_call_seconds", { function: "chat_end_turn", result: "ok" }, 4);
    const before = { snapshot: metrics.toSnapshot(), atMs: 1_000 };
    metrics.add("foreword_turns_total", labels, 2);
    metrics.add("foreword_turns_total", { ...labels, outcome: "failed" }, 1);
    metrics.record("foreword_model_call_seconds", { model: "m", result: "model_silent" }, 60);
    metrics.record("foreword_store_call_seconds", { function: "chat_end_turn", result: "ok" }, 0.004);
    metrics.set("foreword_journal_queued", {}, 7);
    metrics.set("foreword_journal_rejected", {}, 1);
    metrics.set("foreword_workers", {}, 2);
    metrics.set("foreword_workers_missing", {}, 1);
    const lines = toStatusLines({ snapshot: metrics.toSnapshot(), atMs: 31_000 }, before).join("\n");
    assert.match(lines, /up 2 h, 2 workers, 1 MISSING/);
    assert.match(lines, /6\.0 a minute \(2 complete, 1 failed\)/);
    assert.match(lines, /m: 2\.0 a minute; FAILED: 1 model_silent/);
    assert.match(lines, /0\.0 calls a second; within 5 ms \(p99\)/);
    assert.match(lines, /7 writes WAIT for the database; 1 REJECTED/);
  });
});
