/**
 * Scenario: two server processes beside one, their throughput and their cost. Each has a share of a
 * processor, as by a container's limit: on a machine with two, upstream, load generator and Postgres leave no
 * second one free.
 */
import type { Context } from "./context.ts";
import { openPostgres } from "../peers/databases.ts";
import { startForeword } from "../peers/foreword.ts";
import { listFamily } from "../load/process-usage.ts";
import { limitProcessors } from "../peers/processors.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { toFigure, toValue, type Row } from "../report/row.ts";
import { runLoad } from "../load/run-load.ts";
import { fast, toWarmUp } from "./stream-scenarios.ts";

/** Least throughput of two, as a multiple of one's. */
const leastTimes = 1.7;
/** Share of a processor for each process. */
const share = 0.2;
const counts = [1, 2] as const;

/** Throughput and cost of one or two processes. */
interface Yield {
  readonly thousandChunks: number;
  readonly cpuUs: number;
}

async function measure(context: Context, count: number, url: string): Promise<Yield> {
  const server = await startForeword({
    upstreamUrl: context.upstreamUrl,
    prefix: onAnyProcessor,
    variables: { DATABASE_URL: url, WORKERS: String(count) },
  });
  const { pid } = server.program;
  // Two servers are children of a supervisor.
  const serving = count === 1 ? [pid] : listFamily(pid).slice(1);
  if (serving.length !== count) throw new Error(`${serving.length} processes serve instead of ${count}`);
  const load = {
    type: "closed",
    clients: context.isSmoke ? 8 : 64,
    seconds: 2 * context.seconds,
    pauseMs: 0,
  } as const;
  const to = { url: server.url, kind: "plan" } as const;
  // Each process compiles for itself, so the warm-up grows with their number.
  for (let times = 0; times < count; times += 1) await runLoad({ ...to, ...toWarmUp(context) }, pid);
  const release = limitProcessors(serving, share);
  if (release === undefined)
    context.say("workers: this system cannot limit processor shares; the processes run unlimited");
  const { result, allMs } = await runLoad({ ...to, script: fast, load }, pid);
  await server.program.stop();
  await server.close();
  await release?.();
  const chunks = result.streams * fast.deltas;
  return { thousandChunks: chunks / result.seconds / 1000, cpuUs: (allMs * 1000) / chunks };
}

/** Runs it on Postgres, upstream and load on the processors of the workers; resolves with its rows. */
export async function runWorkers(context: Context): Promise<readonly Row[]> {
  const database = await openPostgres();
  const { DATABASE_URL: url = "" } = database.variables;
  const yields = new Map<number, Yield[]>(counts.map((count) => [count, []]));
  const { rounds = 3 } = context;
  for (let round = 1; round <= rounds; round += 1) {
    for (const [count, list] of yields) {
      const found = await measure(context, count, url);
      list.push(found);
      context.say(
        `workers ${round}/${rounds} ${count}: thousand chunks a second ${toFigure(found.thousandChunks)} · CPU µs a chunk ${toFigure(found.cpuUs)}`,
      );
    }
  }
  await database.close();
  const list = (count: number, of: (found: Yield) => number): Row["samples"] => ({
    "foreword-postgres": (yields.get(count) ?? []).map(of),
  });
  const [one, two] = counts.map((count) => list(count, ({ thousandChunks }) => thousandChunks));
  const toChunks = (samples: Row["samples"] = {}): number => toValue(samples, "foreword-postgres") ?? NaN;
  const ratio = toChunks(two) / toChunks(one);
  return counts.flatMap((count) => [
    {
      scenario: "workers",
      figure: `thousand chunks a second (${count})`,
      samples: list(count, ({ thousandChunks }) => thousandChunks),
      ...(count === 2 && {
        ratios: { "foreword-postgres": ratio },
        targets: [{ text: `≥ ${leastTimes} × one`, isMet: ratio >= leastTimes }],
      }),
    },
    {
      scenario: "workers",
      figure: `CPU µs a chunk (${count})`,
      samples: list(count, ({ cpuUs }) => cpuUs),
    },
  ]);
}
