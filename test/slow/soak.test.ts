/** A soak of a minute: its load is right, every metric has a trend, and it leaves nothing behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { makeFolder } from "../support/apps/start-app.ts";

const main = fileURLToPath(new URL("../../bench/soak/main.ts", import.meta.url));

const Soak = z.object({
  stores: z.array(
    z.object({
      store: z.string(),
      turns: z.number(),
      failures: z.number(),
      reasons: z.array(z.string()),
      trends: z.array(z.object({ name: z.string(), start: z.number(), minutes: z.number() })),
      samples: z.array(z.unknown()),
    }),
  ),
});

/** Runs it; resolves with its exit code and output. */
async function run(args: readonly string[], folder: string) {
  const env = { PATH: process.env["PATH"], TMPDIR: folder };
  const child = spawn(process.execPath, [main, ...args], { env });
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code]: unknown[] = await closed;
  return { code, stdout, stderr };
}

describe("npm run soak", () => {
  test("samples all metrics of both stores under a load without a wrong response", async (context) => {
    const folder = await makeFolder();
    context.after(() => folder.remove());
    const { code, stdout, stderr } = await run(["--minutes", "1", "--rate", "4", "--json"], folder.path);
    // Within a minute much still grows.
    assert.ok(code === 0 || code === 1, stderr);
    const { stores } = Soak.parse(JSON.parse(stdout));
    assert.deepEqual(
      stores.map(({ store, trends }) => [store, trends.length]),
      [
        ["pglite", 8],
        ["postgres", 10],
      ],
    );
    for (const { turns, failures, reasons, trends, samples } of stores) {
      assert.deepEqual([failures, reasons], [0, []]);
      assert.ok(turns > 50, `${turns} turns`);
      assert.equal(samples.length, 61);
      for (const { name, start, minutes } of trends)
        assert.ok(start > 0 && minutes > 0.6, `${name}: ${start}`);
    }
    assert.deepEqual(await readdir(folder.path), [], "it leaves no folder behind");
  });

  test("names a wrong option", async () => {
    const { code, stderr } = await run(["--store", "mysql"], "/tmp");
    assert.deepEqual([code, stderr], [2, "--store must be pglite, postgres or both\n"]);
  });
});
