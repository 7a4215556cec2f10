/** `npm run bench`: runs scenarios, prints the table, writes the results, and cleans up. */
import { writeFileSync } from "node:fs";
import { nextSignal, runMain } from "./clean-up.ts";
import { startUpstream, type Context } from "./scenarios/context.ts";
import { parseOptions, toHelp, type Options } from "./options.ts";
import { findInstalled } from "./peers/installed.ts";
import { peerNames } from "./peers/peers.ts";
import { leavePeerProcessor } from "./peers/processors.ts";
import { describeProfiles } from "./report/profile.ts";
import { describeAgainst, toJson, toWhen, writeResults } from "./report/results.ts";
import type { Row } from "./report/row.ts";
import { scenarios } from "./scenarios/scenarios.ts";
import { toTableHead, toTableLine } from "./report/table.ts";

let hasFailed = false;

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

async function runAll(options: Options): Promise<readonly Row[]> {
  // If this fails, it should do so before anything is measured.
  for (const peer of options.peers) if (peer === "mastra") await findInstalled(peer);
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
  return [{ scenario, figure: "runs", samples: {}, targets: [{ text: "to its end", isMet: false }] }];
}

function print(rows: readonly Row[], { peers, against }: Options): void {
  const lines = rows.map((row) => toTableLine(row, peers, toWhen()));
  process.stdout.write(`${[...toTableHead(peers), ...lines].join("\n")}\n${describeAgainst(against)}`);
}

/** Whether these are the figures that the results file shows. */
function areForFile({ isSmoke, profileFolder, against, peers }: Options): boolean {
  const isPlain = !isSmoke && profileFolder === undefined && against === undefined;
  return isPlain && peerNames.every((peer) => peers.includes(peer));
}

/** Resolves with the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(
    args,
    scenarios.map(({ name }) => name),
  );
  if (options.wantsHelp) {
    process.stdout.write(toHelp(scenarios));
    return 0;
  }
  const interrupted = nextSignal();
  leavePeerProcessor();
  const command = ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
  const rows = await Promise.race([runAll(options), interrupted]);
  if (rows === "interrupted") return 130;
  print(rows, options);
  const { profileFolder, jsonFile } = options;
  if (profileFolder !== undefined) process.stdout.write(describeProfiles(profileFolder));
  if (jsonFile !== undefined) writeFileSync(jsonFile, toJson(rows, { command, against: options.against }));
  if (areForFile(options)) writeResults(rows, command);
  const isMissed = rows.some(({ targets = [] }) => targets.some(({ isMet }) => !isMet));
  if (hasFailed) return 2;
  return options.isCheck && isMissed ? 1 : 0;
}

await runMain(main);
