/** Scenario: the longest event-loop delay at rated load, on the embedded store. */
import { z } from "zod";
import type { Context } from "./context.ts";
import { startForeword } from "../peers/foreword.ts";
import type { Job } from "../load/job.ts";
import { shortScript } from "./post-turn.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { toPath } from "../program.ts";
import { toMedian, type Row } from "../report/row.ts";
import { runLoad } from "../load/run-load.ts";

const mostMs = 50;

const Delays = z.object({ longestMs: z.number(), p99Ms: z.number() });

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
  const all: z.infer<typeof Delays>[] = [];
  for (let round = 1; round <= context.rounds; round += 1) {
    const server = await startForeword({
      upstreamUrl: context.upstreamUrl,
      prefix: onAnyProcessor,
      nodeOptions: ["--import", toPath("peers/loop-delay-meter.ts")],
    });
    const { pid } = server.program;
    const [, warming] = toJobs(context, server.url);
    if (warming !== undefined) await runLoad(warming, pid);
    await server.program.tell(Delays, "reset");
    await Promise.all(toJobs(context, server.url).map((job) => runLoad(job, pid)));
    const delays = await server.program.tell(Delays, "delays");
    all.push(delays);
    await server.close();
    context.say(
      `loop-delay ${round}/${context.rounds}: longest ${delays.longestMs.toFixed(1)} ms · p99 ${delays.p99Ms.toFixed(1)} ms`,
    );
  }
  const longest = toMedian(all.map(({ longestMs }) => longestMs)) ?? Number.NaN;
  const p99 = toMedian(all.map(({ p99Ms }) => p99Ms)) ?? Number.NaN;
  return [
    {
      scenario: "loop-delay",
      figure: "longest loop delay, ms",
      values: { foreword: longest },
      target: { text: `≤ ${mostMs}`, isMet: longest <= mostMs },
    },
    { scenario: "loop-delay", figure: "loop delay p99, ms", values: { foreword: p99 } },
  ];
}
