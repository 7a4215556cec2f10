/** Owns the bench's command line. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { peerNames, type PeerName } from "./peers/peers.ts";

export const help = `Usage: npm run bench -- [scenario ...] [options]

Measures Foreword, with all of it on, beside other ways of building it, and writes bench/RESULTS.md.
Without scenarios it runs all of them, some 25 minutes:
  SCENARIOS

Options:
  --rounds 3        how often each peer has its turn where medians are taken
  --seconds 4       how long the load lasts where it has no length of its own
  --peers a,b       of: ${peerNames.join(", ")}; the results are then only printed
  --profile folder  has Foreword's threads write profiles there, and prints where the time of each went;
                    the figures are then dearer than they are, and only printed
  --smoke           shrinks everything to see that it works: the figures mean nothing and are only printed
  --check           fails where a target is missed
  -h, --help        show this
`;

/** What was asked for. */
export interface Options {
  readonly scenarios: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly peers: readonly PeerName[];
  /** Where profiles are written to. */
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
    .pipe(z.array(z.enum(peerNames, `--peers must be of ${peerNames.join(", ")}`)))
    .optional(),
  profile: z.string().optional(),
  smoke: z.boolean().default(false),
  check: z.boolean().default(false),
  help: z.boolean().default(false),
});

/** Returns what `args` ask for. @throws Error that says what is wrong with them. */
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
    throw new Error(`there is no scenario "${unknown}"; there are ${scenarios.join(", ")}`);
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
