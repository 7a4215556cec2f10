/** Counts the places that share six or more lines, by jscpd; `.jscpd.json` holds its settings. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

const Place = z.object({ name: z.string(), start: z.number() });
const Report = z.object({
  duplicates: z.array(z.object({ firstFile: Place, secondFile: Place, lines: z.number() })),
});

/** Two places with the same lines. */
export type Duplicate = z.infer<typeof Report>["duplicates"][number];

/** Finds the pairs below `root`; `undefined` if jscpd is not installed yet. */
export async function findDuplicates(root: string): Promise<readonly Duplicate[] | undefined> {
  const program = findProgram();
  if (program === undefined) return undefined;
  const config = join(import.meta.dirname, "..", ".jscpd.json");
  const folder = await mkdtemp(join(tmpdir(), "duplicates-"));
  try {
    const args = [program, "--config", config, "--reporters", "json", "--output", folder];
    await promisify(execFile)(process.execPath, [...args, "src", "packages", "test", "bench"], { cwd: root });
    return Report.parse(JSON.parse(await readFile(join(folder, "jscpd-report.json"), "utf8"))).duplicates;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function findProgram(): string | undefined {
  try {
    return fileURLToPath(import.meta.resolve("jscpd/run-jscpd.js"));
  } catch {
    return undefined;
  }
}
