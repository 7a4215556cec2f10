/** Scenario: the longest event-loop delay at rated load, on the embedded store. */
import { runRounds, type Context } from "./context.ts";
import { isForewordPeer, isOnPostgres, startPeer } from "../peers/peers.ts";
import type { Job } from "../load/job.ts";
import { shortScript } from "./post-turn.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { Delays, meterOptions } from "../load/loop-delays.ts";
import { toTargets, type Limit } from "../report/limits.ts";
import type { Row } from "../report/row.ts";
import { runLoad } from "../load/run-load.ts";

const figures = { longestMs: "longest loop delay, ms", p99Ms: "loop delay p99, ms" } as const;
const limits: readonly Limit[] = [{ figure: figures.longestMs, peer: "foreword", bound: "most", value: 50 }];

/** The rated load: 100 streams of 40 tokens a second, and about 20 short turns a second. */
function toJobs({ isSmoke, seconds }: Context, url: string): readonly Job[] {
  const deltas = isSmoke ? 20 : Math.round(seconds * 40);
  const streams = isSmoke ? 10 : 100;
  return [
    {
      url,
      kind: "plan",
      script: { ...shortScript, deltas, paceMs: 25, eventsPerWrite: 1 },
      load: { type: "open", streams, rampMs: 1000, deadlineMs: 60_000 },
    },
    {
      url,
      kind: "plan",
      script: shortScript,
      load: { type: "closed", clients: 4, seconds, pauseMs: 200 },
    },
  ];
}

/** Runs it; resolves with its rows. The store's thread gets its own processor, or its work would be delay. */
export async function runLoopDelay(context: Context): Promise<readonly Row[]> {
  const { upstreamUrl, against } = context;
  const peers = context.peers.filter((peer) => isForewordPeer(peer) && !isOnPostgres(peer));
  const rounds = await runRounds({ ...context, peers }, "loop-delay", async (peer) => {
    const options = { upstreamUrl, prefix: onAnyProcessor, nodeOptions: meterOptions, against };
    const server = await startPeer(peer, options);
    const { pid } = server.program;
    const [, warming] = toJobs(context, server.url);
    if (warming !== undefined) await runLoad(warming, pid);
    await server.program.tell(Delays, "reset");
    await Promise.all(toJobs(context, server.url).map((job) => runLoad(job, pid)));
    const result = await server.program.tell(Delays, "delays");
    await server.close();
    const { longestMs, p99Ms } = result;
    return { result, told: `longest ${longestMs.toFixed(1)} ms · p99 ${p99Ms.toFixed(1)} ms` };
  });
  return (["longestMs", "p99Ms"] as const).map((key) => {
    const samples: Row["samples"] = Object.fromEntries(
      Array.from(rounds, ([peer, list]) => [peer, list.map((delays) => delays[key])]),
    );
    const figure = figures[key];
    return { scenario: "loop-delay", figure, samples, targets: toTargets(limits, figure, samples) };
  });
}
