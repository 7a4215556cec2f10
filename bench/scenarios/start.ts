/** Scenario: from the start command to the first served turn, on existing data; and the installed size. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { makeTemporaryFolder } from "../clean-up.ts";
import { runRounds, type Context } from "./context.ts";
import { ownCheckout, type Checkout } from "../peers/checkout.ts";
import { findTemplate, startForeword } from "../peers/foreword.ts";
import { isForewordPeer, isOnPostgres, toCheckout, type PeerName } from "../peers/peers.ts";
import { postTurn, shortScript } from "./post-turn.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { readProcessorTime } from "../load/process-usage.ts";
import { toTargets } from "../report/limits.ts";
import type { Row } from "../report/row.ts";
import { toPrompt } from "../load/script.ts";

const { root } = ownCheckout;
const mostSeconds = 0.5;
const mostMib = 120;

const Flag = z.boolean().default(false);
const Package = z.object({ dev: Flag, devOptional: Flag, optional: Flag, link: Flag });
const Lock = z.object({ packages: z.record(z.string(), Package) });
/** Files that the image leaves out of its packages: of debuggers and compilers. */
const unneeded = /\.map$|\.d\.[cm]?ts$/u;

/** Returns the size of `folder` in bytes, without packages in it. */
function readSize(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules" && !unneeded.test(name))
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? readSize(path) : lstatSync(path).size;
    })
    .reduce((sum, size) => sum + size, 0);
}

/** Returns the size of what the `Dockerfile` installs in bytes: packages, and Foreword's own files. */
function readInstallSize(): number {
  const { packages } = Lock.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const needed = Object.entries(packages)
    // A link is a package of this repository.
    .filter(([path, { link }]) => path.startsWith("node_modules/") && !link)
    .filter(([, { dev, devOptional, optional }]) => !dev && !devOptional && !optional)
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

/** Starts a server of `checkout` on `dataDir`, which is kept, and serves a turn. */
export async function measureStart(
  { upstreamUrl }: Context,
  checkout: Checkout,
  dataDir: string,
  by: "npm" | "node",
): Promise<Start> {
  const startMs = performance.now();
  const server = await startForeword({ upstreamUrl, checkout, prefix: onAnyProcessor, by, dataDir });
  const listeningMs = performance.now() - startMs;
  const { allMs } = readProcessorTime(server.program.pid);
  const turnMs = await postTurn(server.url, { messages: [{ sender: "user", text: toPrompt(shortScript) }] });
  await server.program.stop();
  await server.close();
  return { listening: listeningMs / 1000, processor: allMs / 1000, turn: turnMs / 1000 };
}

/** Two starts of a round. */
interface Starts {
  readonly byNpm: Start;
  readonly byNode: Start;
}

const figures: Readonly<Record<string, (starts: Starts) => number>> = {
  "second `npm start` to first served turn, s": ({ byNpm }) => byNpm.listening + byNpm.turn,
  "npm's own part of that, s": ({ byNpm, byNode }) => byNpm.listening - byNode.listening,
  "the server's part until it listens, s": ({ byNode }) => byNode.listening,
  "the first turn, s": ({ byNpm }) => byNpm.turn,
  "CPU of npm and server until it listens, s": ({ byNpm }) => byNpm.processor,
};

/** Returns the peers with an embedded database. */
export function chooseEmbedded({ peers }: Context): readonly PeerName[] {
  return peers.filter((peer) => isForewordPeer(peer) && !isOnPostgres(peer));
}

/** Runs it; resolves with its rows. */
export async function runStart(context: Context): Promise<readonly Row[]> {
  const folder = await makeTemporaryFolder();
  const peers = chooseEmbedded(context);
  for (const peer of peers) {
    const template = await findTemplate(toCheckout(peer, context.against));
    await cp(template, join(folder.path, peer), { recursive: true });
  }
  const rounds = await runRounds({ ...context, peers }, "start", async (peer) => {
    const checkout = toCheckout(peer, context.against);
    const dataDir = join(folder.path, peer);
    const byNpm = await measureStart(context, checkout, dataDir, "npm");
    const byNode = await measureStart(context, checkout, dataDir, "node");
    return { result: { byNpm, byNode }, told: `${(byNpm.listening + byNpm.turn).toFixed(2)} s` };
  });
  await folder.remove();
  const rows = Object.entries(figures).map(([figure, toValue], index): Row => {
    const samples: Row["samples"] = Object.fromEntries(
      Array.from(rounds, ([peer, list]) => [peer, list.map(toValue)]),
    );
    const limit = { figure, peer: "foreword", bound: "most", value: mostSeconds } as const;
    return {
      scenario: "start",
      figure,
      samples,
      targets: index === 0 ? toTargets([limit], figure, samples) : [],
    };
  });
  const mib = readInstallSize() / 1024 / 1024;
  return [
    ...rows,
    {
      scenario: "start",
      figure: "production install, MiB",
      samples: { foreword: [mib] },
      targets: [{ text: `< ${mostMib}`, isMet: mib < mostMib }],
    },
  ];
}
