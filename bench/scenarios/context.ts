/** The context of a bench run: options, upstream and progress output. */
import type { Checkout } from "../peers/checkout.ts";
import type { PeerName } from "../peers/peers.ts";
import { Program, toPath } from "../program.ts";

/** A run of the bench. */
export interface Context {
  /** `undefined` if each scenario chooses. */
  readonly rounds: number | undefined;
  readonly seconds: number;
  readonly peers: readonly PeerName[];
  /** The checkout to compare with. */
  readonly against: Checkout | undefined;
  /** Whether the run only checks that everything works. */
  readonly isSmoke: boolean;
  /** Folder for Foreword's profiles, if requested. */
  readonly profileFolder: string | undefined;
  /** Address of the shared upstream. */
  readonly upstreamUrl: string;
  /** Prints one line of progress. */
  readonly say: (line: string) => void;
}

/**
 * Runs `measure` for every peer in each round, in the order of {@link Context.peers} and, every second round,
 * in the opposite one; resolves with what each peer's rounds gave.
 */
export async function runRounds<Result>(
  { peers, say, ...context }: Pick<Context, "peers" | "rounds" | "say">,
  name: string,
  measure: (peer: PeerName) => Promise<{ readonly result: Result; readonly told: string }>,
  usualRounds = 3,
): Promise<ReadonlyMap<PeerName, readonly Result[]>> {
  const rounds = context.rounds ?? usualRounds;
  const results = new Map<PeerName, Result[]>(peers.map((peer) => [peer, []]));
  for (let round = 1; round <= rounds; round += 1)
    for (const peer of round % 2 === 1 ? peers : peers.toReversed()) {
      const { result, told } = await measure(peer);
      results.get(peer)?.push(result);
      say(`${name} ${round}/${rounds} ${peer}: ${told}`);
    }
  return results;
}

/** Starts an upstream; `prefix` precedes its command. */
export async function startUpstream(
  prefix: readonly string[] = [],
): Promise<{ readonly url: string; readonly program: Program }> {
  const program = new Program({ args: [toPath("load/upstream.ts")], prefix });
  return { url: await program.listening(), program };
}
