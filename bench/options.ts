/** The command line of the bench. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { peerNames, type PeerName } from "./peers/peers.ts";

export const help = `Usage: npm run bench -- [scenario ...] [options]

Measures Foreword, with all features on, beside other implementations, and writes bench/RESULTS.md.
Without a scenario it runs all of them, about 30 minutes:
  SCENARIOS

Options:
  --rounds 3        rounds per peer, for medians
  --seconds 4       duration of loads that have no length of their own
  --peers a,b       any of ${peerNames.join(", ")}; prints the results without writing them
  --profile folder  writes processor profiles of Foreword's threads to the folder and prints a summary;
                    profiling makes the figures higher, so they are printed but not written
  --smoke           checks that everything works, in small: the figures mean nothing and are only printed
  --check           exits with 1 if a target is missed
  -h, --help        prints this help
`;

/** Parsed options. */
export interface Options {
  readonly scenarios: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly PeerName[];
  /** Folder for profiles. */
  readonly profileFolder: string | undefined;
  readonly isSmoke: boolean;
  readonly isCheck: boolean;
  readonly wantsHelp: boolean;
}

const Values = z.object({
  rounds: z.coerce.number("--rounds must be a whole number").int().min(1).max(100).optional(),
  seconds: z.coerce.number("--seconds must be a number").positive().max(600).optional(),
  peers: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(peerNames, `--peers must be a comma-separated list of ${peerNames.join(", ")}`)))
    .optional(),
  profile: z.string().optional(),
  smoke: z.boolean().default(false),
  check: z.boolean().default(false),
  help: z.boolean().default(false),
});

/** Parses `args`. @throws Error whose message tells how to correct them. */
export function parseOptions(args: readonly string[], scenarios: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      peers: { type: "string" },
      profile: { type: "string" },
      smoke: { type: "boolean" },
      check: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const result = Values.safeParse(values);
  if (!result.success) throw new Error(z.prettifyError(result.error));
  const unknown = positionals.find((name) => !scenarios.includes(name));
  if (unknown !== undefined)
    throw new Error(`unknown scenario "${unknown}"; use any of ${scenarios.join(", ")}`);
  const { rounds, seconds, peers, profile, smoke, check, help: wantsHelp } = result.data;
  return {
    scenarios: positionals.length === 0 ? scenarios : positionals,
    rounds: rounds ?? (smoke ? 1 : 3),
    seconds: seconds ?? (smoke ? 0.3 : 4),
    peers: peers ?? peerNames,
    profileFolder: profile === undefined ? undefined : resolve(profile),
    isSmoke: smoke,
    isCheck: check,
    wantsHelp,
  };
}
