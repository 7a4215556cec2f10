/** `npm run bench`: runs scenarios, prints the table, writes the results, and cleans up. */
import { cleanUp, nextSignal } from "./clean-up.ts";
import { startUpstream, type Context } from "./scenarios/context.ts";
import { help, parseOptions, type Options } from "./options.ts";
import { peerNames } from "./peers/peers.ts";
import { leavePeerProcessor } from "./peers/processors.ts";
import { describeProfiles } from "./report/profile.ts";
import { toMeasured, writeResults } from "./report/results.ts";
import type { Row } from "./report/row.ts";
import { scenarios } from "./scenarios/scenarios.ts";
import { toTableHead, toTableLine } from "./report/table.ts";

const names = scenarios.map(({ name }) => name);

let hasFailed = false;

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

async function runAll(options: Options): Promise<readonly Row[]> {
  const upstream = await startUpstream();
  const context: Context = { ...options, upstreamUrl: upstream.url, say };
  const rows: Row[] = [];
  for (const scenario of scenarios) {
    if (!options.scenarios.includes(scenario.name)) continue;
    say(`${scenario.name} …`);
    // A failed scenario is reported in the results; the others still run.
    const result = await scenario.run(context).catch((error: unknown) => toFailure(scenario.name, error));
    rows.push(...result);
  }
  return rows;
}

function toFailure(scenario: string, error: unknown): readonly Row[] {
  hasFailed = true;
  say(`${scenario} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return [{ scenario, figure: "runs", values: {}, target: { text: "to its end", isMet: false } }];
}

function print(rows: readonly Row[], { peers, rounds }: Options, command: string): void {
  const measured = toMeasured({ command, rounds });
  const lines = rows.map((row) => toTableLine(row, peers, measured));
  process.stdout.write(`${[...toTableHead(peers), ...lines].join("\n")}\n`);
}

/** Resolves with the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, names);
  if (options.wantsHelp) {
    process.stdout.write(help.replace("SCENARIOS", names.join(", ")));
    return 0;
  }
  const interrupted = nextSignal();
  leavePeerProcessor();
  const command = ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
  const rows = await Promise.race([runAll(options), interrupted]);
  if (rows === "interrupted") return 130;
  print(rows, options, command);
  const { profileFolder } = options;
  if (profileFolder !== undefined) process.stdout.write(describeProfiles(profileFolder));
  if (
    !options.isSmoke &&
    profileFolder === undefined &&
    peerNames.every((peer) => options.peers.includes(peer))
  )
    writeResults(rows, { command, rounds: options.rounds });
  const missed = rows.filter(({ target }) => target?.isMet === false);
  if (hasFailed) return 2;
  return options.isCheck && missed.length > 0 ? 1 : 0;
}

let code = 2;
try {
  code = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
}
await cleanUp();
// Work that an interrupt left unfinished would keep the process alive.
process.exit(code);
