/** Owns the scenario of a start: from the command to the first served turn, on data that are there, and what is installed. */
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { makeTemporaryFolder } from "./clean-up.ts";
import type { Context } from "./context.ts";
import { findTemplate, startForeword } from "./foreword.ts";
import { postTurn, shortScript } from "./post-turn.ts";
import { onPeerProcessor } from "./processors.ts";
import { toMedian, type Row } from "./row.ts";
import { toPrompt } from "./script.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const mostSeconds = 1;
const mostMib = 120;

const Lock = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional() })) });

/** Returns the size of what is in `folder`, packages within it left out, in bytes. */
function readSize(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? readSize(path) : lstatSync(path).size;
    })
    .reduce((sum, size) => sum + size, 0);
}

/** Returns what an install for production takes, in bytes: the packages that are needed to run, and what is ours. */
function readInstallSize(): number {
  const { packages } = Lock.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const needed = Object.entries(packages)
    // Packages of other platforms are in the list, but not there.
    .filter(([path, { dev }]) => path !== "" && dev !== true && existsSync(join(root, path)))
    .map(([path]) => path);
  return [...needed, "src", "docs"].reduce((sum, path) => sum + readSize(join(root, path)), 0);
}

/** Runs it; resolves with its rows. */
export async function runStart(context: Context): Promise<readonly Row[]> {
  const folder = await makeTemporaryFolder();
  const dataDir = join(folder.path, "data");
  await cp(await findTemplate(), dataDir, { recursive: true });
  const times: number[] = [];
  for (let round = 1; round <= context.rounds; round += 1) {
    const startMs = performance.now();
    const server = await startForeword({
      upstreamUrl: context.upstreamUrl,
      prefix: onPeerProcessor,
      dataDir,
    });
    await postTurn(server.url, { messages: [{ sender: "user", text: toPrompt(shortScript) }] });
    times.push((performance.now() - startMs) / 1000);
    await server.program.stop();
    await server.close();
    context.say(`start ${round}/${context.rounds}: ${times.at(-1)?.toFixed(2)} s`);
  }
  await folder.remove();
  const seconds = toMedian(times) ?? Number.NaN;
  const mib = readInstallSize() / 1024 / 1024;
  return [
    {
      scenario: "start",
      figure: "second start to first served turn, s",
      values: { foreword: seconds },
      target: { text: `< ${mostSeconds}`, isMet: seconds < mostSeconds },
    },
    {
      scenario: "start",
      figure: "production install, MiB",
      values: { foreword: mib },
      target: { text: `< ${mostMib}`, isMet: mib < mostMib },
    },
  ];
}
