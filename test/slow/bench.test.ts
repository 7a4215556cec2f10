/** A smoke test of the bench: it runs, every body is right, and the table has all columns. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeFolder } from "../support/apps/start-app.ts";

const run = promisify(execFile);
const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));
const peers = ["raw-parse", "foreword", "foreword-postgres"];
const columns = ["scenario", "figure", ...peers, "ratio", "target", "met", "measured"];

describe("the bench", () => {
  test("runs some peers through its shortest scenarios, with right bodies and a complete table", async () => {
    const args = ["--smoke", "relay", "first-byte", "--peers", peers.join(",")];
    const folder = await makeFolder();
    const env = { PATH: process.env["PATH"], TMPDIR: folder.path };
    // It fails if a body is wrong.
    const { stdout, stderr } = await run(process.execPath, [main, ...args], { env });
    assert.deepEqual(await readdir(folder.path), [], "it leaves no folder behind");
    await folder.remove();
    const lines = stdout.trim().split("\n");
    const cells = lines.map((line) => line.split(" | ").map((cell) => cell.replaceAll("|", "").trim()));
    assert.deepEqual(cells[0], columns);
    const rows = cells.slice(2);
    assert.deepEqual(Array.from(new Set(rows.map(([scenario]) => scenario))), ["relay", "first-byte"]);
    for (const row of rows) {
      assert.equal(row.length, columns.length, row.join());
      for (const value of row.slice(2, 2 + peers.length)) assert.match(value, /^-?[\d,.]+$/, row.join());
    }
    const targets = rows
      .map((row) => ({ scenario: row[0], ratio: row.at(-4), target: row.at(-3), met: row.at(-2) }))
      .filter(({ target }) => target !== "");
    assert.deepEqual(
      targets.map(({ scenario, target }) => [scenario, target]),
      [
        ["relay", "≤ 0.8 × raw-parse"],
        ["first-byte", "≤ 2.5 × raw-parse"],
      ],
      stderr,
    );
    for (const { ratio, met } of targets) assert.match(`${ratio} ${met}`, /^-?[\d,.]+ × [✓✗]$/, stderr);
  });
});
