/** Scenario: the start of the embedded database after SIGKILL, and after many turns. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { makeTemporaryFolder } from "../clean-up.ts";
import { runRounds, type Context } from "./context.ts";
import { runLoad } from "../load/run-load.ts";
import { startForeword } from "../peers/foreword.ts";
import { toCheckout, type PeerName } from "../peers/peers.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { toTargets } from "../report/limits.ts";
import type { Row } from "../report/row.ts";
import { shortScript } from "./post-turn.ts";
import { chooseEmbedded, measureStart } from "./start.ts";

const mostSeconds = 1.5;
/** Turns before the kill: before checkpoints, so many took 150 to 200 MB of write-ahead log. */
const turns = 10_000;
const longestSeconds = 300;

/** Serves turns on a new database in `dataDir`, and kills the server among them. */
async function leaveKilled(context: Context, peer: PeerName, dataDir: string): Promise<void> {
  const checkout = toCheckout(peer, context.against);
  const { upstreamUrl } = context;
  const server = await startForeword({ upstreamUrl, checkout, prefix: onAnyProcessor, dataDir });
  const streams = context.isSmoke ? 20 : turns;
  const load = { type: "closed", clients: 16, seconds: longestSeconds, streams, pauseMs: 0 } as const;
  const { pid } = server.program;
  const { result } = await runLoad({ url: server.url, kind: "plan", script: shortScript, load }, pid);
  await server.program.kill();
  await server.close();
  context.say(`start-after-kill ${peer}: ${result.whole} turns before the kill`);
}

/** Runs it; resolves with its rows. Each round starts on a copy of what the killed server left. */
export async function runStartAfterKill(context: Context): Promise<readonly Row[]> {
  const peers = chooseEmbedded(context);
  const folder = await makeTemporaryFolder();
  for (const peer of peers) await leaveKilled(context, peer, join(folder.path, peer));
  const rounds = await runRounds({ ...context, peers }, "start-after-kill", async (peer) => {
    const copy = await makeTemporaryFolder();
    const dataDir = join(copy.path, "data");
    // A socket cannot be copied, and the killed server's is of no use.
    const isCopied = (path: string): boolean => !path.endsWith(".sock");
    await cp(join(folder.path, peer), dataDir, { recursive: true, filter: isCopied });
    const { listening, turn } = await measureStart(
      context,
      toCheckout(peer, context.against),
      dataDir,
      "node",
    );
    await copy.remove();
    return { result: listening + turn, told: `${(listening + turn).toFixed(2)} s` };
  });
  await folder.remove();
  const figure = "`node src/main.ts serve` to first served turn, s";
  const samples: Row["samples"] = Object.fromEntries(rounds);
  const limit = { figure, peer: "foreword", bound: "most", value: mostSeconds } as const;
  return [{ scenario: "start-after-kill", figure, samples, targets: toTargets([limit], figure, samples) }];
}
