/** Scenario: from the start command to the first served turn, on existing data; and the installed size. */
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { makeTemporaryFolder } from "../clean-up.ts";
import type { Context } from "./context.ts";
import { findTemplate, startForeword } from "../peers/foreword.ts";
import { postTurn, shortScript } from "./post-turn.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { readProcessorTime } from "../load/process-usage.ts";
import { toMedian, type Row } from "../report/row.ts";
import { toPrompt } from "../load/script.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mostSeconds = 1;
const mostMib = 120;

const Lock = z.object({
  packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), link: z.boolean().optional() })),
});

/** Returns the size of `folder` in bytes, without packages in it. */
function readSize(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? readSize(path) : lstatSync(path).size;
    })
    .reduce((sum, size) => sum + size, 0);
}

/**
 * Returns the size of a production install in bytes: packages needed at run time, and Foreword's own files.
 */
function readInstallSize(): number {
  const { packages } = Lock.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const needed = Object.entries(packages)
    // A link is a package of this repository. Packages for other platforms are in the list, but not
    // installed.
    .filter(([path, { dev, link }]) => path.startsWith("node_modules/") && dev !== true && link !== true)
    .filter(([path]) => existsSync(join(root, path)))
    .map(([path]) => path);
  return [...needed, "src", "docs"].reduce((sum, path) => sum + readSize(join(root, path)), 0);
}

/** Measurements of a start, in seconds. */
interface Start {
  readonly listening: number;
  /** User and system time of the server, and of npm if it was used, until the server listens. */
  readonly processor: number;
  readonly turn: number;
}

async function measure(context: Context, dataDir: string, by: "npm" | "node"): Promise<Start> {
  const startMs = performance.now();
  const { upstreamUrl } = context;
  const server = await startForeword({ upstreamUrl, prefix: onAnyProcessor, by, dataDir });
  const listeningMs = performance.now() - startMs;
  const { allMs } = readProcessorTime(server.program.pid);
  const turnMs = await postTurn(server.url, { messages: [{ sender: "user", text: toPrompt(shortScript) }] });
  await server.program.stop();
  await server.close();
  return { listening: listeningMs / 1000, processor: allMs / 1000, turn: turnMs / 1000 };
}

/** Runs it; resolves with its rows. */
export async function runStart(context: Context): Promise<readonly Row[]> {
  const folder = await makeTemporaryFolder();
  const dataDir = join(folder.path, "data");
  await cp(await findTemplate(), dataDir, { recursive: true });
  const starts: Start[] = [];
  const startsWithoutNpm: Start[] = [];
  const npmParts: number[] = [];
  for (let round = 1; round <= context.rounds; round += 1) {
    const start = await measure(context, dataDir, "npm");
    starts.push(start);
    const withoutNpm = await measure(context, dataDir, "node");
    startsWithoutNpm.push(withoutNpm);
    npmParts.push(start.listening - withoutNpm.listening);
    context.say(`start ${round}/${context.rounds}: ${(start.listening + start.turn).toFixed(2)} s`);
  }
  await folder.remove();
  const toFigure = (list: readonly Start[], figure: (start: Start) => number): number =>
    toMedian(list.map(figure)) ?? Number.NaN;
  const seconds = toFigure(starts, ({ listening, turn }) => listening + turn);
  const mib = readInstallSize() / 1024 / 1024;
  const toRow = (figure: string, foreword: number): Row => ({
    scenario: "start",
    figure,
    values: { foreword },
  });
  return [
    {
      ...toRow("second `npm start` to first served turn, s", seconds),
      target: { text: `< ${mostSeconds}`, isMet: seconds < mostSeconds },
    },
    toRow("npm's own part of that, s", toMedian(npmParts) ?? Number.NaN),
    toRow(
      "the server's part until it listens, s",
      toFigure(startsWithoutNpm, ({ listening }) => listening),
    ),
    toRow(
      "the first turn, s",
      toFigure(starts, ({ turn }) => turn),
    ),
    toRow(
      "CPU of npm and server until it listens, s",
      toFigure(starts, ({ processor }) => processor),
    ),
    {
      ...toRow("production install, MiB", mib),
      target: { text: `< ${mostMib}`, isMet: mib < mostMib },
    },
  ];
}
