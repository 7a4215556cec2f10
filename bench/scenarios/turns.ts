/** Scenario: short turns, one after another, on each store; throughput, cost and number of calls. */
import { z } from "zod";
import type { Context } from "./context.ts";
import { openPostgres, openSupabase, type BenchDatabase } from "../peers/databases.ts";
import { startForeword } from "../peers/foreword.ts";
import type { Load } from "../load/job.ts";
import { shortScript as script } from "./post-turn.ts";
import { onPeerProcessor } from "../peers/processors.ts";
import { toPath } from "../program.ts";
import { toFigure, toMedian, type Row } from "../report/row.ts";
import { runLoad } from "../load/run-load.ts";

const clients = 16;
/** Least number of turns for each second of processor time on Postgres. */
const leastTurns = 300;
/** Calls made by the process, not by a turn: saving progress, and looking for abandoned turns. */
const ownCalls = ["chat_save_progress", "chat_list_abandoned_turns", "chat_describe_schema"];

type StoreName = "PGlite" | "Postgres" | "PostgREST";

const Calls = z.record(z.string(), z.number());
type Calls = z.infer<typeof Calls>;

/** Cost of short turns on a store. */
interface Cost {
  readonly "turns a second": number;
  readonly "turns a second of CPU": number;
  readonly "store calls a turn": number;
  readonly "progress calls a second": number;
}

async function measure(context: Context, database: BenchDatabase | undefined): Promise<Cost> {
  const before = await database?.readUsage();
  const server = await startForeword({
    upstreamUrl: context.upstreamUrl,
    prefix: onPeerProcessor,
    variables: database?.variables,
    nodeOptions: database === undefined ? ["--import", toPath("peers/call-counter.ts")] : [],
  });
  const load: Load = { type: "closed", clients, seconds: context.seconds, pauseMs: 0 };
  const job = { url: server.url, kind: "plan", script, load } as const;
  const { pid } = server.program;
  const warming = await runLoad({ ...job, load: { ...load, seconds: Math.min(1, context.seconds) } }, pid);
  const { result, allMs } = await runLoad(job, pid);
  // A server that shuts down closes its connections, so that Postgres counts all their work.
  const told = database === undefined ? await server.program.tell(Calls, "calls") : undefined;
  if (database !== undefined) await server.program.stop();
  await server.close();
  const calls = told ?? subtract((await database?.readUsage())?.calls ?? {}, before?.calls ?? {});
  const turns = warming.result.streams + result.streams;
  const ofTurns = Object.entries(calls).filter(([name]) => !ownCalls.includes(name));
  return {
    "turns a second": result.streams / result.seconds,
    "turns a second of CPU": (result.streams / allMs) * 1000,
    "store calls a turn": ofTurns.reduce((sum, [, count]) => sum + count, 0) / turns,
    "progress calls a second": (calls["chat_save_progress"] ?? 0) / (warming.result.seconds + result.seconds),
  };
}

function subtract(later: Calls, earlier: Calls): Calls {
  return Object.fromEntries(
    Object.entries(later).map(([name, count]) => [name, count - (earlier[name] ?? 0)]),
  );
}

function toTarget(store: StoreName, figure: keyof Cost, value: number): Row["target"] {
  switch (figure) {
    case "turns a second":
      return undefined;
    case "turns a second of CPU":
      return store === "Postgres" ? { text: `≥ ${leastTurns}`, isMet: value >= leastTurns } : undefined;
    case "store calls a turn":
      // The run may end between a turn's two calls.
      return { text: "≤ 2", isMet: value <= 2.01 };
    case "progress calls a second":
      return { text: "≤ 2", isMet: value <= 2.1 };
  }
}

/** Runs it; resolves with its rows. */
export async function runTurns(context: Context): Promise<readonly Row[]> {
  const databases = [
    ["PGlite", undefined],
    ["Postgres", await openPostgres()],
    ["PostgREST", await openSupabase()],
  ] as const;
  const costs = new Map<StoreName, Cost[]>();
  for (let round = 1; round <= context.rounds; round += 1) {
    for (const [name, database] of databases) {
      const cost = await measure(context, database);
      costs.set(name, [...(costs.get(name) ?? []), cost]);
      const told = Object.entries(cost).map(([figure, value]) => `${figure} ${toFigure(Number(value))}`);
      context.say(`turns ${round}/${context.rounds} ${name}: ${told.join(" · ")}`);
    }
  }
  for (const [, database] of databases) await database?.close();
  const figures = [
    "turns a second",
    "turns a second of CPU",
    "store calls a turn",
    "progress calls a second",
  ] as const;
  return Array.from(costs).flatMap(([name, list]) =>
    figures.map((figure): Row => {
      const foreword = toMedian(list.map((cost) => cost[figure])) ?? Number.NaN;
      return {
        scenario: "turns",
        figure: `${figure} (${name})`,
        values: { foreword },
        target: toTarget(name, figure, foreword),
      };
    }),
  );
}
