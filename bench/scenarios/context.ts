/** Owns what a run of the bench has: what was asked for, the upstream, and where progress is told. */
import type { PeerName } from "../peers/peers.ts";
import { Program, toPath } from "../program.ts";

/** A run of the bench. */
export interface Context {
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly PeerName[];
  /** Whether it is only to be seen that all of it works. */
  readonly isSmoke: boolean;
  /** Where Foreword's profiles are written to, if they are wanted. */
  readonly profileFolder: string | undefined;
  /** Of the upstream that all share. */
  readonly upstreamUrl: string;
  /** Tells one line of progress. */
  readonly say: (line: string) => void;
}

/** Starts an upstream; `prefix` goes before its command. */
export async function startUpstream(
  prefix: readonly string[] = [],
): Promise<{ readonly url: string; readonly program: Program }> {
  const program = new Program({ args: [toPath("load/upstream.ts")], prefix });
  return { url: await program.listening(), program };
}
