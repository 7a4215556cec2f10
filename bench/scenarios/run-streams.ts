/** Runs a stream scenario: rounds in which every peer takes a turn, and their figures. */
import { runRounds, startUpstream, type Context } from "./context.ts";
import { measureCommit, measureSync } from "./durable-write.ts";
import { makeSmallNetwork } from "../peers/network.ts";
import { findDatabase, isForewordPeer, startPeer, toBodyKind, type PeerName } from "../peers/peers.ts";
import { onPeerProcessor } from "../peers/processors.ts";
import { profiled, toProfileOptions } from "../report/profile.ts";
import { toTargets } from "../report/limits.ts";
import { toFigure, type Row } from "../report/row.ts";
import { runJob, runLoad } from "../load/run-load.ts";
import { streamFigures, toWarmUp, type Run, type StreamScenario } from "./stream-scenarios.ts";

/** Upstream and network of a scenario. */
interface Place {
  readonly upstreamUrl: string;
  readonly network: readonly string[];
}

/** Runs `scenario`; resolves with its rows. */
export async function runStreams(context: Context, scenario: StreamScenario): Promise<readonly Row[]> {
  if (scenario.isInSmallNetwork !== true)
    return await runIn(context, scenario, { upstreamUrl: context.upstreamUrl, network: [] });
  const network = await makeSmallNetwork();
  if (network.prefix.length === 0)
    context.say("cannot create a network here: sockets keep their normal buffers");
  const upstream = await startUpstream(network.prefix);
  const rows = await runIn(context, scenario, { upstreamUrl: upstream.url, network: network.prefix });
  await upstream.program.kill();
  await network.close();
  return rows;
}

async function runIn(context: Context, scenario: StreamScenario, place: Place): Promise<readonly Row[]> {
  const { name, note, figures, limits } = scenario;
  if (scenario.isCold === true) await warmUpstream(context, place);
  const runs = await runRounds(
    context,
    name,
    async (peer) => {
      const run = await measure(context, scenario, peer, place);
      const told = figures.map((figure) => `${figure} ${toFigure(streamFigures[figure](run))}`);
      return { result: run, told: told.join(" · ") };
    },
    scenario.isOneRound === true ? 1 : 3,
  );
  return figures.map((figure) => {
    const ofPeers = Array.from(runs, ([peer, list]) => {
      return [peer, list.map(streamFigures[figure]).filter((value) => !Number.isNaN(value))] as const;
    });
    const samples: Row["samples"] = Object.fromEntries(ofPeers);
    const noted = note === undefined ? figure : `${figure} (${note})`;
    return { scenario: name, figure: noted, samples, targets: toTargets(limits, figure, samples) };
  });
}

/** Warms up the upstream, so that the first peer of a cold start does not wait for it. */
async function warmUpstream(context: Context, { upstreamUrl, network }: Place): Promise<void> {
  await runJob({ url: upstreamUrl, kind: "events", ...toWarmUp(context) }, network);
}

/** Resolves with the time to the upstream's own first byte, in milliseconds. */
async function measureUpstream({ script, load }: StreamScenario, place: Place): Promise<number | undefined> {
  const job = { url: place.upstreamUrl, script, load, kind: "events" } as const;
  return (await runJob(job, place.network)).firstByteP50Ms ?? undefined;
}

/** Resolves with the time of the write that a peer waits for before its first byte, in milliseconds. */
async function measureWrite(context: Context, peer: PeerName): Promise<number> {
  if (!isForewordPeer(peer)) return 0;
  const database = await findDatabase(peer, context.against);
  return database === undefined ? await measureSync() : await measureCommit(database);
}

async function measure(
  context: Context,
  scenario: StreamScenario,
  peer: PeerName,
  place: Place,
): Promise<Run> {
  const { script, load, figures, isAdded, isCold, variables } = scenario;
  const { profileFolder, against } = context;
  const { upstreamUrl, network } = place;
  const isProfiled = profileFolder !== undefined && isForewordPeer(peer);
  const direct = isAdded === true ? await measureUpstream(scenario, place) : undefined;
  const writeMs = isAdded === true ? await measureWrite(context, peer) : undefined;
  const server = await startPeer(peer, {
    upstreamUrl,
    prefix: [...network, ...onPeerProcessor],
    nodeOptions: isProfiled ? toProfileOptions(profileFolder) : [],
    variables,
    against,
  });
  const to = { url: server.url, kind: toBodyKind(peer) };
  const { pid } = server.program;
  if (isCold !== true) await runLoad({ ...to, ...toWarmUp(context, figures) }, pid, network);
  const usage = await profiled(() => runLoad({ ...to, script, load }, pid, network));
  // Node writes profiles only on a regular exit.
  if (isProfiled) await server.program.stop();
  await server.close();
  return { ...usage, direct, writeMs };
}
