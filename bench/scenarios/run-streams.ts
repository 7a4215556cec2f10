/** Runs a stream scenario: rounds in which every peer takes a turn, and their medians. */
import { startUpstream, type Context } from "./context.ts";
import { makeSmallNetwork } from "../peers/network.ts";
import { startPeer, toBodyKind, yardstick, type PeerName } from "../peers/peers.ts";
import { onPeerProcessor } from "../peers/processors.ts";
import { profiled } from "../report/profile.ts";
import { toFigure, toMedian, type Row, type Target } from "../report/row.ts";
import { runJob, runLoad } from "../load/run-load.ts";
import {
  streamFigures,
  toWarmUp,
  type Run,
  type StreamFigure,
  type StreamScenario,
} from "./stream-scenarios.ts";

type Values = Partial<Record<PeerName, number>>;

/** Upstream and network of a scenario. */
interface Place {
  readonly upstreamUrl: string;
  readonly network: readonly string[];
}

/** Runs `scenario`; resolves with its rows. */
export async function runStreams(context: Context, scenario: StreamScenario): Promise<readonly Row[]> {
  if (scenario.isInSmallNetwork !== true)
    return await runRounds(context, scenario, { upstreamUrl: context.upstreamUrl, network: [] });
  const network = await makeSmallNetwork();
  if (network.prefix.length === 0)
    context.say("cannot create a network here: sockets keep their normal buffers");
  const upstream = await startUpstream(network.prefix);
  const rows = await runRounds(context, scenario, { upstreamUrl: upstream.url, network: network.prefix });
  await upstream.program.kill();
  await network.close();
  return rows;
}

async function runRounds(context: Context, scenario: StreamScenario, place: Place): Promise<readonly Row[]> {
  const rounds = scenario.isOneRound === true ? 1 : context.rounds;
  const runs = new Map<PeerName, Run[]>(context.peers.map((peer) => [peer, []]));
  for (let round = 1; round <= rounds; round += 1) {
    const direct = scenario.isAdded === true ? await measureUpstream(scenario, place) : undefined;
    for (const [peer, list] of runs) {
      const run = { ...(await measure(context, scenario, peer, place)), direct };
      list.push(run);
      const told = scenario.figures.map((figure) => `${figure} ${toFigure(streamFigures[figure](run))}`);
      context.say(`${scenario.name} ${round}/${rounds} ${peer}: ${told.join(" · ")}`);
    }
  }
  return scenario.figures.map((figure) => toRow(scenario, figure, runs));
}

/** Resolves with the time to the upstream's own first byte, in milliseconds. */
async function measureUpstream({ script, load }: StreamScenario, place: Place): Promise<number | undefined> {
  const job = { url: place.upstreamUrl, script, load, kind: "events" } as const;
  await runJob(job, place.network);
  return (await runJob(job, place.network)).firstByteP50Ms ?? undefined;
}

async function measure(
  context: Context,
  { script, load, figures }: StreamScenario,
  peer: PeerName,
  { upstreamUrl, network }: Place,
): Promise<Omit<Run, "direct">> {
  const { profileFolder } = context;
  const server = await startPeer(peer, upstreamUrl, [...network, ...onPeerProcessor], profileFolder);
  const kind = toBodyKind(peer);
  await runLoad({ url: server.url, kind, ...toWarmUp(context, figures) }, server.program.pid, network);
  const usage = await profiled(() =>
    runLoad({ url: server.url, kind, script, load }, server.program.pid, network),
  );
  // Node writes profiles only on a regular exit.
  if (profileFolder !== undefined && peer.startsWith("foreword")) await server.program.stop();
  await server.close();
  return usage;
}

function toRow(
  scenario: StreamScenario,
  figure: StreamFigure,
  runs: ReadonlyMap<PeerName, readonly Run[]>,
): Row {
  const values: Values = {};
  for (const [peer, list] of runs) {
    const median = toMedian(list.map(streamFigures[figure]).filter((value) => !Number.isNaN(value)));
    if (median !== undefined) values[peer] = median;
  }
  const { name, note, judged = "foreword" } = scenario;
  const held = values[judged];
  const base = values[yardstick];
  const ratio = held === undefined || !base ? undefined : held / base;
  return {
    scenario: name,
    figure: note === undefined ? figure : `${figure} (${note})`,
    values,
    ratio,
    target: toTarget(scenario, figure, held, ratio),
    ...(scenario.isOneRound === true && { rounds: 1 }),
  };
}

function toTarget(
  { limits }: StreamScenario,
  figure: StreamFigure,
  value: number | undefined,
  ratio: number | undefined,
): Target | undefined {
  const limit = limits.find((candidate) => candidate.figure === figure);
  const held = limit?.isRatio === true ? ratio : value;
  if (limit === undefined || held === undefined) return undefined;
  return {
    text: limit.isRatio ? `≤ ${limit.most} × ${yardstick}` : `≤ ${toFigure(limit.most)}`,
    isMet: held <= limit.most,
  };
}
