/** A smoke test of the bench: it runs, every body is right, and the table has all columns. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeFolder } from "../support/apps/start-app.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const peers = ["raw-passthrough", "raw-parse", "foreword", "foreword-postgres"];
const all = [...peers, "against", "against-postgres"];
const columns = [
  "scenario",
  "figure",
  ...all,
  "foreword ÷ raw-parse, raw-passthrough",
  "foreword-postgres ÷ raw-parse, raw-passthrough",
  "foreword ÷ against",
  "foreword-postgres ÷ against-postgres",
  "target",
  "met",
  "measured",
];

describe("the bench", () => {
  test("runs peers and a second checkout through short scenarios, with right bodies and a complete table", async () => {
    const folder = await makeFolder();
    const [temporary, json] = [join(folder.path, "tmp"), join(folder.path, "figures.json")];
    await mkdir(temporary);
    const args = ["--smoke", "--only", "relay,instant,turns", "--peers", peers.join(",")];
    const more = ["--against", root, "--json", json];
    const env = { PATH: process.env["PATH"], TMPDIR: temporary };
    // It fails if a body is wrong.
    const { stdout } = await run(process.execPath, [join(root, "bench/main.ts"), ...args, ...more], { env });
    assert.deepEqual(await readdir(temporary), [], "it leaves no folder behind");
    const report = JSON.parse(await readFile(json, "utf8"));
    await folder.remove();
    const cells = stdout
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map((line) => line.slice(2, -2).split(" | "));
    const [head, ...lines] = cells.map((row) => row.map((cell) => cell.trim()));
    assert.deepEqual(head, columns);
    const rows = lines.map((row) => Object.fromEntries(row.map((cell, at) => [columns[at] ?? "", cell])));
    assert.deepEqual(Array.from(new Set(rows.map((row) => row["scenario"]))), ["relay", "instant", "turns"]);
    for (const row of rows.filter(({ figure }) => /^CPU µs a (chunk|turn)( \(|$)/.test(figure ?? ""))) {
      const isOnPostgrest = row["figure"]?.includes("(PostgREST)") === true;
      for (const peer of isOnPostgrest ? ["foreword-postgres", "against-postgres"] : all)
        assert.match(row[peer] ?? "", /^[\d,.]+$/, `${row["figure"]} ${peer}`);
      assert.match(row["foreword-postgres ÷ against-postgres"] ?? "", /^[\d,.]+ ×, too few rounds$/);
    }
    const relay = rows.find((row) => row["figure"] === "CPU µs a chunk");
    assert.equal(relay?.["target"], "foreword ≤ 1.2 × raw-parse; foreword-postgres ≤ 0.65 × raw-parse");
    assert.match(relay?.["met"] ?? "", /^[✓✗] [✓✗]$/);
    assert.match(relay?.["foreword ÷ raw-parse, raw-passthrough"] ?? "", /^[\d.]+ ×, [\d.]+ ×$/);
    assert.equal(report.rows.length, rows.length);
    assert.equal(report.rows[0].samples["against-postgres"].length, 1);
  });
});
