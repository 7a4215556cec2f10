/** Folders that are made once, kept in `node_modules/.cache`, and copied for each test. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../../../node_modules/.cache/foreword-test", import.meta.url));

/**
 * Resolves with the folder that `make` has filled for these `sources`, which decide its contents. Of several
 * processes that make it at once the first wins.
 */
export async function loadTemplate(
  kind: string,
  sources: readonly (string | Buffer)[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const digest = createHash("sha256");
  for (const source of sources) digest.update(source).update("\0");
  const template = join(cache, `${kind}-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(template)) return template;
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "new-"));
  await make(folder);
  await rename(folder, template).catch(async () => await rm(folder, { recursive: true }));
  return template;
}

/**
 * Copies a folder into `parent`, with its owners: faster than Node's copy, which makes a round trip a
 * file.
 */
export async function copyFolder(folder: string, parent: string): Promise<void> {
  await run("cp", ["-a", folder, parent]);
}
