/** The time of the one write that must be safe before a reply may begin: a sync of a file, or a commit. */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { makeTemporaryFolder } from "../clean-up.ts";
import type { BenchDatabase } from "../peers/databases.ts";
import { toMedian } from "../report/row.ts";

const times = 200;
/** A page of the journal. */
const page = Buffer.alloc(4096, "x");

/** Resolves with the median time of `fdatasync` after a page was appended to a file, in milliseconds. */
export async function measureSync(): Promise<number> {
  const folder = await makeTemporaryFolder();
  const file = openSync(join(folder.path, "journal"), "a");
  const timesMs = Array.from({ length: times }, () => {
    writeSync(file, page);
    const startMs = performance.now();
    fdatasyncSync(file);
    return performance.now() - startMs;
  });
  closeSync(file);
  await folder.remove();
  return toMedian(timesMs) ?? Number.NaN;
}

/** Resolves with the median time of `commit` after a row was inserted, in milliseconds. */
export async function measureCommit({ variables }: BenchDatabase): Promise<number> {
  const client = new Client({ connectionString: variables["DATABASE_URL"] });
  await client.connect();
  const timesMs: number[] = [];
  await client.query("create table if not exists bench_commit (text text)");
  for (let time = 0; time < times; time += 1) {
    await client.query("begin");
    await client.query("insert into bench_commit values ($1)", ["x".repeat(500)]);
    const startMs = performance.now();
    await client.query("commit");
    timesMs.push(performance.now() - startMs);
  }
  await client.query("drop table bench_commit");
  await client.end();
  return toMedian(timesMs) ?? Number.NaN;
}
