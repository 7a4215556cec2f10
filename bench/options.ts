/** The command line of the bench. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { findCheckout, type Checkout } from "./peers/checkout.ts";
import { counterparts, forewordPeers, peerNames, type PeerName } from "./peers/peers.ts";

/** Returns the help; each scenario is named with a sentence about it. */
export function toHelp(scenarios: readonly { readonly name: string; readonly about: string }[]): string {
  const width = Math.max(...scenarios.map(({ name }) => name.length)) + 2;
  return `Usage: npm run bench -- [options]

Measures Foreword, with all features on, beside other implementations, and writes bench/RESULTS.md.
Takes about an hour and a half.

Options:
  --only a,b        runs these scenarios; the other lines of RESULTS.md stay
  --rounds n        rounds per peer, for medians: by default 3, or 1 if memory is measured
  --seconds 4       duration of loads that have no length of their own
  --peers a,b       any of ${peerNames.join(", ")}; prints the results without writing them
  --against path    measures another checkout of Foreword, with its dependencies installed, in the same rounds, and
                    tells which differences are beyond noise (from 4 rounds on); prints without writing
  --json file       also writes the figures of every round to the file
  --profile folder  writes processor profiles of Foreword's threads to the folder and prints a summary;
                    profiling makes the figures higher, so they are printed but not written
  --smoke           checks that everything works, in small: the figures mean nothing and are only printed
  --check           exits with 1 if a target is missed
  -h, --help        prints this help

Scenarios:
${scenarios.map(({ name, about }) => `  ${name.padEnd(width)}${about}`).join("\n")}
`;
}

/** Parsed options. */
export interface Options {
  readonly scenarios: readonly string[];
  /** `undefined` if each scenario chooses. */
  readonly rounds: number | undefined;
  readonly seconds: number;
  /** Those of the other checkout included. */
  readonly peers: readonly PeerName[];
  readonly against: Checkout | undefined;
  /** The file for the figures of every round. */
  readonly jsonFile: string | undefined;
  /** Folder for profiles. */
  readonly profileFolder: string | undefined;
  readonly isSmoke: boolean;
  readonly isCheck: boolean;
  readonly wantsHelp: boolean;
}

const NameList = z.string().transform((text) => text.split(","));

const Values = z.object({
  only: NameList.optional(),
  rounds: z.coerce.number("--rounds must be a whole number").int().min(1).max(100).optional(),
  seconds: z.coerce.number("--seconds must be a number").positive().max(600).optional(),
  peers: NameList.pipe(
    z.array(z.enum(peerNames, `--peers must be a comma-separated list of ${peerNames.join(", ")}`)),
  ).optional(),
  against: z.string().optional(),
  json: z.string().optional(),
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
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      peers: { type: "string" },
      against: { type: "string" },
      json: { type: "string" },
      profile: { type: "string" },
      smoke: { type: "boolean" },
      check: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (positionals.length > 0)
    throw new Error(`unexpected "${positionals.join(" ")}"; name scenarios as --only ${positionals.join()}`);
  const result = Values.safeParse(values);
  if (!result.success) throw new Error(z.prettifyError(result.error));
  const { only = scenarios, rounds, seconds, peers, json, profile, smoke, check } = result.data;
  const unknown = only.find((name) => !scenarios.includes(name));
  if (unknown !== undefined)
    throw new Error(`unknown scenario "${unknown}"; use any of ${scenarios.join(", ")}`);
  const against = result.data.against === undefined ? undefined : findCheckout(result.data.against);
  return {
    scenarios: only,
    rounds: rounds ?? (smoke ? 1 : undefined),
    seconds: seconds ?? (smoke ? 0.3 : 4),
    peers: withCounterparts(peers ?? peerNames, against),
    against,
    jsonFile: json === undefined ? undefined : resolve(json),
    profileFolder: profile === undefined ? undefined : resolve(profile),
    isSmoke: smoke,
    isCheck: check,
    wantsHelp: result.data.help,
  };
}

/** Returns the peers, and Foreword's in the other checkout. */
function withCounterparts(peers: readonly PeerName[], against: Checkout | undefined): readonly PeerName[] {
  if (against === undefined) return peers;
  const ours = forewordPeers.filter((peer) => peers.includes(peer));
  return [...peers, ...ours.map((peer) => counterparts[peer])];
}
