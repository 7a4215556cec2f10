/** Owns the scenario of two processes that serve together beside one: how much more they relay, at what cost. */
import type { Context } from "./context.ts";
import { openPostgres } from "./databases.ts";
import { startForeword } from "./foreword.ts";
import { onAnyProcessor } from "./processors.ts";
import { toFigure, toMedian, type Row } from "./row.ts";
import { runLoad } from "./run-load.ts";
import { fast, warmUp } from "./stream-scenarios.ts";

/** How much more two are to relay than one. */
const leastTimes = 1.7;
const counts = [1, 2] as const;

/** What so many processes did. */
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
  const clients = context.isSmoke ? 8 : 64;
  const load = { type: "closed", clients, pauseMs: 0 } as const;
  const job = { url: server.url, kind: "plan", script: fast } as const;
  await runLoad({ ...job, load: { ...load, seconds: Math.min(warmUp.seconds, context.seconds) } }, pid);
  const { result, allMs } = await runLoad({ ...job, load: { ...load, seconds: context.seconds } }, pid);
  await server.program.stop();
  await server.close();
  const chunks = result.streams * fast.deltas;
  return { thousandChunks: chunks / result.seconds / 1000, cpuUs: (allMs * 1000) / chunks };
}

/** Runs it on Postgres; resolves with its rows. Upstream and load generator share the processors with the workers. */
export async function runWorkers(context: Context): Promise<readonly Row[]> {
  const database = await openPostgres();
  const { DATABASE_URL: url = "" } = database.variables;
  const yields = new Map<number, Yield[]>(counts.map((count) => [count, []]));
  for (let round = 1; round <= context.rounds; round += 1) {
    for (const [count, list] of yields) {
      const found = await measure(context, count, url);
      list.push(found);
      context.say(
        `workers ${round}/${context.rounds} ${count}: thousand chunks a second ${toFigure(found.thousandChunks)} · CPU µs a chunk ${toFigure(found.cpuUs)}`,
      );
    }
  }
  await database.close();
  const median = (count: number, of: (found: Yield) => number): number =>
    toMedian((yields.get(count) ?? []).map(of)) ?? Number.NaN;
  const [one, two] = counts.map((count) => median(count, ({ thousandChunks }) => thousandChunks));
  const ratio = (two ?? Number.NaN) / (one ?? Number.NaN);
  return counts.flatMap((count) => [
    {
      scenario: "workers",
      figure: `thousand chunks a second (${count})`,
      values: { "foreword-postgres": median(count, ({ thousandChunks }) => thousandChunks) },
      ...(count === 2 && { ratio, target: { text: `≥ ${leastTimes} × one`, isMet: ratio >= leastTimes } }),
    },
    {
      scenario: "workers",
      figure: `CPU µs a chunk (${count})`,
      values: { "foreword-postgres": median(count, ({ cpuUs }) => cpuUs) },
    },
  ]);
}
