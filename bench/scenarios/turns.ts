/** Scenario: short turns, one after another, on every peer and store; throughput, cost and store calls. */
import { z } from "zod";
import { runRounds, type Context } from "./context.ts";
import { openSupabase, type BenchDatabase } from "../peers/databases.ts";
import {
  findDatabase,
  isForewordPeer,
  startPeer,
  toBodyKind,
  toCheckout,
  type PeerName,
} from "../peers/peers.ts";
import type { Load } from "../load/job.ts";
import { shortScript as script } from "./post-turn.ts";
import { onPeerProcessor } from "../peers/processors.ts";
import { toPath } from "../program.ts";
import { onBoth, toTargets, type Limit } from "../report/limits.ts";
import { toFigure, type Row } from "../report/row.ts";
import { runLoad } from "../load/run-load.ts";

const clients = 16;
const warmUpSeconds = 3;
/** Calls made by the process, not by a turn: saving progress, indexing, and looking for work. */
const ownCalls = [
  "chat_save_progress",
  "chat_index_texts",
  "chat_list_abandoned_turns",
  "chat_take_document",
  "chat_describe_schema",
];

const figures = [
  "turns a second",
  "turns a second of CPU",
  "CPU µs a turn",
  "store calls a turn",
  "progress calls a second",
] as const;
type Figure = (typeof figures)[number];

const limits: readonly Limit<Figure>[] = [
  { figure: "turns a second", peer: "foreword", bound: "least", value: 3, of: "against" },
  { figure: "turns a second of CPU", peer: "foreword-postgres", bound: "least", value: 2, of: "against" },
  { figure: "CPU µs a turn", peer: "foreword", bound: "most", value: 0.35, of: "against" },
  // The run may end between a turn's two calls.
  ...onBoth("store calls a turn", 2.01),
  ...onBoth("progress calls a second", 2.1),
];

const Calls = z.record(z.string(), z.number());
type Calls = z.infer<typeof Calls>;

/** Cost of short turns on a peer; only Foreword has a store. */
type Cost = Readonly<Partial<Record<Figure, number>>>;

async function measure(context: Context, peer: PeerName, supabase?: BenchDatabase): Promise<Cost> {
  const database = supabase ?? (await findDatabase(peer, context.against));
  const before = await database?.readUsage();
  const isCounted = isForewordPeer(peer) && database === undefined;
  const server = await startPeer(peer, {
    upstreamUrl: context.upstreamUrl,
    prefix: onPeerProcessor,
    nodeOptions: isCounted ? ["--import", toPath("peers/call-counter.ts")] : [],
    database,
    against: context.against,
  });
  const load: Load = { type: "closed", clients, seconds: context.seconds, pauseMs: 0 };
  const job = { url: server.url, kind: toBodyKind(peer), script, load } as const;
  const { pid } = server.program;
  const seconds = context.isSmoke ? context.seconds : warmUpSeconds;
  const warming = await runLoad({ ...job, load: { ...load, seconds } }, pid);
  const { result, allMs } = await runLoad(job, pid);
  // A server that shuts down closes its connections, so that Postgres counts all their work.
  const told = isCounted ? await server.program.tell(Calls, "calls") : undefined;
  if (database !== undefined) await server.program.stop();
  await server.close();
  const cost: Cost = {
    "turns a second": result.streams / result.seconds,
    "turns a second of CPU": (result.streams / allMs) * 1000,
    "CPU µs a turn": (allMs * 1000) / result.streams,
  };
  if (!isForewordPeer(peer)) return cost;
  const calls = told ?? subtract((await database?.readUsage())?.calls ?? {}, before?.calls ?? {});
  const ofTurns = Object.entries(calls).filter(([name]) => !ownCalls.includes(name));
  const turns = warming.result.streams + result.streams;
  return {
    ...cost,
    "store calls a turn": ofTurns.reduce((sum, [, count]) => sum + count, 0) / turns,
    "progress calls a second": (calls["chat_save_progress"] ?? 0) / (warming.result.seconds + result.seconds),
  };
}

function subtract(later: Calls, earlier: Calls): Calls {
  return Object.fromEntries(
    Object.entries(later).map(([name, count]) => [name, count - (earlier[name] ?? 0)]),
  );
}

function toRows(costs: ReadonlyMap<PeerName, readonly Cost[]>, note: string): readonly Row[] {
  // The limits beside another checkout are those of Postgres itself.
  const ofStore = note === "" ? limits : limits.filter(({ of }) => of === undefined);
  return figures.map((figure) => {
    const samples: Row["samples"] = Object.fromEntries(
      Array.from(costs, ([peer, list]) => [peer, list.flatMap((cost) => cost[figure] ?? [])]),
    );
    return {
      scenario: "turns",
      figure: figure + note,
      samples,
      targets: toTargets(ofStore, figure, samples),
    };
  });
}

async function runOn(
  context: Context,
  name: string,
  findSupabase: (peer: PeerName) => BenchDatabase | undefined = () => undefined,
): Promise<ReadonlyMap<PeerName, readonly Cost[]>> {
  return await runRounds(context, name, async (peer) => {
    const result = await measure(context, peer, findSupabase(peer));
    const told = Object.entries(result).map(([figure, value]) => `${figure} ${toFigure(value)}`);
    return { result, told: told.join(" · ") };
  });
}

/** Runs the peers that can stand on PostgREST, in the columns of those on Postgres. */
async function runOnSupabase(context: Context): Promise<readonly Row[]> {
  const peers = context.peers.filter((peer) => peer === "foreword-postgres" || peer === "against-postgres");
  const databases = new Map<PeerName, BenchDatabase>();
  for (const peer of peers) databases.set(peer, await openSupabase(toCheckout(peer, context.against).root));
  const costs = await runOn({ ...context, peers }, "turns on PostgREST", (peer) => databases.get(peer));
  for (const database of databases.values()) await database.close();
  return peers.length === 0 ? [] : toRows(costs, " (PostgREST)");
}

/** Runs it; resolves with its rows. */
export async function runTurns(context: Context): Promise<readonly Row[]> {
  const rows = toRows(await runOn(context, "turns"), "");
  return [...rows, ...(await runOnSupabase(context))];
}
