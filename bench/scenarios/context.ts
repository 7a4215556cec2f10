/** The context of a bench run: options, upstream and progress output. */
import type { PeerName } from "../peers/peers.ts";
import { Program, toPath } from "../program.ts";

/** A run of the bench. */
export interface Context {
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly PeerName[];
  /** Whether the run only checks that everything works. */
  readonly isSmoke: boolean;
  /** Folder for Foreword's profiles, if requested. */
  readonly profileFolder: string | undefined;
  /** Address of the shared upstream. */
  readonly upstreamUrl: string;
  /** Prints one line of progress. */
  readonly say: (line: string) => void;
}

/** Starts an upstream; `prefix` precedes its command. */
export async function startUpstream(
  prefix: readonly string[] = [],
): Promise<{ readonly url: string; readonly program: Program }> {
  const program = new Program({ args: [toPath("load/upstream.ts")], prefix });
  return { url: await program.listening(), program };
}
