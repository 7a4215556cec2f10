/** The page's build, made once before the tests that need it. */
import { existsSync, globSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const dist = join(root, "web/dist");
const cache = join(root, "node_modules/.cache/foreword-test");
const sources = ["web/*.{html,json,ts}", "web/src/**/*", "packages/foreword-client/src/**/*"];

let built: Promise<void> | undefined;

/** Builds `web/dist` if it is missing, or older than a source; at most once in a process. */
export async function buildPage(): Promise<void> {
  built ??= isFresh() ? Promise.resolve() : replaceBuild();
  await built;
}

function isFresh(): boolean {
  const index = join(dist, "index.html");
  if (!existsSync(index)) return false;
  const builtMs = statSync(index).mtimeMs;
  return globSync(sources, { cwd: root }).every((file) => statSync(join(root, file)).mtimeMs <= builtMs);
}

/** Builds it elsewhere first, since another process may serve the old one or build its own. */
async function replaceBuild(): Promise<void> {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "page-"));
  await build({ root: join(root, "web"), logLevel: "error", build: { outDir: join(folder, "new") } });
  if (existsSync(dist)) await rename(dist, join(folder, "old"));
  await rename(join(folder, "new"), dist).catch((error: unknown) => {
    if (!existsSync(dist)) throw error;
  });
  await rm(folder, { recursive: true });
}
